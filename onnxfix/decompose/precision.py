"""Computing 16-bit floats in float, where the operator's own arithmetic or its coordinates need it."""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op

FLOAT, FLOAT16, BFLOAT16 = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16


def wide(op: Op, position: int = 0) -> int:
    """The type that an input's numbers are computed in: float for 16-bit floats, else their own."""
    dtype = op.dtype(position)
    return FLOAT if dtype in (FLOAT16, BFLOAT16) else dtype


def scalar(op: Op, value: float) -> str:
    """A scalar constant of the type that the first input is computed in."""
    return op.const(np.array(value), wide(op))


def widened(op: Op, position: int = 0) -> str:
    """An input in that type."""
    value = op.input(position)
    return value if wide(op, position) == op.dtype(position) else forms.cast(op, value, wide(op, position))


def narrowed(op: Op, value: str) -> str:
    """A result in the first input's own type again."""
    return value if wide(op) == op.dtype(0) else forms.cast(op, value, op.dtype(0))
