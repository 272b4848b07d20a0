"""What an action may look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from onnxfix.actions.refusals import NOTHING, Refusals
from onnxfix.actions.request import NO_REQUEST, Request
from onnxfix.model.model import Model
from onnxfix.model.names import Names
from onnxfix.model.operators import Operator, by_operator
from onnxfix.model.scope import Scope
from onnxfix.model.sequences import LISTS
from onnxfix.rewrite.rule import Rule
from onnxfix.targets.records import Target


@dataclass(frozen=True)
class Context:
    """One round's view of a model.

    `complaint` is what the ONNX checker says ("" when the model is valid); `steps` are the rules of opset
    conversion; `interface_changes` tells whether the user allows other types at the graph's inputs and outputs;
    `opset` is the version that the user asks for, None when none is; `request` are the changes to the interface that
    the user asks for.  `refusals` are the nodes that the target
    refuses; with `only_refused` (a rule that says `when = "refused"`) an action looks at no other node.
    """

    model: Model
    scopes: Sequence[Scope]
    names: Names
    complaint: str = ""
    target: Target | None = None
    steps: Sequence[Rule] = ()
    interface_changes: bool = False
    opset: int | None = None
    request: Request = NO_REQUEST
    refusals: Refusals = NOTHING
    only_refused: bool = False

    @property
    def main(self) -> Scope:
        """The main graph."""
        return self.scopes[0]

    def every_node(self) -> Iterator[tuple[Scope, int]]:
        """The nodes to look at, as (scope, index): all, or the refused ones."""
        for nodes in self._by_operator.values():
            yield from self._wanted(nodes)

    def nodes_of(self, operators: Sequence[str], domain: str = "") -> Iterator[tuple[Scope, int]]:
        """The nodes of these operators to look at, as (scope, index): all, or the refused ones."""
        for operator in operators:
            yield from self._wanted(self._by_operator.get((domain, operator), []))

    def nodes_around(self, operators: Sequence[str]) -> Iterator[tuple[Scope, int]]:
        """The nodes of these operators to look at: all, or those that are refused or hold a refused node.

        A sequence or an optional inside counts as refused: TensorRT stops at the first, and does not tell of the rest.
        So does an If whose result has no known rank: what is refused behind it could not be rewritten.
        """
        for operator in operators:
            for scope, index in self._by_operator.get(("", operator), []):
                held = (self._holds(inner) for inner in scope.within(index))
                if self.wants(scope, index) or any(held) or (operator == "If" and _hides(scope, index)):
                    yield scope, index

    def _holds(self, scope: Scope) -> bool:
        return any(node.op_type in LISTS or self.wants(scope, index) for index, node in enumerate(scope.nodes))

    def wants(self, scope: Scope, index: int) -> bool:
        """Whether a node is to be looked at."""
        return not self.only_refused or self.refusals.of(scope, index) is not None

    def _wanted(self, nodes: list[tuple[Scope, int]]) -> Iterator[tuple[Scope, int]]:
        return (node for node in nodes if self.wants(*node))

    @cached_property
    def _by_operator(self) -> dict[Operator, list[tuple[Scope, int]]]:
        found: dict[Operator, list[tuple[Scope, int]]] = {}
        for scope in self.scopes:
            for operator, indexes in by_operator(scope).items():
                found.setdefault(operator, []).extend((scope, index) for index in indexes)
        return found


def _hides(scope: Scope, index: int) -> bool:
    """Whether a result of a node has no known rank."""
    return any(scope.type_of(name).rank is None for name in scope.nodes[index].output if name)
