"""Where the elements of a resized axis come from, and with which weights (ONNX Resize, ONNX Runtime)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from onnxfix.decompose.op import Op
from onnxfix.decompose.resize_axes import Axis
from onnxfix.decompose.terms import Term, counting, known


@dataclass(frozen=True)
class Mode:
    """What the attributes ask for."""

    kind: str
    coordinates: str
    nearest: str
    cubic: float
    exclude_outside: bool
    antialias: bool


def places(op: Op, axis: Axis, mode: Mode) -> Term:
    """Where in the input each place of the result lies (`coordinate_transformation_mode`), as float32."""
    at = counting(op, axis.after)
    place = _formula(op, at, axis, mode.coordinates)
    if mode.coordinates in ("tf_crop_and_resize", "tf_half_pixel_for_nn") and axis.scale.known is None:
        return (abs(axis.scale - 1.0) > 0.0).where(place, at)  # ONNX Runtime leaves an axis of scale 1 alone
    return place


def _formula(op: Op, at: Term, axis: Axis, coordinates: str) -> Term:
    scale, before, after = axis.scale, axis.before, axis.after
    match coordinates:
        case "asymmetric":
            return at / scale
        case "half_pixel":
            return (at + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            return (after < 1.5).where(at * 0.0, (at + 0.5) / scale - 0.5)
        case "tf_half_pixel_for_nn":
            return (at + 0.5) / scale
        case "align_corners":
            return (after < 1.5).where(at * 0.0, at * (before - 1.0) / (after - 1.0).at_least(1.0))
        case "half_pixel_symmetric":
            offset = before / 2.0 * (1.0 - after / (scale * before))
            if at.known is None or scale.known is None or offset.known is None:
                return offset + (at + 0.5) / scale - 0.5
            middles = at.known.astype(np.float64) + 0.5  # ONNX Runtime computes this one in double
            return known(op, offset.known + middles / scale.known.astype(np.float64) - 0.5)
        case "tf_crop_and_resize":
            start, end = axis.start, axis.end
            last = before - 1.0
            many = start * last + at * (end - start) * last / (after - 1.0).at_least(1.0)
            return (after < 1.5).where(0.5 * (start + end) * last + at * 0.0, many)
    op.require(False, f"coordinate_transformation_mode {coordinates!r} is not known")
    return at


def filter_at(op: Op, axis: Axis, place: Term, mode: Mode) -> tuple[Term, Term, int]:
    """[places, taps]: the elements under the filter at each place, and their weights; and the number of taps."""
    radius = 1.0 if mode.kind == "linear" else 2.0
    width = (known(op, 1.0) / axis.scale).at_least(1.0) if mode.antialias else known(op, 1.0)
    taps = 2 * math.ceil(_widest(op, axis, width) * radius) + 1 if mode.antialias else 2 * int(radius)
    plain = mode.kind == "linear" and not mode.antialias
    if plain:
        place = place.at_least(0.0).at_most(axis.before - 1.0)
    first = (place - width * radius + 1.0).floor()
    source = first.shaped(-1, 1) + known(op, np.arange(taps)).shaped(1, -1)
    weights = _weights((source - place.shaped(-1, 1)) / width, mode)
    if plain:  # at the end both taps are the last element: ONNX Runtime gives each a half, so that infinity stays
        weights = (first > axis.before - 1.5).shaped(-1, 1).where(0.5, weights)
    if mode.exclude_outside:
        weights = ((source < 0.0) | (source > axis.before - 1.0)).where(0.0, weights)
    if mode.antialias or mode.exclude_outside:
        weights = weights / _not_zero(weights.total(1))
    return source.at_least(0.0).at_most(axis.before - 1.0), weights, taps


def _widest(op: Op, axis: Axis, width: Term) -> float:
    """The width of the antialias filter, or what it cannot exceed: sizes are the floor of scaled sizes."""
    if (number := width.number()) is not None:
        return number
    before, after = axis.before.number(), axis.after.number()
    op.require(bool(before and after), "the width of the antialias filter depends on a scale that is not known")
    return max(1.0, float(before or 1) / float(after or 1))


def _weights(distance: Term, mode: Mode) -> Term:
    """The filter: a triangle, or Keys' cubic with the coefficient a."""
    x = abs(distance)
    if mode.kind == "linear":
        return (1.0 - x).at_least(0.0)
    a = mode.cubic
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return (x < 1.0).where(near, (x < 2.0).where(far, 0.0))


def _not_zero(total: Term) -> Term:
    return (abs(total) > 0.0).where(total, 1.0)
