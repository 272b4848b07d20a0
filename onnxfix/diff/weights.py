"""Stored tensors of matched nodes: the same, or how they differ."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx

from onnxfix.diff.graph import Source, is_constant
from onnxfix.diff.records import Change
from onnxfix.diff.scopes import Comparison
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope, constant_tensor
from onnxfix.model.types import dtype_name

BLOCK = 1 << 20
"""So many values are compared at a time."""

_BINS = 16
_TRANSPOSABLE = 5


def weight_changes(comparison: Comparison) -> Iterator[Change]:
    """One change for each pair of constants in corresponding places whose contents differ, and for each new name."""
    seen = set()
    one, two = comparison.one, comparison.two
    for a, b in sorted(comparison.pairs.left.items(), key=lambda pair: pair[1]):
        reads = zip(one.scope.nodes[a].input, two.scope.nodes[b].input, one.sources[a], two.sources[b], strict=False)
        for old, new, first, second in reads:
            if first.kind == second.kind == "constant" and (old, new) not in seen:
                seen.add((old, new))
                yield from _changes(comparison, old, new, first, second)


def _changes(comparison: Comparison, old: str, new: str, first: Source, second: Source) -> Iterator[Change]:
    one, two, label = comparison.one.scope, comparison.two.scope, comparison.label
    if first.key != second.key:
        yield _difference(one, two, old, new, label)
    elif old != new:
        yield Change("renamed", new, f"stored tensor {old} → {new}", label, (old,), (new,))
    if _home(one, old) != _home(two, new):
        message = f"stored as {_home(one, old)} → {_home(two, new)}"
        yield Change("placement", new, message, label, (_home(one, old),), (_home(two, new),))


def _home(scope: Scope, name: str) -> str:
    made = scope.producer.get(name)
    return "a Constant node" if made is not None and is_constant(scope.nodes[made[0]]) else "an initializer"


def _tensor(scope: Scope, name: str) -> onnx.TensorProto:
    if name in scope.initializers:
        return scope.initializers[name]
    tensor = constant_tensor(scope.nodes[scope.producer[name][0]])
    assert tensor is not None
    return tensor


def _difference(one: Scope, two: Scope, old: str, new: str, label: str) -> Change:
    first, second = _tensor(one, old), _tensor(two, new)
    types = tuple(f"{dtype_name(tensor.data_type)}{list(tensor.dims)}" for tensor in (first, second))
    details: dict[str, Any] = {"before": types[0], "after": types[1]}
    if onnx.TensorProto.STRING in (first.data_type, second.data_type):
        relation = "other texts"
    else:
        relation = _relation(one.model.array(first), two.model.array(second), details)
    return Change("weight", new, relation, label, (f"{types[0]} {old}",), (f"{types[1]} {new}",), details=details)


def _relation(old: Array, new: Array, details: dict[str, Any]) -> str:
    if old.shape != new.shape:
        return _reshaped(old, new, details)
    figures = compared(old.reshape(-1), new.reshape(-1))
    details.update(figures)
    retyped = f"{old.dtype} → {new.dtype}, " if old.dtype != new.dtype else ""
    if not figures["changed"]:
        return f"{retyped}equal values" if retyped else "equal values, other bits"
    return f"{retyped}{figures['changed']:,} of {old.size:,} values differ, max |diff| {figures['max']:.3g}"


def _reshaped(old: Array, new: Array, details: dict[str, Any]) -> str:
    """Another shape: transposed, reshaped, or something else."""
    details["relation"] = "other"
    if sorted(old.shape) == sorted(new.shape) and old.ndim <= _TRANSPOSABLE:
        for order in itertools.permutations(range(old.ndim)):
            if old.transpose(order).shape == new.shape and np.array_equal(old.transpose(order), new):
                details["relation"] = f"transposed {list(order)}"
                return f"transposed by {list(order)}"
    if old.size == new.size and np.array_equal(old.reshape(-1), new.reshape(-1)):
        details["relation"] = "reshaped"
        return f"reshaped {list(old.shape)} → {list(new.shape)}"
    return f"another shape, {list(old.shape)} → {list(new.shape)}"


def compared(old: Array, new: Array) -> dict[str, Any]:
    """Figures of the difference of two flat arrays of one length, computed block by block.

    `changed` counts values that differ (two NaN do not), `share` is their part, `max`, `mean` the absolute and
    `relative` the largest relative difference of finite values; `histogram` counts new - old in 16 bins over
    [-max, max].
    """
    changed, largest, total, relative, finite = 0, 0.0, 0.0, 0.0, 0
    for start in range(0, old.size, BLOCK):
        a, b = (part[start : start + BLOCK].astype(np.float64) for part in (old, new))
        changed += int(np.count_nonzero((a != b) & ~(np.isnan(a) & np.isnan(b))))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            gap = np.abs(b - a)
            sound = np.isfinite(gap)
            gap, size = gap[sound], np.abs(a)[sound]
            if gap.size:
                largest, total, finite = max(largest, float(gap.max())), total + float(gap.sum()), finite + gap.size
                ratios = gap[size > 0] / size[size > 0]
                relative = max(relative, float(ratios.max()) if ratios.size else 0.0)
    figures: dict[str, Any] = {"changed": changed, "share": changed / max(old.size, 1)}
    figures |= {"max": largest, "mean": total / max(finite, 1), "relative": relative}
    return {**figures, "histogram": _histogram(old, new, largest)}


def _histogram(old: Array, new: Array, largest: float) -> list[int]:
    counts = np.zeros(_BINS, dtype=np.int64)
    if largest > 0 and math.isfinite(largest):
        for start in range(0, old.size, BLOCK):
            with np.errstate(invalid="ignore", over="ignore"):
                gap = new[start : start + BLOCK].astype(np.float64) - old[start : start + BLOCK].astype(np.float64)
            counts += np.histogram(gap[np.isfinite(gap)], bins=_BINS, range=(-largest, largest))[0]
    return [int(count) for count in counts]
