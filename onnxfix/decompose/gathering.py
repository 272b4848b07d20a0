"""GatherElements, GatherND, ScatterND and Scatter for opsets without them: by Gather from a table of rows.

The reach of Gather is every opset; it copies elements of any type, so that NaN, infinities and texts stay.
"""

from __future__ import annotations

import math

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op
from onnxfix.decompose.places import from_front, product, weighed
from onnxfix.decompose.sizes import counted, joined, part

_T = onnx.TensorProto
_LARGE = 1 << 26
"""Elements of a table of all pairs that may be made without asking: 512 MiB of int64."""


def gather_elements(op: Op) -> None:
    """GatherElements as Gather from the flat data, at places that are counted up from the coordinates."""
    rank = len(op.dims(0))
    op.require(rank > 0 and 0 not in op.dims(0), "its data may be empty, or is a scalar")
    flat = op.make("Reshape", op.input(0), op.ints(-1))
    op.finish(op.make("Gather", flat, _flat_places(op, op.attribute("axis") % rank), axis=0))


def _flat_places(op: Op, axis: int) -> str:
    """int64, shaped as input 1: where in the flat input 0 each index along `axis` points."""
    rank = len(op.dims(0))
    strides: list[str | int] = [1]
    for other in range(rank - 1, 0, -1):
        strides.insert(0, product(op, strides[0], part(op, 0, other)))
    places = weighed(op, from_front(op, 1, part(op, 0, axis)), strides[axis])
    known = np.zeros([1] * rank, dtype=np.int64)
    for other in (number for number in range(rank) if number != axis):
        count, stride = part(op, 1, other), strides[other]
        shape = [-1 if number == other else 1 for number in range(rank)]
        if isinstance(count, int) and isinstance(stride, int):
            known = known + (np.arange(count, dtype=np.int64) * stride).reshape(shape)
        else:
            places = op.make("Add", places, weighed(op, forms.reshape(op, counted(op, count), shape), stride))
    return op.make("Add", places, op.const(known)) if rank > 1 else places


def gather_nd(op: Op) -> None:
    """GatherND as Gather of rows: an index of k numbers is one number in the data with k axes made one."""
    behind = op.attribute("batch_dims", 0) or 0
    width = op.dims(1)[-1]
    op.require(isinstance(width, int) and width > 0, "the length of an index is not known")
    axes = behind + int(width or 0)
    rows = _rows(op, axes, behind)
    op.finish(op.make("Gather", _table(op, axes), rows, axis=0))


def _table(op: Op, axes: int) -> str:
    """Input 0 with its first `axes` made one."""
    if axes == 1:
        return op.input(0)
    rest = [part(op, 0, axis) for axis in range(axes, len(op.dims(0)))]
    op.require(0 not in rest, "its data is empty")
    return op.make("Reshape", op.input(0), joined(op, [-1, *rest]))


def _rows(op: Op, axes: int, behind: int) -> str:
    """int64: the row that each index (the last axis of input 1) means, behind so many batch axes."""
    sizes: list[str | int] = [part(op, 0, axis) for axis in range(axes)]
    strides: list[str | int] = [1]
    for size in reversed(sizes[1:]):
        strides.insert(0, product(op, strides[0], size))
    weights = joined(op, strides[behind:])
    weighted = op.make("Mul", from_front(op, 1, joined(op, sizes[behind:])), weights)
    rank = len(op.dims(1)) - 1
    rows = forms.reduce(op, "ReduceSum", weighted, [rank], keepdims=False)
    for axis in range(behind):
        shape = [-1 if number == axis else 1 for number in range(rank)]
        along = forms.reshape(op, counted(op, sizes[axis]), shape)
        rows = op.make("Add", rows, weighed(op, along, strides[axis]))
    return rows


def scatter_nd(op: Op) -> None:
    """ScatterND without a reduction as ScatterElements of whole rows."""
    op.require(op.attribute("reduction", "none") == "none", "its reduction is not written in older operators")
    width, dims = op.dims(1)[-1], op.shape(0)
    op.require(isinstance(width, int) and width > 0, "the length of an index is not known")
    axes = int(width or 0)
    op.require(0 not in dims, "its data is empty")
    across = math.prod(dims[axes:])
    rows = forms.reshape(op, _rows(op, axes, 0), [-1, 1])
    updates = forms.reshape(op, op.input(2), [-1, across])
    if across > 1:  # one index for each element of a row
        rows = op.make("Add", rows, op.const(np.zeros((1, across), dtype=np.int64)))
    table = forms.reshape(op, op.input(0), [-1, across])
    op.finish(forms.reshape(op, op.make("ScatterElements", table, rows, updates, axis=0), dims))


def scatter_by_choice(op: Op) -> None:
    """Scatter as a choice for each place: its own element, or the last update that points there.

    Every place is compared with every index: places x indices numbers.
    """
    data, indices = op.shape(0), op.shape(1)
    count, updates = math.prod(data), math.prod(indices)
    op.require(bool(data) and 0 not in (count, updates), "its data or its indices are empty")
    if count * updates > _LARGE:
        op.unsafe = f"comparing the indices takes {count} x {updates} numbers"
    flat = forms.reshape(op, _flat_places(op, op.attribute("axis", 0) % len(data)), [1, -1])
    order = np.arange(1, updates + 1, dtype=np.int64).reshape(1, -1)
    hits = forms.cast(op, op.make("Equal", op.const(np.arange(count, dtype=np.int64).reshape(-1, 1)), flat), _T.INT64)
    last = forms.reduce(op, "ReduceMax", op.make("Mul", hits, op.const(order)), [1], keepdims=False)
    hit = forms.cast(op, forms.cast(op, last, _T.BOOL), _T.INT64)
    own = np.arange(count, dtype=np.int64)
    away = op.make("Add", op.const(count - 1 - own), last)  # from the own element to that update, behind all data
    chosen = op.make("Add", op.const(own), op.make("Mul", hit, away))
    both = op.make("Concat", *(forms.reshape(op, op.input(place), [-1]) for place in (0, 2)), axis=0)
    op.finish(forms.reshape(op, op.make("Gather", both, chosen, axis=0), data))
