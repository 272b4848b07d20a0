"""A model without its weights, for the ONNX checker and shape inference, which want no file and no gigabytes."""

from __future__ import annotations

import onnx

from onnxfix.model.edit import rename_uses
from onnxfix.model.file import external_tensors
from onnxfix.model.messages import copied
from onnxfix.model.model import Model
from onnxfix.model.names import Names
from onnxfix.model.scope import scopes_of, subgraphs
from onnxfix.model.types import STANDARD

_SPARSE_SINCE = 11

_LARGE = 1 << 20
"""A Constant of more bytes than this tells no shape by its values."""


def light_proto(model: Model) -> onnx.ModelProto:
    """A copy in which every EXTERNAL initializer or Constant is a graph input of its type and shape.

    The checker and shape inference say the same of it as of the whole model, except for values that they would
    read from a large initializer.  Nodes keep their indexes.  A large Constant in a function is a sparse one without
    elements; EXTERNAL tensors elsewhere (small ones there, and in attributes of other operators) get their bytes.
    """
    light = copied(model.proto)
    if any(True for _ in external_tensors(light)):
        names = Names(scopes_of(model))
        _hoist_initializers(light.graph, light.graph, None)
        _hoist_nested(light.graph, light.graph, names)
        for function in light.functions:
            _empty_constants(model, function)
        for tensor in list(external_tensors(light)):
            tensor.raw_data = model.tensor_bytes(tensor)
            tensor.ClearField("data_location")
            tensor.ClearField("external_data")
    return light


def _hoist_initializers(graph: onnx.GraphProto, main: onnx.GraphProto, names: Names | None) -> None:
    """Make the initializers inputs of the main graph; with `names` under new names, for a graph inside another."""
    own = {value.name for value in graph.input}
    rename: dict[str, str] = {}
    kept = []
    for tensor in graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            kept.append(tensor)
        elif tensor.name not in own:
            rename[tensor.name] = names.fresh(tensor.name) if names else tensor.name
            _add_input(main, rename[tensor.name], tensor)
            own.add(tensor.name)
    if len(kept) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)
    if names:
        for node in graph.node:
            rename_uses(node, rename)
        for output in graph.output:
            output.name = rename.get(output.name, output.name)


def _hoist_nested(graph: onnx.GraphProto, main: onnx.GraphProto, names: Names) -> None:
    """Constants here, and everything in the graphs inside."""
    for node in graph.node:
        stored = _external_constant(node)
        if stored is not None:
            name = names.fresh(node.output[0])
            _add_input(main, name, stored)
            node.CopyFrom(onnx.helper.make_node("Identity", [name], node.output, node.name))
        for _, _, inner in subgraphs(node):
            _hoist_initializers(inner, main, names)
            _hoist_nested(inner, main, names)


def _empty_constants(model: Model, function: onnx.FunctionProto) -> None:
    """Let large Constants of a function have no values; `sparse_value` came with opset 11."""
    if max((o.version for o in function.opset_import if o.domain in STANDARD), default=0) < _SPARSE_SINCE:
        return
    for node in function.node:
        stored = _external_constant(node)
        if stored is not None and stored.dims and model.extent(stored).length > _LARGE:
            none = onnx.TensorProto(name="none", data_type=stored.data_type, dims=[0])
            places = onnx.TensorProto(data_type=onnx.TensorProto.INT64, dims=[0])
            empty = onnx.SparseTensorProto(values=none, indices=places, dims=stored.dims)
            node.CopyFrom(onnx.helper.make_node("Constant", [], node.output, node.name, sparse_value=empty))


def _add_input(main: onnx.GraphProto, name: str, tensor: onnx.TensorProto) -> None:
    main.input.append(onnx.helper.make_tensor_value_info(name, tensor.data_type, tensor.dims))


def _external_constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    if node.op_type == "Constant" and not node.domain and len(node.attribute) == 1 and len(node.output) == 1:
        tensor = node.attribute[0].t
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            return tensor
    return None
