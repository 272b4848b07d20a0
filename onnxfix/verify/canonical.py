"""A model without its accidental names, for comparing what a rule made with what its author wrote."""

from __future__ import annotations

from typing import Any

import onnx


def canonical(model: onnx.ModelProto) -> Any:
    """Plain tuples that are equal for models that differ only in the names of inner values and nodes, in the order
    of initializers, and in declared types of inner values."""
    opsets = sorted((entry.domain, entry.version) for entry in model.opset_import)
    functions = sorted(
        (f.domain, f.name, tuple(f.input), tuple(f.output), _nodes(f, {n: n for n in (*f.input, *f.output)}, {}))
        for f in model.functions
    )
    return opsets, _graph(model.graph, {}), functions


def _graph(graph: onnx.GraphProto, outer: dict[str, str]) -> Any:
    interface = [(v.name, v.type.SerializeToString(deterministic=True)) for v in (*graph.input, *graph.output)]
    tensors = {t.name: _tensor(t) for t in graph.initializer}
    names = {**outer, **{value.name: value.name for value in (*graph.input, *graph.output)}}
    return interface, _nodes(graph, names, tensors)


def _nodes(
    body: onnx.GraphProto | onnx.FunctionProto, names: dict[str, str], tensors: dict[str, Any]
) -> list[tuple[Any, ...]]:
    result = []
    for node in body.node:
        inputs = [_value(name, names, tensors) for name in node.input]
        attributes = sorted((_attribute(attribute, names) for attribute in node.attribute), key=lambda item: item[0])
        for name in node.output:
            if name:
                names.setdefault(name, f"%{len(names)}")
        result.append((node.domain, node.op_type, inputs, attributes, [names.get(name, "") for name in node.output]))
    return result


def _value(name: str, names: dict[str, str], tensors: dict[str, Any]) -> Any:
    return tensors[name] if name in tensors else names.get(name, name)


def _attribute(attribute: onnx.AttributeProto, names: dict[str, str]) -> tuple[str, Any]:
    if attribute.type == onnx.AttributeProto.GRAPH:
        return attribute.name, _graph(attribute.g, names)
    if attribute.type == onnx.AttributeProto.TENSOR:
        return attribute.name, _tensor(attribute.t)
    copy = onnx.AttributeProto()
    copy.CopyFrom(attribute)
    copy.doc_string = ""
    return attribute.name, copy.SerializeToString(deterministic=True)


def _tensor(tensor: onnx.TensorProto) -> Any:
    values = onnx.numpy_helper.to_array(tensor)
    return (
        "tensor",
        tensor.data_type,
        tuple(tensor.dims),
        values.tobytes() if values.dtype != object else values.tolist(),
    )
