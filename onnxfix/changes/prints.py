"""Fingerprints of nodes: what they compute, who needs them, and what is around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from onnxfix.changes.graph import Graph, Source

Prints = dict[int, int]
"""For each node a key; nodes of two graphs with equal keys are alike in the respect the keys are about."""

Shade = Callable[[Source], int]
"""What a print sees of a constant: its content (`content`), or only type and shape (`outline`)."""


def content(source: Source) -> int:
    """A constant by its values."""
    return source.key


def outline(source: Source) -> int:
    """A constant by element type and shape."""
    return source.shape


def forward(graph: Graph, shade: Shade, inner: Mapping[int, int]) -> Prints:
    """What a node computes, from the graph's inputs on; `inner` are keys of the subgraphs of nodes."""
    prints: Prints = {}
    for index in graph.order:
        reads = tuple(
            shade(source) if source.slot is None else (prints.get(source.slot[0], -1), source.slot[1])
            for source in graph.sources[index]
        )
        prints[index] = graph.keys.of("forward", graph.labels[index], inner.get(index, 0), reads)
    return prints


def backward(graph: Graph, shade: Shade, inner: Mapping[int, int]) -> Prints:
    """What becomes of a node's outputs, down to the graph's own."""
    results: dict[int, list[tuple[int, int]]] = {}
    for number, _, source in graph.results:
        if source.slot is not None:
            results.setdefault(source.slot[0], []).append((source.slot[1], number))
    prints: Prints = {}
    for index in reversed(graph.order):
        outputs = range(len(graph.scope.nodes[index].output))
        uses = sorted(
            (slot, place, prints.get(reader, -1))
            for slot in outputs
            for reader, place in graph.readers.get((index, slot), ())
        )
        own = tuple(shade(source) for source in graph.sources[index] if source.kind == "constant")
        ends = tuple(results.get(index, ()))
        prints[index] = graph.keys.of("backward", graph.labels[index], inner.get(index, 0), own, tuple(uses), ends)
    return prints


def own(graph: Graph, shade: Shade, inner: Mapping[int, int]) -> Prints:
    """The node with its constants, without its surroundings."""
    return {
        index: graph.keys.of(
            "own",
            graph.labels[index],
            inner.get(index, 0),
            tuple(shade(source) if source.slot is None else -1 for source in graph.sources[index]),
        )
        for index in graph.order
    }


class Rings:
    """What lies around nodes, a ring of neighbours wider at each step; worked out for the nodes that are asked about.

    The print at radius 0 is `own`.
    """

    def __init__(self, graph: Graph, own: Prints, radius: int) -> None:
        self._graph = graph
        self._known = [own, *({} for _ in range(radius))]

    def at(self, radius: int, index: int) -> int:
        """The print of a node that takes in its producers and readers up to `radius` steps away."""
        known = self._known[radius]
        if index not in known:
            graph, below = self._graph, self._below(radius - 1, index)
            sources = graph.sources[index]
            above = tuple(s.key if s.slot is None else self.at(radius - 1, s.slot[0]) for s in sources)
            known[index] = graph.keys.of("wider", self.at(radius - 1, index), above, below)
        return known[index]

    def around(self, index: int) -> int:
        """What stands around a node of some operator, the node's own attributes and constants left out."""
        graph = self._graph
        above = tuple(-1 if s.slot is None else self.at(1, s.slot[0]) for s in graph.sources[index])
        return graph.keys.of("around", graph.operators[index], above, self._below(1, index))

    def _below(self, radius: int, index: int) -> tuple[tuple[int, int, int], ...]:
        readers, outputs = self._graph.readers, range(len(self._graph.scope.nodes[index].output))
        found = ((slot, *reader) for slot in outputs for reader in readers.get((index, slot), ()))
        return tuple(sorted((slot, place, self.at(radius, reader)) for slot, reader, place in found))
