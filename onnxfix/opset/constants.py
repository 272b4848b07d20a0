"""Constant nodes that an opset does not allow, as initializers."""

from __future__ import annotations

import onnx

from onnxfix.model.attributes import constant_tensor
from onnxfix.model.edit import Edit
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope

FLOATING = frozenset({onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE})
"""The types that a Constant holds before opset 9 (ONNX operator changelog, Constant-1)."""


def stored_constant(scope: Scope, index: int) -> Edit | None:
    """The Edit that makes a Constant an initializer; None for other nodes, for functions and for outputs."""
    node = scope.nodes[index]
    tensor = constant_tensor(node) if node.op_type == "Constant" else None
    if tensor is None or scope.is_function or node.output[0] in scope.output_set:
        return None
    copy = copied(tensor)
    copy.name = node.output[0]
    return Edit(scope.id, remove=(index,), initializers=(copy,))
