"""Does a model magnify roundings?  Then seeded inputs do not tell a rounding of the repair from a mistake.

Such are recurrent networks that quantize their state at every step, and models that sort, compare or pick by tiny
differences: one rounding of an input moves their outputs by more than any tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from onnxfix.model.model import Array
from onnxfix.verify.compare import compare
from onnxfix.verify.lists import flat

TRIES = 4
"""So many neighbours of the inputs are tried."""


def unsteady_output(
    run: Callable[[Mapping[str, Any]], Mapping[str, Any]], feeds: Mapping[str, Any], expected: Mapping[str, Array]
) -> str:
    """How far the model's own outputs move when each float input moves by one rounding; "" when none leaves its
    tolerance.  Raises CannotRun as `run` does."""
    if not any(_is_float(value) for value in feeds.values()):
        return ""
    for seed in range(TRIES):
        got = flat(run(neighbours(feeds, seed)))
        for name, array in expected.items():
            if name in got and compare(name, array, got[name]).why:
                return f"output {name!r} of the original moves by {_largest(array, got[name]):.3g} itself"
    return ""


def neighbours(feeds: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The inputs with every number of float16, float32 or float64 at its next one, up or down as the seed says."""
    random = np.random.default_rng(seed)
    return {name: _neighbour(value, random) if _is_float(value) else value for name, value in feeds.items()}


def _neighbour(array: Array, random: np.random.Generator) -> Array:
    ends = np.where(random.integers(0, 2, array.shape, np.int8), np.inf, -np.inf).astype(array.dtype)
    with np.errstate(over="ignore"):  # behind the largest number, which stays
        moved = np.nextafter(array, ends)
    return np.where(np.isfinite(moved), moved, array).astype(array.dtype)


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.dtype.isbuiltin == 1


def _largest(first: Array, second: Array) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.nanmax(np.abs(first.astype(np.float64) - second.astype(np.float64)), initial=0.0))
