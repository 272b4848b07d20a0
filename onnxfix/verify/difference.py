"""The figures of one engine output against the model's own: how far, how often, and where first.

Engine and ONNX Runtime use other kernels, another order of summation and fused layers, so they agree to a part of the
output's magnitude only. Numbers of a floating type agree when |a - b| <= absolute * max|a| + relative * |a|, where a is
what the model computes. Every other type must agree exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from onnxfix.model.model import Array

# dtype: (absolute, as a part of the largest magnitude in the output; relative, to each element).
TOLERANCES: dict[str, tuple[float, float]] = {
    "float32": (1e-4, 1e-3),
    "float16": (5e-3, 5e-3),
    "bfloat16": (3e-2, 3e-2),
    "float8_e4m3fn": (7e-2, 1.3e-1),
    "float8_e5m2": (1.3e-1, 2.6e-1),
    "float4_e2m1fn": (1e-1, 5e-1),
}
DECADES = tuple(range(-10, 3))
"""The histogram counts |a - b| = 0, below 1e-10, from 1e-10 to 1e-9, …, from 100 on."""

_ORDER = tuple(TOLERANCES)
_WIDER = {"float64": "float32", "int64": "int32", "uint64": "int64", "uint32": "int64"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One output compared. `max_rel` is the largest |a - b| / |a| where a is not 0, `cosine` that of the angle between
    both outputs (1 when both are 0).

    `wrong` of the `elements` are off by more than the tolerance, the first of them at the index `first`, where the
    model has `expected` and the engine `got`. `why` is "" when they agree. `tolerance` is (absolute, relative).
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    elements: int = 0
    max_abs: float = 0.0
    mean_abs: float = 0.0
    max_rel: float = 0.0
    cosine: float = 1.0
    wrong: int = 0
    first: tuple[int, ...] | None = None
    expected: str = ""
    got: str = ""
    tolerance: tuple[float, float] = (0.0, 0.0)
    histogram: tuple[int, ...] = ()
    why: str = ""

    @property
    def share(self) -> float:
        """The part of the elements that are off."""
        return self.wrong / self.elements if self.elements else 0.0


def difference(name: str, model: Array, engine: Array, coarsest: str = "") -> Difference:
    """Compares what the model computes with what the engine computes.

    `coarsest` is the coarsest floating type inside the model: its rounding reaches outputs of finer types too.
    """
    dtype, shape = model.dtype.name, model.shape
    plain = Difference(name, dtype, shape, int(model.size))
    if engine.dtype != model.dtype and _WIDER.get(dtype) != engine.dtype.name:
        return _failed(plain, f"its type is {engine.dtype.name} and the model has {dtype}")
    if engine.shape != shape:
        return _failed(plain, f"its shape is {list(engine.shape)} and the model gives {list(shape)}")
    if not model.size:
        return plain
    return _measured(plain, model, engine, tolerance_of(engine.dtype.name, coarsest))


def tolerance_of(dtype: str, coarsest: str = "") -> tuple[float, float]:
    """(absolute, relative) for a type, or for the coarsest type inside the model when that is coarser."""
    if dtype not in TOLERANCES:
        return (0.0, 0.0)
    return TOLERANCES[max(dtype, coarsest or dtype, key=_ORDER.index)]


def coarsest_of(dtypes: set[str]) -> str:
    """The coarsest of these types, "" when none of them is rounded more than float32."""
    known = [name for name in _ORDER if name in dtypes]
    return known[-1] if known else ""


def _failed(plain: Difference, why: str) -> Difference:
    return replace(plain, wrong=plain.elements, why=why)


def _measured(plain: Difference, model: Array, engine: Array, tolerance: tuple[float, float]) -> Difference:
    a, b = _wide(model), _wide(engine)
    with np.errstate(invalid="ignore", over="ignore"):
        diff = np.abs(a - b)
    diff[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0  # equal infinities, and NaN in both
    finite = np.isfinite(a) & np.isfinite(b)
    largest = float(np.abs(a[finite]).max(initial=0.0))
    if any(tolerance):
        off = ~(diff <= tolerance[0] * largest + tolerance[1] * np.where(np.isfinite(a), np.abs(a), 0))
    else:  # exactly, also beyond the 53 bits of a float64
        off = (model != engine).reshape(-1)
    known = diff[finite]
    wrong = int(np.count_nonzero(off))
    place = int(np.argmax(off)) if wrong else -1
    return Difference(
        plain.name,
        plain.dtype,
        plain.shape,
        plain.elements,
        max_abs=float(known.max(initial=0.0)),
        mean_abs=float(known.mean()) if known.size else 0.0,
        max_rel=_relative(known, np.abs(a[finite])),
        cosine=_cosine(a[finite], b[finite]),
        wrong=wrong,
        first=tuple(int(i) for i in np.unravel_index(place, model.shape)) if wrong else None,
        expected=f"{a[place]:.6g}" if wrong else "",
        got=f"{b[place]:.6g}" if wrong else "",
        tolerance=tolerance,
        histogram=_histogram(diff),
        why=_words(wrong, a.size, known, a, b) if wrong else "",
    )


def _words(wrong: int, size: int, known: Array, a: Array, b: Array) -> str:
    if np.count_nonzero(np.isnan(a) != np.isnan(b)):
        return f"{wrong} of {size} elements are off: NaN appears at other places"
    if not np.array_equal(np.isinf(a), np.isinf(b)):
        return f"{wrong} of {size} elements are off: infinity appears at other places"
    return f"{wrong} of {size} elements are off, the worst by {known.max(initial=0.0):.3g}"


def _wide(array: Array) -> Array:
    return array.reshape(-1).astype(np.float64)


def _relative(diff: Array, size: Array) -> float:
    there = size > 0
    return float((diff[there] / size[there]).max(initial=0.0))


def _cosine(a: Array, b: Array) -> float:
    # Scaled first: the square of a large float64 is infinite.
    scale = max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0))
    if not scale:
        return 1.0
    a, b = a / scale, b / scale
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm else 0.0


def _histogram(diff: Array) -> tuple[int, ...]:
    """Counts by decade; NaN and infinity are in the last."""
    size = np.where(np.isfinite(diff), diff, np.inf)
    edges = [0.0, *(10.0**power for power in DECADES)]
    places = np.searchsorted(np.array(edges), size[size > 0], side="right")
    counts = np.bincount(places, minlength=len(edges) + 1)
    counts[0] = int(np.count_nonzero(size == 0))
    return tuple(int(count) for count in counts)
