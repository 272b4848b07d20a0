"""Graphs inside nodes: their keys before the nodes are matched, and their own comparison afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnxfix.diff.contents import Keys
from onnxfix.diff.graph import Graph, Source
from onnxfix.diff.matching import Pairs
from onnxfix.diff.prints import content, forward
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
                made = forward(body, content, inner_keys(body, scopes))
                results = tuple(s.key if s.slot is None else (made[s.slot[0]], s.slot[1]) for s in body.results)
                keys.append((name, number, results, len(body.order)))
            found[index] = graph.keys.of("inner", *keys)
    return found


def bodies(one: Graph, two: Graph, pairs: Pairs, scopes: tuple[Scopes, Scopes]) -> Iterator[tuple[Graph, Graph]]:
    """The subgraphs of matched nodes, in pairs; captured values that correspond are one and the same to them."""
    for a, b in pairs.left.items():
        olds = {(name, number) for name, number, _ in subgraphs(one.scope.nodes[a])}
        for name, number, _ in subgraphs(two.scope.nodes[b]):
            if (name, number) in olds:
                known = {s: _exactly(one, s, {}) for s in captured(one.scope.nodes[a])}
                other = {s: _exactly(two, s, pairs.right) for s in captured(two.scope.nodes[b])}
                yield (
                    body_graph(one, scopes[0], a, name, number, known),
                    body_graph(two, scopes[1], b, name, number, other),
                )


def body_graph(graph: Graph, scopes: Scopes, index: int, name: str, number: int, outer: Mapping[str, Source]) -> Graph:
    """The graph of a scope inside a node; its inputs are known by their place."""
    scope = scopes[(*graph.scope.id, index, name, number)]
    return Graph(scope, graph.keys, places(scope), outer)


def places(scope: Scope) -> dict[str, int]:
    """The inputs of a scope by their place."""
    return {name: place for place, name in enumerate(scope.inputs)}


def _roughly(graph: Graph, name: str) -> Source:
    source = graph.source(name)
    if source.slot is None:
        return Source("outer", None, source.key, source.shape)
    key = graph.keys.of("captured", graph.labels[source.slot[0]], source.slot[1])
    return Source("outer", None, key, key)


def _exactly(graph: Graph, name: str, partner: Mapping[int, int]) -> Source:
    """A captured value as the first model knows it; a node without a partner is a value of its own."""
    source = graph.source(name)
    if source.slot is None:
        return Source("outer", None, source.key, source.shape)
    index, slot = source.slot
    key = _made(graph.keys, partner.get(index, index) if partner else index, slot, bool(partner), index in partner)
    return Source("outer", None, key, key)


def _made(keys: Keys, index: int, slot: int, second: bool, matched: bool) -> int:
    return keys.of("captured from", index, slot, "new" if second and not matched else "")
