"""The graphs inside nodes (If, Loop, Scan), and what they read from outside."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

_ONE, _MANY = int(onnx.AttributeProto.GRAPH), int(onnx.AttributeProto.GRAPHS)


def subgraphs(node: onnx.NodeProto) -> Iterator[tuple[str, int, onnx.GraphProto]]:
    """The graphs inside a node as (attribute, index, graph)."""
    for attribute in node.attribute:
        kind = attribute.type
        if kind == _ONE:
            yield attribute.name, 0, attribute.g
        elif kind == _MANY:
            yield from ((attribute.name, index, graph) for index, graph in enumerate(attribute.graphs))


def nodes_in(body: onnx.GraphProto | onnx.FunctionProto) -> int:
    """How many nodes a graph has, those of the graphs inside them included."""
    return len(body.node) + sum(nodes_in(graph) for node in body.node for _, _, graph in subgraphs(node))


def captured(node: onnx.NodeProto) -> set[str]:
    """The values of enclosing scopes that the subgraphs of a node read."""
    names: set[str] = set()
    for _, _, graph in subgraphs(node):
        names |= free_values(graph)
    return names


def free_values(graph: onnx.GraphProto) -> set[str]:
    """The values that a graph reads but does not define."""
    defined = {v.name for v in graph.input} | {t.name for t in graph.initializer}
    defined.update(t.values.name for t in graph.sparse_initializer)
    read = {v.name for v in graph.output}
    for node in graph.node:
        read.update(node.input)
        read |= captured(node)
        defined.update(node.output)
    return read - defined - {""}
