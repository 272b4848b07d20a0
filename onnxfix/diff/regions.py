"""Pieces of the graph that went, came, or were replaced: unmatched nodes that hang together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from onnxfix.diff.graph import Graph
from onnxfix.diff.matching import Pairs

Node = tuple[int, int]
"""(0 for the first graph or 1 for the second, index)."""


@dataclass(frozen=True)
class Region:
    """Nodes of the first graph that went, and nodes of the second that came in their place."""

    old: tuple[int, ...]
    new: tuple[int, ...]


def regions(one: Graph, two: Graph, pairs: Pairs) -> list[Region]:
    """The unmatched nodes, grouped: neighbours belong together, and so do old and new ones in the same place.

    The same place is a value that both are read for by matched nodes, or, for what nobody matched reads, a value
    that both read.
    """
    gone = [index for index in one.order if index not in pairs.left]
    come = [index for index in two.order if index not in pairs.right]
    groups = _Groups([*((0, index) for index in gone), *((1, index) for index in come)])
    for side, graph in enumerate((one, two)):
        for index in gone if side == 0 else come:
            for source in graph.sources[index]:
                if source.slot is not None:
                    groups.join((side, index), (side, source.slot[0]))
    for edges in (_exits, _entries):
        places = [edges(graph, nodes, pairs, side) for side, graph, nodes in ((0, one, gone), (1, two, come))]
        here = dict(places[0])
        for place, node in places[1]:
            if place in here and (edges is _exits or groups.lonely((0, here[place]), (1, node))):
                groups.join((0, here[place]), (1, node))
    return [_region(members) for members in groups.members()]


def _region(members: Iterable[Node]) -> Region:
    nodes = sorted(members)
    return Region(
        tuple(index for side, index in nodes if side == 0), tuple(index for side, index in nodes if side == 1)
    )


def _exits(graph: Graph, nodes: list[int], pairs: Pairs, side: int) -> Iterator[tuple[object, int]]:
    """(matched reader and place, or place of an output, the node that makes the value)."""
    matched = pairs.left if side == 0 else pairs.right
    for index in nodes:
        for slot in range(len(graph.scope.nodes[index].output)):
            for reader, place in graph.readers.get((index, slot), ()):
                if reader in matched:
                    yield (reader if side == 0 else matched[reader], place), index
    wanted = set(nodes)
    for place, source in enumerate(graph.results):
        if source.slot is not None and source.slot[0] in wanted:
            yield ("output", place), source.slot[0]


def _entries(graph: Graph, nodes: list[int], pairs: Pairs, side: int) -> Iterator[tuple[object, int]]:
    """(matched node and output, or key of a graph input, the node that reads the value)."""
    matched = pairs.left if side == 0 else pairs.right
    for index in nodes:
        for source in graph.sources[index]:
            if source.slot is None:
                if source.kind == "input":
                    yield ("input", source.key), index
            elif source.slot[0] in matched:
                maker = source.slot[0] if side == 0 else matched[source.slot[0]]
                yield (maker, source.slot[1]), index


class _Groups:
    """Sets of nodes that are joined pair by pair."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._head = {node: node for node in nodes}
        self._sides = {node: {node[0]} for node in self._head}

    def join(self, a: Node, b: Node) -> None:
        """Put the sets of two nodes together; a node that is in none is left alone."""
        if a not in self._head or b not in self._head:
            return
        first, second = self._find(a), self._find(b)
        if first != second:
            self._head[second] = first
            self._sides[first] |= self._sides[second]

    def lonely(self, a: Node, b: Node) -> bool:
        """Whether the sets of the two hold nodes of one side only, each of its own."""
        return len(self._sides[self._find(a)]) == len(self._sides[self._find(b)]) == 1

    def members(self) -> list[list[Node]]:
        """The sets, by their first node."""
        found: dict[Node, list[Node]] = {}
        for node in self._head:
            found.setdefault(self._find(node), []).append(node)
        return sorted(found.values())

    def _find(self, node: Node) -> Node:
        while self._head[node] != node:
            self._head[node] = self._head[self._head[node]]
            node = self._head[node]
        return node
