"""AffineGrid: sampling positions as sums of products."""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op

_FLOAT = int(onnx.TensorProto.FLOAT)


def affine_grid(op: Op) -> None:
    """AffineGrid: theta[.., 0] * x + theta[.., 1] * y (+ theta[.., 2] * z) + theta[.., -1].

    x, y and z run along the last sizes of `size` ([N, C, H, W] or [N, C, D, H, W]), from -1 to 1 with align_corners,
    else over the middles of equal parts of that stretch.  Computed in float.
    """
    theta = op.dims(0)
    count = theta[1] if len(theta) == 3 else None
    if count not in (2, 3) or not isinstance(count, int):
        raise NoRewrite("theta is not known to be [N, 2, 3] or [N, 3, 4]")
    dtype = op.dtype(0)
    matrix = op.input(0) if dtype == _FLOAT else forms.cast(op, op.input(0), _FLOAT)
    *columns, total = (
        forms.reshape(op, column, [-1, *[1] * count, count]) for column in forms.split(op, matrix, 2, [1] * (count + 1))
    )
    for place, column in enumerate(columns):
        axis = count - place  # of the grid: x runs along the last but one
        shape = [1, *(-1 if other == axis else 1 for other in range(1, count + 1)), 1]
        along = forms.reshape(op, _coordinates(op, axis + 1), shape)
        total = op.make("Add", op.make("Mul", column, along), total)
    op.finish(total if dtype == _FLOAT else forms.cast(op, total, dtype))


def _coordinates(op: Op, index: int) -> str:
    """[n] float: the positions along the axis whose size n is size[index]."""
    known = op.constant(1)
    corners = bool(op.attribute("align_corners", 0))
    if known is not None:
        count = int(known[index])
        op.require(count > 1 or not corners, "with align_corners an axis of size 1 divides by zero")
        doubled = 2 * np.arange(count, dtype=np.float64)
        return op.const((doubled / (count - 1) if corners else (doubled + 1) / max(count, 1)) - 1, _FLOAT)
    scalar = op.make("Gather", op.input(1), op.const(np.array(index, dtype=np.int64)), axis=0)
    zero, one = (op.const(np.array(number, dtype=np.int64)) for number in (0, 1))
    steps = forms.cast(op, op.make("Range", zero, scalar, one), _FLOAT)
    length = forms.cast(op, op.make("Sub", scalar, one) if corners else scalar, _FLOAT)
    unit, two = (op.const(np.array(number, dtype=np.float32)) for number in (1, 2))
    twice = op.make("Mul", steps, two)
    ratio = op.make("Div", twice if corners else op.make("Add", twice, unit), length)
    return op.make("Sub", ratio, unit)
