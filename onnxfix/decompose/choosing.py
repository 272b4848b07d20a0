"""Where, Trilu, OneHot, EyeLike and ReverseSequence for opsets without them: choices by Gather."""

from __future__ import annotations

import math

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op, Unconcerned
from onnxfix.decompose.places import from_front, int64
from onnxfix.decompose.sizes import counted, part

_T = onnx.TensorProto
_EXACT = 1 << 24
"""Whole numbers up to here are exact in float."""


def where(op: Op) -> None:
    """Where as Gather from both values in a row: no number is computed, so that NaN, infinities and texts stay."""
    shapes = [op.shape(place) for place in range(3)]
    result = np.broadcast_shapes(*shapes)
    op.require(0 not in result, "its result is empty")
    counts = [math.prod(shape) for shape in shapes]
    ones, others = (
        np.arange(counts[place], dtype=np.int64).reshape(shapes[place]) + start
        for place, start in ((1, 0), (2, counts[1]))
    )
    ones, others = np.broadcast_arrays(ones, others)
    yes = forms.cast(op, op.input(0), _T.INT64)
    places = op.make("Add", op.make("Mul", yes, op.const(ones - others)), op.const(others))
    both = op.make("Concat", *(op.make("Reshape", op.input(place), op.ints(-1)) for place in (1, 2)), axis=0)
    op.finish(op.make("Gather", both, places, axis=0))


def trilu(op: Op) -> None:
    """Trilu as Where with a mask: the distance of a column from its row is compared with k."""
    dims, upper = op.dims(0), bool(op.attribute("upper", 1))
    op.require(len(dims) > 1, "its input is no matrix")
    rows, columns, shift = dims[-2], dims[-1], _shift(op)
    zero = op.const(np.zeros((), dtype=np.int8), op.dtype(0))
    if isinstance(rows, int) and isinstance(columns, int) and isinstance(shift, int):
        mask = np.tri(rows, columns, shift - 1, dtype=bool) if upper else ~np.tri(rows, columns, shift, dtype=bool)
        op.finish(op.make("Where", op.const(mask), zero, op.input(0)))
        return
    down = forms.reshape(op, counted(op, part(op, 0, len(dims) - 2)), [-1, 1])
    distance = op.make("Sub", counted(op, part(op, 0, len(dims) - 1)), down)
    k = op.const(np.int64(shift)) if isinstance(shift, int) else shift
    mask_name = op.make("Less" if upper else "Greater", distance, k)
    op.finish(op.make("Where", mask_name, zero, op.input(0)))


def _shift(op: Op) -> str | int:
    if not op.has(1):
        return 0
    known = op.constant(1)
    return forms.reshape(op, op.input(1), [1]) if known is None else int(known.reshape(-1)[0])


def one_hot(op: Op) -> None:
    """OneHot as Gather from the two values, where an index equals its place.

    Below opset 11 an index outside the depth, a negative one too, selects nothing; since then it counts from the end.
    """
    rank = len(op.dims(0))
    axis = op.attribute("axis") % (rank + 1)
    depth = _depth(op)
    indices = from_front(op, 0, depth) if op.opset >= 11 else int64(op, 0)
    shape = [-1 if number == axis else 1 for number in range(rank + 1)]
    places = forms.reshape(op, counted(op, depth), shape)
    hot = op.make("Equal", forms.unsqueeze(op, indices, [axis]), places)
    op.finish(op.make("Gather", op.input(2), forms.cast(op, hot, _T.INT64), axis=0))


def _depth(op: Op) -> str | int:
    known = op.constant(1)
    return forms.reshape(op, int64(op, 1), [1]) if known is None else int(known.reshape(-1)[0])


def eye(op: Op) -> None:
    """EyeLike of a known shape: a constant."""
    rows, columns = op.shape(0)
    dtype = op.attribute("dtype") or op.dtype(0)
    op.finish(op.make("Identity", op.const(np.eye(rows, columns, op.attribute("k", 0)), dtype)))


def reverse_sequence(op: Op) -> None:
    """ReverseSequence as Gather of rows, each row a step of one sequence."""
    dims = op.shape(0)
    time, batch = op.attribute("time_axis", 0), op.attribute("batch_axis", 1)
    op.require(0 not in dims and max(dims[:2]) <= _EXACT, "its data is empty or too long")
    steps, count = dims[time], dims[batch]
    along, across = ([-1, 1], [1, -1]) if time == 0 else ([1, -1], [-1, 1])
    step = np.arange(steps, dtype=np.int64).reshape(along)
    lengths = forms.reshape(op, op.input(1), across)
    inside = op.make("Less", op.const(step.astype(np.float32)), forms.cast(op, lengths, _T.FLOAT))
    mirrored = op.make("Add", lengths, op.const(-1 - 2 * step))  # less the step itself
    moved = op.make("Mul", forms.cast(op, inside, _T.INT64), mirrored)
    strides = (count, 1) if time == 0 else (1, steps)
    base = step * strides[0] + np.arange(count, dtype=np.int64).reshape(across) * strides[1]
    rows = op.make("Add", op.make("Mul", moved, op.const(np.int64(strides[0]))), op.const(base))
    table = forms.reshape(op, op.input(0), [-1, *dims[2:]])
    op.finish(op.make("Gather", table, rows, axis=0))


def last_argument(op: Op) -> None:
    """ArgMax and ArgMin that select the last of equals: the first of them from the other end."""
    if not op.attribute("select_last_index", 0):
        raise Unconcerned("the first of equals is selected")
    axis = op.attribute("axis", 0) % max(len(op.dims(0)), 1)
    count = op.dims(0)[axis]
    if not isinstance(count, int):
        raise NoRewrite(f"the size of axis {axis} is not fixed")
    mirrored = op.make("Gather", op.input(0), op.const(np.arange(count - 1, -1, -1, dtype=np.int64)), axis=axis)
    found = op.make(op.node.op_type, mirrored, axis=axis, keepdims=op.attribute("keepdims", 1))
    op.finish(op.make("Sub", op.const(np.int64(count - 1)), found))
