"""Smaller models out of one: some of its nodes, the others cut away or bridged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import onnx

from onnxfix.isolate.extract import ends
from onnxfix.model import Model
from onnxfix.model.edit import rename_uses
from onnxfix.model.messages import copied
from onnxfix.model.part import needed_inputs, part, value_info
from onnxfix.model.scope import Scope, scopes_of
from onnxfix.opset.inline import called, functions_of, reached


def kept(scope: Scope, nodes: Iterable[int]) -> onnx.ModelProto | None:
    """A model of these nodes, and of the nodes before them whose values have no known type.

    What goes in becomes an input; what no node of the model reads is an output.  None when there is no output of a
    known type.
    """
    chosen = _closed(scope, set(nodes))
    inputs = needed_inputs(scope, chosen)
    if any(value_info(scope, name) is None for name in inputs):
        return None
    read = {name for index in chosen for name in scope.nodes[index].input}
    wanted = ends(scope, chosen)
    leaves = [name for name in wanted if name not in read] or wanted
    outputs = [name for name in leaves if value_info(scope, name) is not None]
    return _called_only(part(scope, chosen, inputs, outputs)) if outputs else None


def bridged(scope: Scope, nodes: Iterable[int]) -> onnx.ModelProto | None:
    """As `kept`, but a node that goes hands an input of the same type on to its readers, where it has one."""
    chosen = set(nodes)
    bridges: dict[str, str] = {}
    for index, node in enumerate(scope.nodes):
        if index not in chosen and len([name for name in node.output if name]) == 1:
            source = _alike(scope, node)
            if source:
                bridges[node.output[0]] = bridges.get(source, source)
    order = sorted(chosen)
    graph = onnx.GraphProto(name=scope.proto.name)
    graph.node.extend(copied(scope.nodes[index]) for index in order)
    for node in graph.node:
        rename_uses(node, bridges)
    return kept(_seen_as(scope, graph, order), range(len(order)))


def _seen_as(scope: Scope, graph: onnx.GraphProto, order: Sequence[int]) -> Scope:
    """The nodes in `graph` as a scope inside the given one, which has the types and all other values."""
    made = {name for index in order for name in scope.nodes[index].output}
    types = {name: scope.inferred[name] for name in made if name in scope.inferred}
    return replace(scope, id=(*scope.id, "part"), proto=graph, parent=scope, inferred=types, inner={})


def _alike(scope: Scope, node: onnx.NodeProto) -> str:
    """An input that is computed and has the type of the only output, "" without one."""
    output = next(name for name in node.output if name)
    kind = scope.type_of(output)
    if kind.kind != "tensor" or not kind.dtype or kind.dims is None:
        return ""
    for name in node.input:
        if name and scope.type_of(name) == kind and scope.constant(name) is None and None not in kind.dims:
            return name
    return ""


def _closed(scope: Scope, chosen: set[int]) -> list[int]:
    """The nodes and those that make inputs of unknown type for them."""
    pending = list(chosen)
    while pending:
        for name in needed_inputs(scope, [pending.pop()]):
            maker = scope.producer.get(name, (-1, 0))[0]
            if maker >= 0 and maker not in chosen and value_info(scope, name) is None:
                chosen.add(maker)
                pending.append(maker)
    return sorted(chosen)


def _called_only(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model, which is changed, without functions that no node calls any more."""
    functions = functions_of(proto)
    if functions:
        nodes = (node for scope in scopes_of(Model(proto)) if scope.id[:1] != ("f",) for node in scope.nodes)
        used = reached({called(node) for node in nodes}, functions)
        kept_ones = [copied(function) for key, function in functions.items() if key in used]
        del proto.functions[:]
        proto.functions.extend(kept_ones)
    return proto


def lifted(body: Scope) -> onnx.ModelProto | None:
    """The graph inside a node as the main graph; what it takes from outside, and from the node, becomes an input."""
    outputs = list(dict.fromkeys(name for name in body.outputs if name in body.producer))
    inputs = needed_inputs(body, range(len(body.nodes)), outputs)
    known = all(value_info(body, name) is not None for name in (*inputs, *outputs))
    return _called_only(part(body, range(len(body.nodes)), inputs, outputs)) if known and outputs else None


def without_inside(model: onnx.ModelProto, scope: Scope, body: Scope, nodes: Iterable[int]) -> onnx.ModelProto | None:
    """The model whose graph inside a node has these nodes only; what the others made are inputs of the main graph.

    `model` is that of `scope`, the main graph.  None when a type is not known.
    """
    chosen = set(nodes)
    gone = [name for index, node in enumerate(body.nodes) if index not in chosen for name in node.output if name]
    read = {name for index in chosen for name in body.nodes[index].input} | set(body.outputs)
    wanted = [name for name in gone if name in read or any(name in _inside(body.nodes[i]) for i in chosen)]
    infos = [value_info(body, name) for name in wanted]
    if any(info is None for info in infos) or any(scope.defines(name) for name in wanted):
        return None
    proto = copied(model)
    graph = _graph_at(proto, body)
    del graph.node[:]
    graph.node.extend(body.nodes[index] for index in sorted(chosen))
    proto.graph.input.extend(info for info in infos if info is not None)
    return proto


def _inside(node: onnx.NodeProto) -> set[str]:
    return {name for a in node.attribute for g in (a.g, *a.graphs) for inner in g.node for name in inner.input}


def _graph_at(proto: onnx.ModelProto, body: Scope) -> onnx.GraphProto:
    for scope in scopes_of(body.model.with_proto(proto)):
        if scope.id == body.id and isinstance(scope.proto, onnx.GraphProto):
            return scope.proto
    raise AssertionError("the copy has the same graphs")
