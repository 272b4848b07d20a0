"""Which values of a scope can change from one element type to another without a single Cast, and the Edits for it.

The schema ties values together: all slots of one type variable of a node have one type.  A tie can change when the
schema allows the new type and every value in it can change: one that a node of this scope makes and that only ties
which can change read, or a constant whose values fit.  Constants tie nothing together: one that something else reads
too gets a twin.  Inputs and outputs of the scope, and what subgraphs capture, keep their type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import onnx

from onnxfix.actions.dtype_slots import signatures
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope

RETYPED = {"Cast": "to", "ConstantOfShape": "value"}
"""Operators with an attribute that gives the type of their output, and that can change with it."""

UNTOUCHED = frozenset({"BitCast", "Bernoulli", "EyeLike", "RandomNormalLike", "RandomUniformLike"})
"""Operators whose result depends on the type of an input in a way that the schema's type variables do not tell."""


class Policy(Protocol):
    """From which type to which, and what may change."""

    source: int
    target: int

    def reads(self, node: onnx.NodeProto) -> bool:
        """Whether the operator may read or make the new type, apart from what the schema says."""

    def makes(self, index: int) -> bool:
        """Whether a node's results are (or become) right in the new type."""

    def fits(self, node: onnx.NodeProto, position: int, name: str) -> bool:
        """Whether a constant may be read in the new type at an input of a node."""

    def converted(self, array: Array) -> Array:
        """The values of a constant in the new type."""


@dataclass(frozen=True)
class Tie:
    """The values of the source type in one type variable of a node: made by nodes, and constants by position."""

    node: int
    values: frozenset[str]
    constants: frozenset[tuple[int, str]]
    can_change: bool


Component = list[Tie]
"""Ties that change together, because they share a node, a value or a constant."""


def components(scope: Scope, policy: Policy) -> list[Component]:
    """Everything that can change, in groups that are independent of each other, in the order of the nodes."""
    if policy.source not in scope.dtypes:
        return []
    places = _places(scope, policy.source)
    ties = [tie for index in places for tie in _ties(scope, policy, index)]
    made = {name for index in places for name in _made(scope, policy, index)}
    made -= scope.output_set.union(*scope.captures.values())
    return _connected([tie for tie in _consistent(ties, made) if tie.values or tie.constants])


def _places(scope: Scope, dtype: int) -> list[int]:
    """The nodes that read or make a value of a type; no tie of another node can change, nor keep one from it."""
    names = {name for name in (*scope.users, *scope.producer) if _is(scope, name, dtype)}
    found = {scope.producer[name][0] for name in names if name in scope.producer}
    return sorted(found.union(index for name in names for index, _ in scope.users.get(name, ())))


def _is(scope: Scope, name: str, dtype: int) -> bool:
    if scope.type_of(name).dtype == dtype:
        return True
    tensor = scope.constant(name)
    return tensor is not None and tensor.data_type == dtype


def _made(scope: Scope, policy: Policy, index: int) -> Iterator[str]:
    """The outputs of a node that may change as far as the node itself is concerned."""
    node = scope.nodes[index]
    if node.op_type != "Constant" and policy.reads(node):
        names = [name for name in scope.makes[index] if name and scope.type_of(name).dtype == policy.source]
        if names and policy.makes(index):
            yield from names


def _ties(scope: Scope, policy: Policy, index: int) -> Iterator[Tie]:
    node = scope.nodes[index]
    found = signatures(scope)[index] if policy.reads(node) and node.op_type not in UNTOUCHED else None
    if found is None or not found.tensors_only:
        yield Tie(index, frozenset((*scope.reads[index], *scope.makes[index])), frozenset(), can_change=False)
        return
    if node.op_type == "Constant":
        return
    for group in found.groups.values():
        given, made = group.read(scope.reads[index]), group.made(scope.makes[index])
        allowed = policy.target in group.allowed and _typed(node, given, made)
        yield _tie(scope, policy, index, given, made, allowed=allowed)


def _typed(node: onnx.NodeProto, given: list[tuple[int, str]], made: list[str]) -> bool:
    """Whether the type of the outputs comes from an input, or from an attribute that can be changed."""
    return bool(given) or not made or node.op_type in RETYPED


def _tie(
    scope: Scope, policy: Policy, index: int, given: list[tuple[int, str]], made: list[str], *, allowed: bool
) -> Tie:
    values, constants = set(made), set()
    for position, name in given:
        tensor = scope.constant(name)
        if tensor is None:
            values.add(name)
        elif (
            allowed
            and tensor.data_type == policy.source
            and scope.model.is_readable(tensor)
            and policy.fits(scope.nodes[index], position, name)
        ):
            constants.add((position, name))
        else:
            allowed = False
    return Tie(index, frozenset(values), frozenset(constants), can_change=allowed)


def _consistent(ties: list[Tie], made: set[str]) -> list[Tie]:
    """The ties that can change, once every tie that shares a value with one that cannot is left out."""
    readers: dict[str, list[int]] = {}
    for number, tie in enumerate(ties):
        for name in tie.values:
            readers.setdefault(name, []).append(number)
    stuck = [number for number, tie in enumerate(ties) if not (tie.can_change and tie.values <= made)]
    seen = set(stuck)
    while stuck:
        for name in ties[stuck.pop()].values:
            fresh = [number for number in readers.pop(name, ()) if number not in seen]
            seen.update(fresh)
            stuck += fresh
    return [tie for number, tie in enumerate(ties) if number not in seen]


def _connected(ties: list[Tie]) -> list[Component]:
    root = list(range(len(ties)))

    def find(number: int) -> int:
        while root[number] != number:
            root[number] = root[root[number]]
            number = root[number]
        return number

    first: dict[int | str, int] = {}
    for number, tie in enumerate(ties):
        keys: list[int | str] = [tie.node, *tie.values, *(name for _, name in tie.constants)]
        for key in keys:
            low, high = sorted((find(number), find(first.setdefault(key, number))))
            root[high] = low
    groups: dict[int, Component] = {}
    for number, tie in enumerate(ties):
        groups.setdefault(find(number), []).append(tie)
    return list(groups.values())


def nodes_of(component: Iterable[Tie]) -> list[int]:
    """The indexes of the nodes that change."""
    return sorted({tie.node for tie in component})


def constants_of(component: Iterable[Tie]) -> list[str]:
    """The constants that are read in the new type."""
    return sorted({name for tie in component for _, name in tie.constants})


def values_of(component: Iterable[Tie]) -> list[str]:
    """The values that nodes make in the new type."""
    return sorted({name for tie in component for name in tie.values})
