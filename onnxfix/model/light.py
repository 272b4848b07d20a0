"""A model without its weights, for the ONNX checker and shape inference, which want no file and no gigabytes."""

from __future__ import annotations

import onnx

from onnxfix.model.file import external_tensors
from onnxfix.model.model import Model


def light_proto(model: Model) -> onnx.ModelProto:
    """A copy in which every EXTERNAL initializer is a graph input of its type and shape.

    The checker and shape inference say the same of it as of the whole model, except for values that they would
    read from a large initializer.
    """
    light = onnx.ModelProto()
    light.CopyFrom(model.proto)
    if any(True for _ in external_tensors(light)):
        _hoist(light.graph, light.graph, {value.name for value in light.graph.input})
    return light


def _hoist(graph: onnx.GraphProto, main: onnx.GraphProto, taken: set[str]) -> None:
    kept = []
    for tensor in graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            kept.append(tensor)
        elif tensor.name not in taken:
            main.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
            taken.add(tensor.name)
    if len(kept) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)
    nodes = []
    for node in graph.node:
        stored = _external_constant(node)
        if stored is not None and node.output[0] not in taken:
            main.input.append(onnx.helper.make_tensor_value_info(node.output[0], stored.data_type, stored.dims))
            taken.add(node.output[0])
            continue
        nodes.append(node)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.type in _GRAPHS else ():
                _hoist(inner, main, taken)
    if len(nodes) < len(graph.node):
        del graph.node[:]
        graph.node.extend(nodes)


def _external_constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    if node.op_type == "Constant" and node.attribute:
        tensor = node.attribute[0].t
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            return tensor
    return None


_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
