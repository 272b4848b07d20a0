"""How far the values of two tensors are apart, computed block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxfix.changes.blocks import Blocks, Values
from onnxfix.model.model import Array

BLOCK = 1 << 20
"""So many values are compared at a time."""

BINS = 16


def compared(old: Values, new: Values) -> dict[str, Any]:
    """Figures of the difference of two arrays of one size, complex numbers as two each.

    `changed` counts values that differ (two NaN do not), `share` is their part, `max`, `mean` the absolute and
    `relative` the largest relative difference of finite values, `not_finite` counts NaN and infinities that came, went
    or changed; `histogram` counts new - old in 16 bins over [-max, max].
    """
    changed, largest, total, relative, finite, strange = 0, 0.0, 0.0, 0.0, 0, 0
    for a, b, other in _blocks(old, new):
        changed += int(np.count_nonzero(other))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            gap = np.abs(b - a)
        sound = np.isfinite(a) & np.isfinite(b) & np.isfinite(gap)
        strange += int(np.count_nonzero(other & ~sound))
        gap, size = gap[sound], np.abs(a)[sound]
        if gap.size:
            largest, total, finite = max(largest, float(gap.max())), total + float(gap.sum()), finite + gap.size
            with np.errstate(over="ignore"):
                relative = max(relative, float((gap[size > 0] / size[size > 0]).max(initial=0.0)))
    figures: dict[str, Any] = {"changed": changed, "share": changed / max(old.size, 1)}
    figures |= {"max": largest, "mean": total / max(finite, 1), "relative": relative, "not_finite": strange}
    return {**figures, "histogram": _histogram(old, new, largest)}


def equal_in_order(old: Values, new: Values) -> bool:
    """Whether two tensors of one size hold the same values in the same order, whatever their shapes."""
    a, b = _flat(old), _flat(new)
    return all(equal(a[at : at + BLOCK], b[at : at + BLOCK]) for at in range(0, a.size, BLOCK))


def equal(old: Array, new: Array) -> bool:
    """Whether two arrays of one shape hold the same values, NaN where NaN is; large ones are compared in halves."""
    if old.size <= BLOCK:
        a, b = _wide(old), _wide(new)
        if not np.array_equal(a, b, equal_nan=True):
            return False  # float64 tells most numbers apart; large integers are compared as they are
        return old.dtype != new.dtype or old.dtype.kind not in "iu" or bool(np.array_equal(old, new))
    axis = int(np.argmax(old.shape))
    halves = zip(np.array_split(old, 2, axis), np.array_split(new, 2, axis), strict=True)
    return all(equal(a, b) for a, b in halves)


def rounded(old: Values, new: Values) -> bool:
    """Whether the new values are the old ones converted to the new element type."""
    a, b = (values if isinstance(values, Blocks) else values.reshape(-1) for values in (old, new))
    for start in range(0, a.size, BLOCK):
        with np.errstate(invalid="ignore", over="ignore"):
            cast = a[start : start + BLOCK].astype(new.dtype)
        if not equal(cast, b[start : start + BLOCK]):
            return False
    return True


def _blocks(old: Values, new: Values) -> Iterator[tuple[Array, Array, Array]]:
    """(old, new) as float64, and where they differ in their own type."""
    ones, twos = _flat(old), _flat(new)
    for start in range(0, ones.size, BLOCK):
        first, second = ones[start : start + BLOCK], twos[start : start + BLOCK]
        a, b = _wide(first), _wide(second)
        differ = first != second if first.dtype == second.dtype else a != b
        yield a, b, differ & ~(np.isnan(a) & np.isnan(b))


def _histogram(old: Values, new: Values, largest: float) -> list[int]:
    counts = np.zeros(BINS, dtype=np.int64)
    if largest > 0 and math.isfinite(2 * largest):
        for a, b, _ in _blocks(old, new):
            with np.errstate(invalid="ignore", over="ignore"):
                gap = b - a
            counts += np.histogram(gap[np.isfinite(gap)], bins=BINS, range=(-largest, largest))[0]
    return [int(count) for count in counts]


def _flat(array: Values) -> Values:
    if isinstance(array, Blocks):
        return array
    flat = array.reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def _wide(array: Array) -> Array:
    return (array.view(array.real.dtype) if array.dtype.kind == "c" else array).astype(np.float64)
