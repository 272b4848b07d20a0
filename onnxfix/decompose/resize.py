"""Resize in every mode, written out as the ONNX operator and ONNX Runtime define it.

Each axis is resized by itself: `nearest` gathers one element for each place of the result, the other modes gather
the few elements under a filter, multiply them with the filter's weights and add them up.
"""

from __future__ import annotations

import math

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op
from onnxfix.decompose.resize_axes import Axis, resized_axes
from onnxfix.decompose.resize_filter import Mode, filter_at, places
from onnxfix.decompose.resize_plain import plain_resize
from onnxfix.decompose.terms import Term
from onnxfix.model.model import Array

_DIMENSIONS = 8
_LARGE = 1 << 27
"""Elements that are gathered at once: 512 MiB of float32."""

_WHOLE = {
    getattr(onnx.TensorProto, name)
    for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL")
}


def resize(op: Op) -> None:
    """Resize and Upsample as Gathers and weighted sums, or as a Resize that the target takes when one is equal."""
    if plain_resize(op):
        return
    mode = _mode(op)
    dtype = op.dtype(0)
    moves_only = mode.kind == "nearest"
    compute = dtype if moves_only or dtype == onnx.TensorProto.DOUBLE else onnx.TensorProto.FLOAT
    value = op.input(0) if compute == dtype else forms.cast(op, op.input(0), compute)
    outside: list[tuple[Axis, Term]] = []
    for axis in resized_axes(op):
        place = places(op, axis, mode)
        if mode.coordinates == "tf_crop_and_resize":
            outside.append((axis, (place < 0.0) | (place > axis.before - 1.0)))
        value = (
            _nearest(op, value, axis, place, mode) if moves_only else _filtered(op, value, axis, place, mode, compute)
        )
    for axis, term in outside:
        if term.known is not None and not term.known.any():
            continue
        where = term.shaped(*_along(op, axis.number)).name()
        filler = op.const(np.array(op.attribute("extrapolation_value", 0.0)), compute)
        value = op.make("Where", where, filler, value)
    op.finish(value if compute == dtype else forms.cast(op, value, dtype))


def _mode(op: Op) -> Mode:
    """The attributes; Upsample and Resize-10 know fewer of them and mean `asymmetric`."""
    kind = {"bilinear": "linear"}.get(op.attribute("mode", "nearest"), op.attribute("mode", "nearest"))
    op.require(kind in ("nearest", "linear", "cubic"), f"mode {kind!r} is not known")
    old = op.node.op_type == "Upsample" or op.opset < 11
    coordinates = "asymmetric" if old else op.attribute("coordinate_transformation_mode")
    return Mode(
        kind,
        coordinates,
        "simple" if old else op.attribute("nearest_mode"),
        op.attribute("cubic_coeff_a", -0.75),
        bool(op.attribute("exclude_outside", 0)) and kind == "cubic",
        bool(op.attribute("antialias", 0)),
    )


_HALF = 1e-5
"""So near to the middle counts as the middle: for 529 pairs of sizes that is what ONNX Runtime chooses."""


def _nearest(op: Op, value: str, axis: Axis, place: Term, mode: Mode) -> str:
    below = place.floor()
    part = place - below
    match mode.nearest:
        case "floor":
            chosen = below
        case "ceil":
            chosen = place.ceil()
        case "round_prefer_floor":
            chosen = below + (part > 0.5 + _HALF).as_float()
        case "round_prefer_ceil":
            chosen = below + 1.0 - (part < 0.5 - _HALF).as_float()
        case _:  # Resize-10: up when the axis shrinks
            chosen = (axis.scale < 1.0).where(place.ceil(), below)
    index = chosen.at_least(0.0).at_most(axis.before - 1.0)
    return op.make("Gather", value, index.as_index(), axis=axis.number)


def _filtered(op: Op, value: str, axis: Axis, place: Term, mode: Mode, dtype: int) -> str:
    """Each place is the sum of the elements under the filter times their weights."""
    index, weights, taps = filter_at(op, axis, place, mode)
    _mind_whole_numbers(op, weights, mode)
    if index.known is not None and weights.known is not None and _better_one_by_one(op, axis, taps):
        return _one_by_one(op, value, axis.number, index.known, weights.known, dtype)
    gathered = op.make("Gather", value, index.as_index(), axis=axis.number)
    behind = len(op.dims(0)) - axis.number - 1
    scaled = weights.shaped(-1, taps, *[1] * behind).name()
    if dtype != onnx.TensorProto.FLOAT:
        scaled = forms.cast(op, scaled, dtype)
    return forms.reduce(op, "ReduceSum", op.make("Mul", gathered, scaled), [axis.number + 1], keepdims=False)


def _better_one_by_one(op: Op, axis: Axis, taps: int) -> bool:
    """Whether all taps at once would need much memory, or a ninth dimension."""
    dims, after = op.dims(0), axis.after.number()
    if len(dims) >= _DIMENSIONS:
        return True
    if after is None or not all(isinstance(dim, int) for dim in dims):
        return False
    count = math.prod(dim for dim in dims if isinstance(dim, int)) // max(1, int(axis.before.number() or 1))
    return count * after * taps > _LARGE


def _one_by_one(op: Op, value: str, axis: int, index: Array, weights: Array, dtype: int) -> str:
    behind = len(op.dims(0)) - axis - 1
    total = ""
    for tap in range(weights.shape[1]):
        chosen = op.make("Gather", value, op.const(index[:, tap].astype(np.int64)), axis=axis)
        part = op.make("Mul", chosen, op.const(weights[:, tap].reshape(-1, *[1] * behind), dtype))
        total = op.make("Add", total, part) if total else part
    return total


def _mind_whole_numbers(op: Op, weights: Term, mode: Mode) -> None:
    """ONNX Runtime cuts the fraction of whole numbers off: the same here only when nothing is rounded before."""
    if op.dtype(0) not in _WHOLE:
        return
    op.require(mode.kind == "linear" and not mode.antialias, "whole numbers are rounded differently by each runtime")
    if weights.known is None or (weights.known * 16 % 1).any():
        op.unsafe = "whole numbers that the filter mixes may differ by 1"


def _along(op: Op, axis: int) -> list[int]:
    return [-1 if number == axis else 1 for number in range(len(op.dims(0)))]
