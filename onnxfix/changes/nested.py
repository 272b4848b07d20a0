"""Graphs inside nodes: their keys before the nodes are matched, and their own comparison afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnxfix.changes.graph import Graph, Source
from onnxfix.changes.pairs import Pairs
from onnxfix.changes.prints import content, forward
from onnxfix.model.scope import Scope, ScopeId, captured, subgraphs

Scopes = Mapping[ScopeId, Scope]


def inner_keys(graph: Graph, scopes: Scopes) -> dict[int, int]:
    """For each node with subgraphs a key of what they compute; a captured value counts by its producer's label."""
    found = {}
    for index in graph.order:
        node = graph.scope.nodes[index]
        bodies = list(subgraphs(node))
        if bodies:
            outer = {name: _roughly(graph, name) for name in captured(node)}
            keys = []
            for name, number, _ in bodies:
                body = body_graph(graph, scopes, index, name, number, outer)
                keys.append((name, number, computed(body, scopes)))
            found[index] = graph.keys.of("inner", *sorted(keys))
    return found


def computed(graph: Graph, scopes: Scopes) -> int:
    """A key of what the outputs of a scope are computed as."""
    made = forward(graph, content, inner_keys(graph, scopes))
    results = (s.key if s.slot is None else (made.get(s.slot[0], -1), s.slot[1]) for _, _, s in graph.results)
    return graph.keys.of("computed", tuple(results), len(graph.order))


def bodies(one: Graph, two: Graph, pairs: Pairs, scopes: tuple[Scopes, Scopes]) -> Iterator[tuple[Graph, Graph]]:
    """The subgraphs of matched nodes, in pairs; captured values that correspond are one and the same to them."""
    for a, b in sorted(pairs.left.items()):
        olds = {(name, number) for name, number, _ in subgraphs(one.scope.nodes[a])}
        for name, number, _ in subgraphs(two.scope.nodes[b]):
            if (name, number) in olds:
                known = {s: _exactly(one, s, None) for s in captured(one.scope.nodes[a])}
                other = {s: _exactly(two, s, pairs.right) for s in captured(two.scope.nodes[b])}
                yield (
                    body_graph(one, scopes[0], a, name, number, known),
                    body_graph(two, scopes[1], b, name, number, other),
                )


def body_graph(graph: Graph, scopes: Scopes, index: int, name: str, number: int, outer: Mapping[str, Source]) -> Graph:
    """The graph of a scope inside a node; its inputs are known by their place."""
    scope = scopes[(*graph.scope.id, index, name, number)]
    return Graph(scope, graph.keys, places(scope), outer, graph.calls)


def places(scope: Scope) -> dict[str, int]:
    """The inputs of a scope by their place."""
    return {name: place for place, name in enumerate(scope.inputs)}


def _roughly(graph: Graph, name: str) -> Source:
    source = graph.source(name)
    if source.slot is None:
        return _outer(source)
    key = graph.keys.of("captured", graph.labels[source.slot[0]], source.slot[1])
    return Source("outer", None, key, key)


def _exactly(graph: Graph, name: str, partner: Mapping[int, int] | None) -> Source:
    """A captured value as the first model knows it; a node of the second one without a `partner` is new."""
    source = graph.source(name)
    if source.slot is None:
        return _outer(source)
    index, slot = source.slot
    if partner is None or index in partner:
        key = graph.keys.of("captured from", index if partner is None else partner[index], slot)
    else:
        key = graph.keys.of("captured from a new node", index, slot)
    return Source("outer", None, key, key)


def _outer(source: Source) -> Source:
    """A constant stays one, wherever it is read."""
    return source if source.kind == "constant" else Source("outer", None, source.key, source.shape)
