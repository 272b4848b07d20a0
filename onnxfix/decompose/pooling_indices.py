"""MaxPool that tells where its maxima were, MaxUnpool that puts them back, and MaxRoiPool."""

from __future__ import annotations

import math

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.decompose.pooling import FLOAT, SMALL_INTEGERS
from onnxfix.decompose.sizes import counted, joined, part, size
from onnxfix.decompose.windows import padded, taps, windows

INT64 = onnx.TensorProto.INT64


def max_pool_indices(op: Op) -> None:
    """MaxPool with Indices: of equal maxima the first in row-major order, as ONNX Runtime takes.

    The last axis goes first: for every row the first maximum, then the first row.  Padding has the index -1 and gives
    way to any element.  `storage_order` 1 counts the first spatial axis fastest; the planes are counted in both.
    """
    if not op.reads(1):
        raise Unconcerned("nobody reads the Indices")
    op.require(op.opset >= 9, "Where needs opset 9")
    small = op.dtype(0) in SMALL_INTEGERS
    dtype = FLOAT if small else op.dtype(0)
    value = forms.cast(op, op.input(0), FLOAT) if small else op.input(0)
    rank = len(op.dims(0))
    places = windows(op)
    value = padded(op, value, places, rank, -math.inf, dtype)
    index = _spatial_index(op, rank)
    room = any(place.begin or place.end or place.extra for place in places)
    op.require(op.opset >= 11 or not room, "Pad of integers needs opset 11")
    index = padded(op, index, places, rank, -1, INT64)
    for place in reversed(places):
        values, indices = taps(op, value, place), taps(op, index, place)
        value, index = values[0], indices[0]
        for other, there in zip(values[1:], indices[1:], strict=True):
            larger = op.make("Greater", other, value)
            if room:
                larger = op.make("Or", larger, op.make("Less", index, op.ints(0)))
            value, index = op.make("Where", larger, other, value), op.make("Where", larger, there, index)
    y = forms.cast(op, value, op.dtype(0)) if small else value
    op.finish(y, op.make("Add", index, _plane_offset(op, rank)))


def _spatial_index(op: Op, rank: int) -> str:
    """[1, 1, spatial axes] int64: the place of each element in its plane."""
    fastest_last = not op.attribute("storage_order", 0)
    axes = list(range(2, rank))
    dims = op.dims(0)[2:]
    if all(isinstance(dim, int) for dim in dims):
        shape = [dim for dim in dims if isinstance(dim, int)]
        known = np.arange(math.prod(shape), dtype=np.int64)
        plane = known.reshape(shape) if fastest_last else known.reshape(shape[::-1]).transpose()
        return op.const(plane[None, None])
    total, weight = "", ""
    for axis in reversed(axes) if fastest_last else axes:
        length = size(op, 0, axis)
        line = counted(op, length)
        line = forms.unsqueeze(op, line, [i for i in range(rank) if i != axis])
        term = op.make("Mul", line, weight) if weight else line
        total = op.make("Add", total, term) if total else term
        weight = op.make("Mul", weight, length) if weight else length
    return total


def _plane_offset(op: Op, rank: int) -> str:
    """[N, C, 1, …] int64: where each plane begins in the whole tensor."""
    plane = size(op, 0, 2)
    for axis in range(3, rank):
        plane = op.make("Mul", plane, size(op, 0, axis))
    batch, channels = part(op, 0, 0), part(op, 0, 1)
    if isinstance(batch, int) and isinstance(channels, int):
        numbers = counted(op, batch * channels)
    else:
        numbers = counted(op, op.make("Mul", size(op, 0, 0), size(op, 0, 1)))
    shape = joined(op, [batch, channels, *([1] * (rank - 2))])
    return op.make("Mul", op.make("Reshape", numbers, shape), plane)


def max_unpool(op: Op) -> None:
    """MaxUnpool: zeros, with each value at its index of the flattened output.

    Without `output_shape` a spatial axis has (in - 1) · stride + kernel - pads elements.  Where it is given and other
    than that, ONNX Runtime takes the indices as those of the given shape (as PyTorch does), and the standard's own
    test takes them as those of the smaller one.
    """
    op.require(op.opset >= 11, "ScatterElements needs opset 11")
    flat = forms.reshape(op, op.input(0), [-1])
    places = forms.reshape(op, op.input(1), [-1])
    known, sizes = op.constant(2), _unpooled(op)
    if op.has(2) and (known is None or known.tolist() != sizes):
        op.unsafe = "ONNX Runtime and the standard disagree on indices where output_shape is larger than needed"
    shape = op.input(2) if op.has(2) else joined(op, sizes)
    zero = onnx.numpy_helper.from_array(np.zeros(1, onnx.helper.tensor_dtype_to_np_dtype(op.dtype(0))))
    zeros = forms.reshape(op, op.make("ConstantOfShape", shape, value=zero), [-1])
    op.finish(op.make("Reshape", op.make("ScatterElements", zeros, places, flat, axis=0), shape))


def _unpooled(op: Op) -> list[str | int]:
    kernel = op.attribute("kernel_shape")
    count = len(kernel)
    strides = op.attribute("strides") or [1] * count
    pads = op.attribute("pads") or [0] * (2 * count)
    found = [part(op, 0, 0), part(op, 0, 1)]
    for i in range(count):
        more = kernel[i] - strides[i] - pads[i] - pads[i + count]
        length = part(op, 0, i + 2)
        if isinstance(length, int):
            found.append(length * strides[i] + more)
        else:
            found.append(op.make("Add", op.make("Mul", length, op.ints(strides[i])), op.ints(more)))
    return found
