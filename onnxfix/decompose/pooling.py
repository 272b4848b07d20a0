"""Poolings whose window TensorRT does not take: dilated, too large, of another norm, of small integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.decompose.precision import narrowed, wide, widened
from onnxfix.decompose.windows import Window, drops_the_last, explicit, padded, reduced, windows

FLOAT = onnx.TensorProto.FLOAT
SMALL_INTEGERS = (onnx.TensorProto.UINT8, onnx.TensorProto.INT8)
MOST_IN_A_WINDOW = 100_000
"""A pooling layer takes fewer elements than this in a window (TensorRT-RTX 1.7.1, measured; more along three axes)."""


def max_pool(op: Op) -> None:
    """MaxPool with dilations, with too large a window, of 8-bit integers, or with Indices that nobody reads.

    A maximum is taken axis by axis.  The padding is minus infinity.
    """
    if op.reads(1):
        raise Unconcerned("MaxPool with Indices has a body of its own")
    small = op.dtype(0) in SMALL_INTEGERS
    dtype = FLOAT if small else op.dtype(0)
    x = forms.cast(op, op.input(0), FLOAT) if small else op.input(0)
    if _dilated(op):
        places = windows(op)
        room = padded(op, x, places, len(op.dims(0)), -math.inf, dtype)
        y = reduced(op, room, places, lambda found: op.make("Max", *found))
    elif _too_large(op):
        y = _large(op, x, "MaxPool")
    elif small or len(op.node.output) > 1:
        kept = {name: value for name, value in op.attributes().items() if name != "storage_order"}
        y = op.make("MaxPool", x, **kept)
    else:
        raise Unconcerned("nothing is known to be wrong with this MaxPool")
    op.finish(forms.cast(op, y, op.dtype(0)) if small else y)


def average_pool(op: Op) -> None:
    """AveragePool with dilations or too large a window: an average of averages, axis by axis."""
    if _dilated(op):
        _averaged(op)
    elif _too_large(op):
        op.finish(_large(op, op.input(0), "AveragePool"))
    else:
        raise Unconcerned("nothing is known to be wrong with this AveragePool")


def _averaged(op: Op) -> None:
    """Averages over one axis after the other, each divided by the number of elements that count."""
    places = windows(op)
    room = padded(op, widened(op), places, len(op.dims(0)), 0.0, wide(op))
    for place in places:
        total = reduced(op, room, [place], lambda found: op.make("Sum", *found))
        room = op.make("Div", total, _count(op, place)) if place.kernel > 1 else total
    op.finish(narrowed(op, room))


def explicit_pool(op: Op) -> None:
    """A pooling with `ceil_mode` as one without: the room that its last windows need is padding at the end."""
    if not op.attribute("ceil_mode", 0) or op.reads(1):
        raise Unconcerned("nothing is rounded up, or the places are read")
    if op.node.op_type == "AveragePool" and op.attribute("count_include_pad", 0):
        _averaged(op)  # the padding counts and that room does not
        return
    places = windows(op)
    pads = [*(place.begin for place in places), *(place.end + place.extra for place in places)]
    replaced = ("auto_pad", "ceil_mode", "pads", "storage_order", "count_include_pad")
    kept = {name: value for name, value in op.attributes().items() if name not in replaced}
    op.finish(op.make(op.node.op_type, op.input(0), pads=pads, **kept))


def lp_pool(op: Op) -> None:
    """LpPool: the p-th root of the sum of the p-th powers of absolute values, for any p, with dilations or without."""
    p = op.attribute("p", 2)
    op.require(p > 0, f"p is {p}")
    places = windows(op)
    powers = _power(op, op.make("Abs", widened(op)), float(p))
    room = padded(op, powers, places, len(op.dims(0)), 0.0, wide(op))
    total = reduced(op, room, places, lambda found: op.make("Sum", *found))
    op.finish(narrowed(op, _power(op, total, 1.0 / p)))


def global_lp_pool(op: Op) -> None:
    """GlobalLpPool with an odd p: the absolute values matter, which TensorRT leaves out."""
    p = op.attribute("p", 2)
    op.require(p > 0, f"p is {p}")
    if p % 2 == 0:
        raise Unconcerned("an even power has no sign")
    axes = list(range(2, len(op.dims(0))))
    powers = _power(op, op.make("Abs", widened(op)), float(p))
    total = forms.reduce(op, "ReduceSum", powers, axes) if axes else powers
    op.finish(narrowed(op, _power(op, total, 1.0 / p)))


def rounded_pool(op: Op) -> None:
    """A pooling with `ceil_mode` whose last window starts behind the data and the first pads: that window is dropped.

    Rounding down does the same.  Where only some axes drop theirs, each axis gets a pooling of its own.
    """
    if not op.attribute("ceil_mode", 0) or op.attribute("auto_pad", "NOTSET") != "NOTSET" or op.reads(1):
        raise Unconcerned("nothing is rounded up")
    if _dilated(op):
        raise Unconcerned("dilated windows are written out with their number")
    bounds = explicit(op)
    drops = [drops_the_last(window) for window in bounds]
    unknown = any(drop is None and not isinstance(window.size, int) for drop, window in zip(drops, bounds, strict=True))
    op.require(not unknown, "whether ceil_mode drops the last window depends on a size that is not known")
    if True not in drops:
        raise Unconcerned("no window is dropped")
    kept = {name: value for name, value in op.attributes().items() if name not in ("ceil_mode", "storage_order")}
    if False in drops:
        op.finish(_axis_by_axis(op, op.input(0), op.node.op_type, [int(drop is False) for drop in drops]))
    else:
        op.finish(op.make(op.node.op_type, op.input(0), **kept))


def _dilated(op: Op) -> bool:
    return any(dilation != 1 for dilation in op.attribute("dilations") or ())


def _too_large(op: Op) -> bool:
    return bool(math.prod(op.attribute("kernel_shape")) >= MOST_IN_A_WINDOW)


def _large(op: Op, x: str, op_type: str) -> str:
    """A pooling whose window has too many elements: of the whole plane, or axis by axis."""
    if all(window.whole for window in windows(op)):
        return op.make(f"Global{op_type}", x)
    kernel = op.attribute("kernel_shape")
    op.require(max(kernel) < MOST_IN_A_WINDOW, "the window is too large along one axis")
    return _axis_by_axis(op, x, op_type, [int(op.attribute("ceil_mode", 0))] * len(kernel))


def _axis_by_axis(op: Op, x: str, op_type: str, ceil: Sequence[int]) -> str:
    """Poolings of one axis each.  The numbers of elements in a window multiply, so this holds for averages too."""
    kernel = list(op.attribute("kernel_shape"))
    count = len(kernel)
    strides, pads = op.attribute("strides") or [1] * count, op.attribute("pads") or [0] * (2 * count)
    shared = {name: value for name, value in op.attributes().items() if name in ("auto_pad", "count_include_pad", "p")}
    automatic = op.attribute("auto_pad", "NOTSET") != "NOTSET"
    for i in reversed(range(count)):
        own = None if automatic else _only(pads, i, count, 0) + _only(pads[count:], i, count, 0)
        one: dict[str, Any] = {
            "kernel_shape": _only(kernel, i, count, 1),
            "strides": _only(strides, i, count, 1),
            "pads": own,
        }
        x = op.make(op_type, x, **one, **shared, ceil_mode=ceil[i] or None)
    return x


def _only(values: Sequence[int], place: int, count: int, other: int) -> list[int]:
    return [values[i] if i == place else other for i in range(count)]


def _count(op: Op, place: Window) -> str:
    """How many elements each window along one axis averages, to divide by: a scalar, or one for each window.

    The pads that the node asks for count with `count_include_pad`; the room that `ceil_mode` adds never does.
    """
    included = bool(op.attribute("count_include_pad", 0))
    if not place.extra and (included or not (place.begin or place.end)):
        return op.const(np.array(place.kernel), wide(op))
    pads = float(included)
    if isinstance(place.size, int):
        ones = op.const(np.ones(place.size), wide(op))
    else:
        length = op.make("Gather", op.make("Shape", op.input(0)), op.ints(place.axis))
        ones = op.make("ConstantOfShape", length, value=onnx.numpy_helper.from_array(np.ones(1, dtype=np.float32)))
        ones = ones if wide(op) == FLOAT else forms.cast(op, ones, wide(op))
    line = replace(place, axis=0)
    room = padded(op, ones, [replace(line, extra=0)], 1, pads, wide(op))
    room = padded(op, room, [replace(line, begin=0, end=0)], 1, 0.0, wide(op))
    counts = reduced(op, room, [line], lambda found: op.make("Sum", *found))
    behind = len(op.dims(0)) - place.axis - 1
    return forms.unsqueeze(op, counts, list(range(1, behind + 1))) if behind else counts


def _power(op: Op, value: str, exponent: float) -> str:
    """A power of a value that is not negative."""
    if exponent == 1.0:
        return value
    if exponent == 0.5:
        return op.make("Sqrt", value)
    return op.make("Pow", value, op.const(np.array(exponent), wide(op)))
