"""Slice, Split, Pad and Flatten with parameters that an older opset wants to know before, or in another form."""

from __future__ import annotations

import math

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op, Unconcerned
from onnxfix.decompose.places import int64
from onnxfix.decompose.sizes import size

_T = onnx.TensorProto


def slice_by_gather(op: Op) -> None:
    """Slice as Gather along each axis: of constant places, or of places that are counted when it runs."""
    dims = op.dims(0)
    count = op.dims(1)[0]
    if not isinstance(count, int):
        raise NoRewrite("how many axes it cuts is not known")
    axes = [int(axis) for axis in op.values(3, "which axes it cuts")] if op.has(3) else list(range(count))
    steps = [int(step) for step in op.values(4, "its steps")] if op.has(4) else [1] * count
    value = op.input(0)
    for place, (axis, step) in enumerate(zip(axes, steps, strict=True)):
        value = op.make("Gather", value, _cut(op, place, axis % len(dims), step), axis=axis % len(dims))
    op.finish(value if value != op.input(0) else op.make("Identity", value))


def _cut(op: Op, place: int, axis: int, step: int) -> str:
    """[n] int64: the places along an axis that a slice takes."""
    dim, starts, ends = op.dims(0)[axis], op.constant(1), op.constant(2)
    if isinstance(dim, int) and starts is not None and ends is not None:
        return op.const(np.array(_taken(dim, int(starts[place]), int(ends[place]), step), dtype=np.int64))
    length = size(op, 0, axis)
    low, top = (op.ints(0), length) if step > 0 else (op.ints(-1), op.make("Sub", length, op.ints(1)))
    start, end = (_bound(op, position, place, length) for position in (1, 2))
    start = _between(op, start, op.ints(0), top)
    end = _between(op, end, low, top)
    distance = op.make("Sub", end, start)
    more = op.make("Add", distance, op.ints(step - 1 if step > 0 else step + 1))
    taken = _between(op, op.make("Div", more, op.ints(step)), op.ints(0), length)
    ones = op.make("ConstantOfShape", taken, value=onnx.numpy_helper.from_array(np.ones(1, dtype=np.int64)))
    number = op.make("Reshape", op.make("NonZero", ones), op.ints(-1))
    return op.make("Add", op.make("Mul", number, op.ints(step)), start)


def _taken(size: int, start: int, end: int, step: int) -> range:
    """The places of a slice; going down, a start before the front is the front (ONNX operator spec, Slice-10)."""
    start, end = (bound + size if bound < 0 else bound for bound in (start, end))
    low, top = (0, size) if step > 0 else (-1, size - 1)
    return range(min(max(start, 0), top), min(max(end, low), top), step)


def _bound(op: Op, position: int, place: int, length: str) -> str:
    """[1] int64: a start or an end, counted from the front."""
    bound = op.make("Gather", int64(op, position), op.ints(place), axis=0)
    return op.make("Where", op.make("Less", bound, op.ints(0)), op.make("Add", bound, length), bound)


def _between(op: Op, value: str, low: str, top: str) -> str:
    raised = op.make("Where", op.make("Less", value, low), low, value)
    return op.make("Where", op.make("Greater", raised, top), top, raised)


def split_by_slices(op: Op) -> None:
    """Split at places that are known only when it runs, as slices between sums of the sizes."""
    if not op.has(1) or op.constant(1) is not None:
        raise Unconcerned("its sizes are known")
    axis = op.attribute("axis", 0) % len(op.dims(0))
    start, parts = op.ints(0), []
    for place in range(len(op.node.output)):
        length = op.make("Gather", op.input(1), op.ints(place), axis=0)
        end = op.make("Add", start, length)
        parts.append(op.make("Slice", op.input(0), start, end, op.ints(axis)))
        start = end
    op.finish(*parts)


def whole_pads(op: Op) -> None:
    """Pad of some axes as Pad of all, with no pad for the others."""
    if not op.has(3):
        raise Unconcerned("it pads every axis")
    rank, known = len(op.dims(0)), op.constant(3)
    behind = op.make("Concat", op.input(1), op.ints(0), axis=0)
    if known is not None:
        axes = [int(axis) % rank for axis in known]
        places = [axes.index(axis) if axis in axes else 2 * len(axes) for axis in range(rank)]
        places += [axes.index(axis) + len(axes) if axis in axes else 2 * len(axes) for axis in range(rank)]
        pads = op.make("Gather", behind, op.ints(*places), axis=0)
    else:
        pads = _placed_pads(op, rank)
    kept = [op.input(0), pads, *([op.input(2)] if op.has(2) else [])]
    op.finish(op.make("Pad", *kept, mode=op.attribute("mode", "constant")))


def _placed_pads(op: Op, rank: int) -> str:
    """[2 * rank] int64: each pad at its axis, by comparing the axes with all that there are."""
    axes = forms.reshape(op, int64(op, 3), [1, 1, -1])
    every = np.arange(rank, dtype=np.int64).reshape(1, rank, 1)
    here = [op.make("Equal", axes, op.const(every - shift)) for shift in (0, rank)]
    chosen = forms.cast(op, op.make("Or", *here), _T.INT64)
    pads = forms.reshape(op, op.input(1), [2, 1, -1])
    return forms.reshape(op, forms.reduce(op, "ReduceSum", op.make("Mul", chosen, pads), [2], keepdims=False), [-1])


def flatten(op: Op) -> None:
    """Flatten as Reshape, which takes every type."""
    dims = op.dims(0)
    axis = op.attribute("axis", 1)
    axis += len(dims) if axis < 0 else 0
    if axis == 1 and dims:
        op.finish(forms.reshape(op, op.input(0), [0, -1]))
        return
    front, back = ([dim for dim in part if isinstance(dim, int)] for part in (dims[:axis], dims[axis:]))
    if len(back) == len(dims) - axis and 0 not in back:
        op.finish(forms.reshape(op, op.input(0), [-1, math.prod(back)]))
        return
    op.require(len(front) == axis and 0 not in front, "its sizes are not known")
    op.finish(forms.reshape(op, op.input(0), [math.prod(front), -1]))
