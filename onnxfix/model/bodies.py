"""The graph inside a node (a branch, a loop's body) put in the place of the node, under names of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx

from onnxfix.model.messages import copied
from onnxfix.model.names import Names
from onnxfix.model.scope import subgraphs


@dataclass(frozen=True)
class Inlined:
    """The nodes and stored tensors of a graph, and what its outputs are called now: made by the nodes, or given."""

    nodes: tuple[onnx.NodeProto, ...]
    tensors: tuple[onnx.TensorProto, ...]
    outputs: tuple[str, ...]


def inlined(graph: onnx.GraphProto, given: Sequence[str], names: Names) -> Inlined:
    """A copy of the graph whose inputs are the given values; every value made inside gets a new name."""
    rename = {value.name: name for value, name in zip(graph.input, given, strict=True)}
    rename |= {name: names.fresh(name) for name in _defined(graph) if name not in rename}
    tensors = []
    for tensor in graph.initializer:
        copy = copied(tensor)
        copy.name = rename[tensor.name]
        tensors.append(copy)
    nodes = tuple(_renamed(node, rename, names) for node in graph.node)
    return Inlined(nodes, tuple(tensors), tuple(rename.get(value.name, value.name) for value in graph.output))


def own_graph(graph: onnx.GraphProto) -> bool:
    """Whether the graph holds nothing but nodes and stored tensors: sparse ones stay where they are."""
    return not graph.sparse_initializer and all(own_graph(g) for node in graph.node for _, _, g in subgraphs(node))


def _defined(graph: onnx.GraphProto) -> list[str]:
    made = [name for node in graph.node for name in node.output if name]
    return list(dict.fromkeys([*(tensor.name for tensor in graph.initializer), *made]))


def _renamed(node: onnx.NodeProto, rename: Mapping[str, str], names: Names) -> onnx.NodeProto:
    copy = copied(node)
    if node.name:
        copy.name = names.fresh(node.name)
    copy.input[:] = [rename.get(name, name) for name in node.input]
    copy.output[:] = [rename.get(name, name) for name in node.output]
    for _, _, graph in subgraphs(copy):
        _rename_graph(graph, rename, names)
    return copy


def _rename_graph(graph: onnx.GraphProto, outer: Mapping[str, str], names: Names) -> None:
    """New names for all that a graph inside defines, and the outer ones for what it reads."""
    own = [*(value.name for value in graph.input), *_defined(graph)]
    rename = {**outer, **{name: names.fresh(name) for name in own}}
    for values in (graph.input, graph.output, graph.value_info):
        for value in values:
            value.name = rename.get(value.name, value.name)
    for tensor in graph.initializer:
        tensor.name = rename[tensor.name]
    nodes = [_renamed(node, rename, names) for node in graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
