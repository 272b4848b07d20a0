"""Graphs inside nodes: their keys before the nodes are matched, and their own comparison afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import onnx

from onnxfix.changes.graph import Graph, Source
from onnxfix.changes.pairs import Pairs
from onnxfix.changes.prints import content, forward
from onnxfix.model.once import once
from onnxfix.model.scope import Scope, ScopeId

Scopes = Mapping[ScopeId, Scope]

Body = tuple[str, int]
"""Which graph inside a node: the attribute, and the number in a list of graphs."""


def inner_keys(graph: Graph, scopes: Scopes) -> dict[int, int]:
    """For each node with subgraphs a key of what they compute; a captured value counts by its producer's label."""
    found = {}
    for index, bodies in _held(graph.scope, graph.order):
        outer = {name: _roughly(graph, name) for name in _captured(graph.scope, index, bodies)}
        keys = [(*body, _computed_inside(graph, scopes, index, body, outer)) for body in bodies]
        found[index] = graph.keys.of("inner", *sorted(keys))
    return found


def _computed_inside(graph: Graph, scopes: Scopes, index: int, body: Body, outer: Mapping[str, Source]) -> int:
    """The key of one graph inside a node, which is worked out once for the same values from outside."""
    scope = graph.scope.inner[index, *body]
    reads = tuple((name, outer[name].key) for name in sorted(_free(scope)))
    if (scope.id, reads) not in graph.known:
        graph.known[scope.id, reads] = computed(body_graph(graph, scopes, index, *body, outer), scopes)
    return graph.known[scope.id, reads]


def computed(graph: Graph, scopes: Scopes) -> int:
    """A key of what the outputs of a scope are computed as."""
    made = forward(graph, content, inner_keys(graph, scopes))
    results = (s.key if s.slot is None else (made.get(s.slot[0], -1), s.slot[1]) for _, _, s in graph.results)
    return graph.keys.of("computed", tuple(results), len(graph.order))


def bodies(one: Graph, two: Graph, pairs: Pairs, scopes: tuple[Scopes, Scopes]) -> Iterator[tuple[Graph, Graph]]:
    """The subgraphs of matched nodes, in pairs; captured values that correspond are one and the same to them."""
    others = dict(_held(two.scope, two.order))
    for a, olds in sorted(_held(one.scope, [a for a in one.order if a in pairs.left])):
        b = pairs.left[a]
        news = others.get(b, [])
        known = {name: _exactly(one, name, None) for name in _captured(one.scope, a, olds)}
        other = {name: _exactly(two, name, pairs.right) for name in _captured(two.scope, b, news)}
        for body in (body for body in news if body in olds):
            yield body_graph(one, scopes[0], a, *body, known), body_graph(two, scopes[1], b, *body, other)


def _held(scope: Scope, order: Iterable[int]) -> Iterator[tuple[int, list[Body]]]:
    """The nodes that hold graphs, in the given order, and which graphs these are."""
    held: dict[int, list[Body]] = {}
    for index, name, number in scope.inner:
        held.setdefault(index, []).append((name, number))
    yield from ((index, held[index]) for index in order if index in held)


def _captured(scope: Scope, index: int, bodies: Iterable[Body]) -> set[str]:
    """What graphs inside a node read from outside."""
    return {name for body in bodies for name in _free(scope.inner[index, *body])}


@once
def _free(scope: Scope) -> frozenset[str]:
    """The values that a scope, with the graphs inside it, reads and does not make."""
    read = {name for names in scope.reads for name in names} | {*scope.outputs}
    sparse = scope.proto.sparse_initializer if isinstance(scope.proto, onnx.GraphProto) else ()
    made = {*scope.inputs, *scope.initializers, *scope.producer, "", *(tensor.values.name for tensor in sparse)}
    return frozenset(read.union(*map(_free, scope.inner.values())) - made)


def body_graph(graph: Graph, scopes: Scopes, index: int, name: str, number: int, outer: Mapping[str, Source]) -> Graph:
    """The graph of a scope inside a node; its inputs are known by their place."""
    scope = scopes[(*graph.scope.id, index, name, number)]
    return Graph(scope, graph.keys, places(scope), outer, graph.calls, known=graph.known)


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
