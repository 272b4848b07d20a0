"""One scope of a model, or the same scope of two models laid over each other, as parts and edges to draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from onnxfix.changes.graph import is_constant
from onnxfix.changes.scopes import Comparison
from onnxfix.model.scope import Scope, captured

Status = Literal["same", "changed", "inserted", "removed"]
Place = tuple[str, int | str]
"""("node", index), ("input", name) or ("output", name) of a scope."""


@dataclass
class Part:
    """One box: where it is in the first and in the second model; a single model is a second one."""

    kind: str
    status: Status
    first: int | str | None = None
    second: int | str | None = None


@dataclass(frozen=True)
class Edge:
    """A value on its way between two parts, which are told by their number."""

    maker: int
    reader: int
    value: str
    side: int
    status: Status


@dataclass
class Picture:
    """What is drawn of a scope.  `numbers` has for each model the number of the part that a place became."""

    label: str
    scopes: tuple[Scope | None, Scope | None]
    parts: list[Part] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    numbers: tuple[dict[Place, int], dict[Place, int]] = field(default_factory=lambda: ({}, {}))

    def scope(self, side: int) -> Scope:
        """The scope of one of the two models, which must have it."""
        scope = self.scopes[side]
        assert scope is not None
        return scope

    def node_named(self, name: str) -> int | None:
        """The index of the node of the second model that has this name or makes this value."""
        return self._names.get(name) if name else None

    @cached_property
    def _names(self) -> dict[str, int]:
        nodes = self.scope(1).nodes
        values = {name: index for name, (index, _) in self.scope(1).producer.items()}
        return values | {node.name: index for index, node in reversed([*enumerate(nodes)]) if node.name}


def merged(comparison: Comparison) -> Picture:
    """Two scopes laid over each other by their matched nodes, inputs and outputs."""
    one, two = comparison.one.scope, comparison.two.scope
    picture = Picture(comparison.label, (one, two))
    _add(picture, 1, {}, "inserted")
    _add(picture, 0, _twins(comparison), "removed")
    _connect(picture)
    return picture


def alone(scope: Scope, side: int = 1, status: Status = "same") -> Picture:
    """A scope that only one model has, or the only model."""
    picture = Picture(scope.label, (scope, None) if side == 0 else (None, scope))
    _add(picture, side, {}, status)
    _connect(picture)
    return picture


def _twins(comparison: Comparison) -> dict[Place, Place]:
    """For each place of the first model that of the second."""
    found: dict[Place, Place] = {("node", a): ("node", b) for a, b in comparison.pairs.left.items()}
    numbered = {number: name for name, number in comparison.two.inputs.items()}
    for name, number in comparison.one.inputs.items():
        if number in numbered:
            found["input", name] = "input", numbered[number]
    ones, twos = comparison.one.scope.outputs, comparison.two.scope.outputs
    both = comparison.one.scope.output_set & comparison.two.scope.output_set
    gone, come = [name for name in ones if name not in both], [name for name in twos if name not in both]
    found |= {("output", name): ("output", name) for name in both}
    if len(gone) == len(come):
        found |= {("output", a): ("output", b) for a, b in zip(gone, come, strict=True)}
    return found


def _add(picture: Picture, side: int, twins: Mapping[Place, Place], status: Status) -> None:
    for kind, place in _places(picture.scope(side)):
        number = picture.numbers[1].get(twins.get((kind, place), ("", "")))
        if number is None:
            number = len(picture.parts)
            picture.parts.append(Part(kind, status))
        else:
            picture.parts[number].status = "same"
        part = picture.parts[number]
        part.first, part.second = (place, part.second) if side == 0 else (part.first, place)
        picture.numbers[side][kind, place] = number


def _places(scope: Scope) -> Iterator[Place]:
    yield from (("input", name) for name in scope.inputs if name not in scope.initializers)
    yield from (("node", index) for index, node in enumerate(scope.nodes) if not is_constant(node))
    yield from (("output", name) for name in dict.fromkeys(scope.outputs))


def _connect(picture: Picture) -> None:
    found = [_wires(picture, side) if picture.scopes[side] else {} for side in (0, 1)]
    single = None in picture.scopes
    for ends, name in found[1].items():
        status: Status = "same" if single or ends in found[0] else "inserted"
        picture.edges.append(Edge(*ends, name, 1, status))
    for ends, name in found[0].items():
        if ends not in found[1]:
            picture.edges.append(Edge(*ends, name, 0, "same" if single else "removed"))


def _wires(picture: Picture, side: int) -> dict[tuple[int, int], str]:
    """(maker, reader) and the first value between them."""
    scope, numbers = picture.scope(side), picture.numbers[side]
    makers: dict[str, int] = {str(place): number for (kind, place), number in numbers.items() if kind == "input"}
    for name, (index, _) in scope.producer.items():
        if ("node", index) in numbers:
            makers[name] = numbers["node", index]
    found: dict[tuple[int, int], str] = {}
    for (kind, place), number in numbers.items():
        for name in _reads(scope, kind, place):
            if name in makers:
                found.setdefault((makers[name], number), name)
    return found


def _reads(scope: Scope, kind: str, place: int | str) -> Iterator[str]:
    if kind == "output":
        yield str(place)
    elif kind == "node":
        node = scope.nodes[int(place)]
        yield from node.input
        yield from sorted(captured(node))


def title(picture: Picture, part: Part) -> str:
    """What stands on the box: the operator, or the name of an input or output."""
    side = 0 if part.second is None else 1
    place = part.first if part.second is None else part.second
    return picture.scope(side).nodes[int(place or 0)].op_type if part.kind == "node" else str(place)
