"""The coarsest type that a model computes in: its rounding reaches outputs of finer types too."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from onnxfix.model import Model
from onnxfix.model.inference import typed_scopes

_COARSE = {onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.BFLOAT16: "bfloat16"}
_KEEPERS = ("Constant", "Identity")
"""Operators that round nothing."""


def coarsest_rounding(model: Model) -> str:
    """ "bfloat16" or "float16" when a node of the model rounds to that type, else "".

    A model that only stores such numbers, and widens them before it computes, rounds nothing.
    """
    if not any(kind in _COARSE for kind in _mentioned(model.proto.graph)):
        return ""
    found = {
        scope.type_of(name).dtype
        for scope in typed_scopes(model)[0]
        for node in scope.nodes
        if node.op_type not in _KEEPERS
        for name in node.output
    }
    return next((name for kind, name in reversed(_COARSE.items()) if kind in found), "")


def _mentioned(graph: onnx.GraphProto) -> Iterator[int]:
    """The types of inputs and stored tensors, and those that Cast makes."""
    yield from (tensor.data_type for tensor in graph.initializer)
    yield from (value.type.tensor_type.elem_type for value in graph.input)
    for node in graph.node:
        yield from (attribute.i for attribute in node.attribute if attribute.name in ("to", "dtype"))
        yield from (attribute.t.data_type for attribute in node.attribute if attribute.name == "value")
