"""Whole numbers that are places in a tensor, computed by what opset 7 has: int64 arithmetic, comparisons of floats."""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op

_T = onnx.TensorProto


def int64(op: Op, position: int) -> str:
    """An input as int64."""
    return op.input(position) if op.dtype(position) == _T.INT64 else forms.cast(op, op.input(position), _T.INT64)


def negative(op: Op, value: str) -> str:
    """[...] int64: 1 where a whole number is below zero, else 0.  A float has the sign of what it is made of."""
    below = op.make("Less", forms.cast(op, value, _T.FLOAT), op.const(np.float32(0)))
    return forms.cast(op, below, _T.INT64)


def from_front(op: Op, position: int, size: str | int) -> str:
    """The int64 indices of an input, those below zero counted from the end; `size` may be a value that broadcasts."""
    known = op.constant(position)
    if known is not None and (isinstance(size, int) or known.min(initial=0) >= 0):
        whole = known.astype(np.int64)
        return op.const(np.where(whole < 0, whole + size, whole) if isinstance(size, int) else whole)
    places = int64(op, position)
    return op.make("Add", places, weighed(op, negative(op, places), size))


def weighed(op: Op, value: str, factor: str | int) -> str:
    """A value times a number."""
    if factor == 1:
        return value
    return op.make("Mul", value, op.const(np.int64(factor)) if isinstance(factor, int) else factor)


def product(op: Op, one: str | int, other: str | int) -> str | int:
    """The product of two sizes, a number when both are."""
    if isinstance(one, int) and isinstance(other, int):
        return one * other
    if isinstance(one, int):
        one, other = other, one
    return weighed(op, str(one), other)
