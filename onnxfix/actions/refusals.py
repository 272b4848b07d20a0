"""What the target refuses: nodes by their form, so that one refusal speaks for every node like it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import onnx

from onnxfix.model.scope import Scope

SMALL = 64
"""Constants of so many elements or fewer belong to the form of a node that the builder refuses."""

Form = tuple[object, ...]


@dataclass(frozen=True)
class Refusals:
    """The forms of the refused nodes, with the target's words.

    A parser refuses by operator, attributes, element types, ranks, by what is constant and by vectors of free length
    (`wide`); a builder by sizes and by the values of small constants too (`exact`).  `all_nodes` refuses every node: a
    rule's examples are tested so.  `model` is what the target says of a model that it refuses as a whole.
    """

    wide: Mapping[Form, str] = field(default_factory=dict)
    exact: Mapping[Form, str] = field(default_factory=dict)
    all_nodes: bool = False
    model: str = ""

    def __bool__(self) -> bool:
        return bool(self.all_nodes or self.wide or self.exact or self.model)

    def of(self, scope: Scope, index: int) -> str | None:
        """What the target says of a node like this; None when it refuses none."""
        if self.all_nodes:
            return "refused"
        if not self:
            return None
        said = self.wide.get(wide_form(scope, index))
        return self.exact.get(exact_form(scope, index)) if said is None and self.exact else said

    def with_nodes(self, wide: Mapping[Form, str], exact: Mapping[Form, str]) -> Refusals:
        """These and more; the first words of a form stay."""
        return Refusals({**wide, **self.wide}, {**exact, **self.exact}, self.all_nodes, self.model)


NOTHING = Refusals()
EVERYTHING = Refusals(all_nodes=True, model="refused")


def wide_form(scope: Scope, index: int) -> Form:
    """Operator, attributes, and of each input: type, rank, and whether it is constant or a vector of free length."""
    node = scope.nodes[index]
    inputs = tuple(_wide_input(scope, name) for name in node.input)
    return (*_operator(node), inputs, tuple(bool(name) for name in node.output))


def exact_form(scope: Scope, index: int) -> Form:
    """The wide form with sizes and the values of small constants."""
    node = scope.nodes[index]
    return (*wide_form(scope, index), tuple(_exact_input(scope, name) for name in node.input))


def _operator(node: onnx.NodeProto) -> Form:
    attributes = sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)
    return "" if node.domain == "ai.onnx" else node.domain, node.op_type, tuple(attributes)


def _wide_input(scope: Scope, name: str) -> Form:
    if not name:
        return ()
    kind = scope.type_of(name)
    free = kind.dims is not None and len(kind.dims) == 1 and not isinstance(kind.dims[0], int)
    return kind.kind, kind.dtype, kind.rank, scope.constant(name) is not None, free


def _exact_input(scope: Scope, name: str) -> object:
    tensor = scope.constant(name) if name else None
    if tensor is None:
        return scope.type_of(name).dims if name else ()
    size = 1
    for dim in tensor.dims:
        size *= dim
    array = scope.array(name) if size <= SMALL else None
    return tuple(tensor.dims), None if array is None else array.tobytes()


def forms(nodes: Iterable[tuple[Scope, int, str]], *, exact: bool) -> dict[Form, str]:
    """The forms of nodes with what was said of each."""
    form = exact_form if exact else wide_form
    return {form(scope, index): said for scope, index, said in nodes}
