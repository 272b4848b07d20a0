"""MaxRoiPool: the maxima of the bins of regions, by masks over the map."""

from __future__ import annotations

import math

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op
from onnxfix.decompose.sizes import counted, part, size

INT64 = onnx.TensorProto.INT64
MOST_NUMBERS = 1 << 28
"""Regions times the numbers of one map; more (1 GiB of float) need the user's word."""


def max_roi_pool(op: Op) -> None:
    """MaxRoiPool: corners are rounded to whole elements, each bin spans floor to ceil, and an empty one gives 0.

    A bin is where its rows and its columns meet, so the maximum is taken over the rows first, bin by bin, and then
    over the columns.  Every row of bins reads the maps of all regions, R · C · H · W numbers.
    """
    op.require(op.opset >= 9, "Where needs opset 9")
    bins = [int(number) for number in op.attribute("pooled_shape")]
    _limit(op)
    regions = op.make("Transpose", op.input(1), perm=[1, 0])
    batch, left, top, right, bottom = forms.split(op, regions, 0, [1] * 5)
    batch = forms.reshape(op, forms.cast(op, batch, INT64), [-1])
    value = op.make("Gather", op.input(0), batch, axis=0)
    filled = []
    for axis, first, last in ((2, top, bottom), (3, left, right)):
        parts, full = [], []
        for start, end in _bins(op, axis, bins[axis - 2], first, last):
            parts.append(forms.reduce(op, "ReduceMax", _only(op, value, axis, start, end), [axis]))
            full.append(forms.unsqueeze(op, op.make("Less", start, end), [3]))
        value = op.make("Concat", *parts, axis=axis) if len(parts) > 1 else parts[0]
        filled.append(op.make("Concat", *full, axis=axis) if len(full) > 1 else full[0])
    op.finish(op.make("Where", op.make("And", *filled), value, op.like(0, 0)))


def _limit(op: Op) -> None:
    dims = (op.dims(1)[0], *op.dims(0)[1:])
    known = [dim for dim in dims if isinstance(dim, int)]
    if len(known) == len(dims) and math.prod(known) > MOST_NUMBERS:
        op.unsafe = f"{known[0]} regions copy {math.prod(known)} numbers of the map"


def _bins(op: Op, axis: int, count: int, first: str, last: str) -> list[tuple[str, str]]:
    """[R, 1, 1]: where each bin starts along an axis, and one past where it ends, inside the map."""
    scale, one = op.like(0, op.attribute("spatial_scale", 1.0)), op.like(0, 1)
    start, end = (_rounded(op, op.make("Mul", corner, scale)) for corner in (first, last))
    length = op.make("Max", op.make("Add", op.make("Sub", end, start), one), one)
    step = op.make("Div", length, op.like(0, count))
    limit = forms.cast(op, size(op, 0, axis), op.dtype(0))
    found = []
    for number in range(count):
        edges = (
            op.make("Floor", op.make("Mul", step, op.like(0, number))),
            op.make("Ceil", op.make("Mul", step, op.like(0, number + 1))),
        )
        inside = [_inside(op, op.make("Add", edge, start), limit) for edge in edges]
        found.append((inside[0], inside[1]))
    return found


def _inside(op: Op, edge: str, limit: str) -> str:
    clipped = op.make("Min", op.make("Max", edge, op.like(0, 0)), limit)
    return forms.reshape(op, clipped, [-1, 1, 1])


def _rounded(op: Op, value: str) -> str:
    """To the nearest whole number, halves away from zero."""
    size_of = op.make("Floor", op.make("Add", op.make("Abs", value), op.like(0, 0.5)))
    return op.make("Mul", op.make("Sign", value), size_of)


def _only(op: Op, value: str, axis: int, start: str, end: str) -> str:
    """The value [R, C, height, width] with minus infinity outside the bin."""
    numbers = forms.cast(op, counted(op, part(op, 0, axis)), op.dtype(0))
    outside = op.make("Or", op.make("Less", numbers, start), op.make("Not", op.make("Less", numbers, end)))
    outside = forms.unsqueeze(op, outside, [3] if axis == 2 else [1])
    return op.make("Where", outside, op.like(0, -np.inf), value)
