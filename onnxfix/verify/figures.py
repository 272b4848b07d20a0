"""The figures of an array: its ends, what of it is not finite, and what smaller types could not hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxfix.model.model import Array

FP16_MAX = 65504.0
FP16_TINY = 2.0**-24
"""The smallest positive number of float16: smaller ones become 0."""

_INT32 = 2**31
_NATIVE = ("float16", "float32", "float64")
"""The types of numpy itself; numbers of the narrower ones are looked at as float32, which has them all."""


def figures_of(array: Array) -> dict[str, Any]:
    """The fields of `Range` that are about numbers."""
    facts: dict[str, Any] = {"dtype": array.dtype.name, "shape": array.shape}
    floating = array.dtype.name.startswith(("float", "bfloat"))
    if not array.size:
        return facts
    values = array.reshape(-1)
    if floating and array.dtype.name not in _NATIVE:
        values = values.astype(np.float32)
    if floating:
        facts["nan"] = int(np.count_nonzero(np.isnan(values)))
        facts["infinite"] = int(np.count_nonzero(np.isinf(values)))
        facts["denormal"] = _denormals(values)
        values = values[np.isfinite(values)] if facts["nan"] or facts["infinite"] else values
    if not values.size:
        return {**facts, "constant": False}
    low, high = values.min(), values.max()
    facts |= {"low": float(low), "high": float(high)}
    facts["constant"] = bool(array.size > 1 and low == high and values.size == array.size)
    if array.dtype.kind == "b":
        return facts
    if max(-float(low), float(high)) > FP16_MAX:
        facts["beyond_fp16"] = int(np.count_nonzero((values > FP16_MAX) | (values < -FP16_MAX)))
    if not -_INT32 <= float(low) <= float(high) < _INT32:
        facts["beyond_int32"] = int(np.count_nonzero((values >= _INT32) | (values < -_INT32)))
    magnitudes = np.abs(values[values != 0])
    facts["smallest"] = float(magnitudes.min()) if magnitudes.size else 0.0
    return facts


def _denormals(values: Array) -> int:
    tiny = np.finfo(values.dtype).tiny
    return int(np.count_nonzero((values != 0) & (np.abs(values) < tiny)))


_SUMS = ("nan", "infinite", "denormal", "beyond_fp16", "beyond_int32")


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a value that was computed twice, as if it were one array with the later shape."""
    facts = {**first, **second}
    facts |= {name: first.get(name, 0) + second.get(name, 0) for name in _SUMS if name in facts}
    if "low" in first and "low" in second:
        facts["low"], facts["high"] = min(first["low"], second["low"]), max(first["high"], second["high"])
    if "constant" in first and "constant" in second:
        alike = first.get("low") == second.get("low")
        facts["constant"] = first["constant"] and second["constant"] and alike
    if "smallest" in facts:
        facts["smallest"] = min(filter(None, (first.get("smallest"), second.get("smallest"))), default=0.0)
    return facts
