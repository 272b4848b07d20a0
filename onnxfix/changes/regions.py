"""Pieces of the graph that went, came, or were replaced: unmatched nodes that hang together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnxfix.changes.graph import Graph, Slot
from onnxfix.changes.pairs import Pairs

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
    ends = [
        [(place, node) for place, (node, _) in exits(graph, nodes, pairs, side)]
        for side, graph, nodes in ((0, one, gone), (1, two, come))
    ]
    _join(groups, dict(ends[0]), ends[1])
    ended = groups.heads([(side, index) for side in (0, 1) for _, index in ends[side]])
    entries = [list(_entries(graph, nodes, pairs, side)) for side, graph, nodes in ((0, one, gone), (1, two, come))]
    endless = [[item for item in found if groups.head((s, item[1])) not in ended] for s, found in enumerate(entries)]
    _join(groups, dict(endless[0]), endless[1])
    return [_region(members) for members in groups.members()]


def _join(groups: _Groups, here: Mapping[object, int], there: Iterable[tuple[object, int]]) -> None:
    for place, node in there:
        if place in here:
            groups.join((0, here[place]), (1, node))


def _region(members: Iterable[Node]) -> Region:
    nodes = sorted(members)
    return Region(
        tuple(index for side, index in nodes if side == 0), tuple(index for side, index in nodes if side == 1)
    )


def exits(graph: Graph, nodes: Sequence[int], pairs: Pairs, side: int) -> Iterator[tuple[tuple[object, int], Slot]]:
    """What nodes of graph `side` (0 or 1) make for others: who reads it, as the second graph knows it, and the slot.

    A reader is (index of a matched node, input) or ("output", number of an output).
    """
    matched = pairs.left if side == 0 else pairs.right
    for index in nodes:
        for slot in range(len(graph.scope.nodes[index].output)):
            for reader, place in graph.readers.get((index, slot), ()):
                if reader in matched:
                    yield (matched[reader] if side == 0 else reader, place), (index, slot)
    for _, number, made in sorted(entry for index in nodes for entry in graph.made_results.get(index, ())):
        yield ("output", number), made


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

    def join(self, a: Node, b: Node) -> None:
        """Put the sets of two nodes together; a node that is in none is left alone."""
        if a not in self._head or b not in self._head:
            return
        first, second = self.head(a), self.head(b)
        if first != second:
            self._head[second] = first

    def heads(self, nodes: Iterable[Node]) -> set[Node]:
        """What stands for the sets of these nodes."""
        return {self.head(node) for node in nodes}

    def members(self) -> list[list[Node]]:
        """The sets, by their first node."""
        found: dict[Node, list[Node]] = {}
        for node in self._head:
            found.setdefault(self.head(node), []).append(node)
        return sorted(found.values())

    def head(self, node: Node) -> Node:
        """The node that stands for a node's set."""
        while self._head[node] != node:
            self._head[node] = self._head[self._head[node]]
            node = self._head[node]
        return node
