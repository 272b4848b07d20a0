"""Types after a step of a conversion: a step keeps what every value holds, so only the values it adds are inferred."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import onnx

from onnxfix.model.edit import Edit
from onnxfix.model.inference import inferred_types, typed_scopes
from onnxfix.model.messages import copied
from onnxfix.model.model import Model
from onnxfix.model.order import misplaced, sorted_nodes
from onnxfix.model.scope import Scope, scopes_of, subgraphs

_TELLING = 4096
"""A constant of at most so many elements may tell a shape, and is given to the inference."""


def retyped(before: Scope, edits: Sequence[Edit], after: Model) -> list[Scope]:
    """The scopes of `after`, which the edits of one step made of the main graph `before`, with their types.

    The whole model is inferred anew when it holds subgraphs, and when the inference of the new nodes alone leaves
    something open: then what stands around them may tell more.
    """
    nodes = [node for edit in edits for node in edit.insert]
    if before.inner or any(True for node in nodes for _ in subgraphs(node)):
        return typed_scopes(after)[0]
    part = _part(before, edits, nodes, after.proto)
    found = inferred_types(after.with_proto(part)).get((), {}) if nodes else {}
    known = dict(before.inferred)
    for name in (name for node in nodes for name in node.output if name):
        if not _told(before.type_proto(name)):
            if name not in found or not _told(found[name].type):
                return typed_scopes(after)[0]
            known[name] = found[name]
    return scopes_of(after, {(): known})


def _part(
    before: Scope, edits: Sequence[Edit], nodes: Sequence[onnx.NodeProto], whole: onnx.ModelProto
) -> onnx.ModelProto:
    """A model of nothing but the new nodes."""
    if misplaced(nodes):
        order, stuck = sorted_nodes(nodes)
        nodes = [nodes[index] for index in (*order, *sorted(stuck))]
    stored = {tensor.name: tensor for edit in edits for tensor in edit.initializers}
    made = {name for node in nodes for name in node.output} | {""}
    read = dict.fromkeys(name for node in nodes for name in node.input if name not in made)
    tensors = {name: stored.get(name) or before.constant(name) for name in read}
    graph = onnx.GraphProto(name="part", node=nodes, initializer=_telling(tensors))
    given = {tensor.name for tensor in graph.initializer}
    for name in read:
        kind = before.type_proto(name)
        if kind is not None and name not in given:
            graph.input.add(name=name).type.CopyFrom(kind)
    return onnx.ModelProto(ir_version=whole.ir_version, opset_import=whole.opset_import, graph=graph)


def _telling(tensors: dict[str, onnx.TensorProto | None]) -> Iterator[onnx.TensorProto]:
    for name, tensor in tensors.items():
        inline = tensor is not None and tensor.data_location != onnx.TensorProto.EXTERNAL
        if tensor is not None and inline and math.prod(tensor.dims) <= _TELLING:
            copy = copied(tensor)
            copy.name = name
            yield copy


def _told(kind: onnx.TypeProto | None) -> bool:
    """Whether a type is told to the last dimension."""
    if kind is None or not kind.HasField("tensor_type"):
        return False
    tensor = kind.tensor_type
    told = all(dim.HasField("dim_value") or dim.dim_param for dim in tensor.shape.dim)
    return bool(tensor.elem_type) and tensor.HasField("shape") and told
