"""When two outputs count as equal.

Numbers of a floating type agree when |a - b| <= absolute * max|a| + relative * |a|, where a is the original's
output; NaN must meet NaN and infinity the same infinity. Every other type must agree exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxfix.model.model import Array

# dtype: (absolute, as a part of the largest magnitude in the output; relative, to each element).
# Each is about a hundred roundings of the type: enough for another order of summation, too little for a wrong formula.
TOLERANCES: dict[str, tuple[float, float]] = {
    "float64": (1e-9, 1e-7),
    "complex128": (1e-9, 1e-7),
    "float32": (1e-5, 1e-4),
    "complex64": (1e-5, 1e-4),
    "float16": (2e-3, 1e-3),
    "bfloat16": (1e-2, 1e-2),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """One output compared. `max_diff` is the largest |a - b|, `allowed` the tolerance at that very element.

    `why` is "" when they agree, else what differs.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    max_diff: float = 0.0
    allowed: float = 0.0
    why: str = ""


def compare(name: str, original: Array, candidate: Array, *, values: bool = True, coarsest: str = "") -> Figures:
    """Compares dtype and shape and, unless `values` is false, every element.

    `coarsest` is the coarsest type that the original rounds to inside, "" when that is none below float32.
    """
    dtype, shape = _kind(original), original.shape
    if _kind(candidate) != dtype:
        return Figures(name, dtype, shape, why=f"its type is {_kind(candidate)} and was {dtype}")
    if candidate.shape != shape:
        return Figures(name, dtype, shape, why=f"its shape is {_text(candidate.shape)} and was {_text(shape)}")
    if not values or not original.size:
        return Figures(name, dtype, shape)
    if dtype not in TOLERANCES:
        return _exact(name, dtype, original, candidate)
    return _close(name, dtype, original, candidate, tolerance_of(dtype, coarsest))


def _exact(name: str, dtype: str, original: Array, candidate: Array) -> Figures:
    """Narrow floating types too: NaN meets NaN in them as well."""
    wrong, diff = original != candidate, 0.0
    if dtype not in ("bool", "string"):
        wide = original.astype(np.float64), candidate.astype(np.float64)
        wrong &= ~(np.isnan(wide[0]) & np.isnan(wide[1]))
        finite = wrong & np.isfinite(wide[0]) & np.isfinite(wide[1])
        diff = float(np.abs(wide[0][finite] - wide[1][finite]).max(initial=0.0))
    count = int(np.count_nonzero(wrong))
    if not count:
        return Figures(name, dtype, original.shape)
    a, b = original[wrong].flat[0], candidate[wrong].flat[0]
    why = f"{count} of {original.size} elements differ, such as {a!s} that became {b!s}"
    return Figures(name, dtype, original.shape, diff, 0.0, why)


def tolerance_of(dtype: str, coarsest: str = "") -> tuple[float, float]:
    """(absolute, relative) for a type, or for the coarsest type inside the model when that is coarser."""
    if dtype not in TOLERANCES or not coarsest:
        return TOLERANCES.get(dtype, (0.0, 0.0))
    return max(TOLERANCES[dtype], TOLERANCES[coarsest])


def _close(name: str, dtype: str, original: Array, candidate: Array, tolerance: tuple[float, float]) -> Figures:
    wide = np.complex128 if dtype.startswith("complex") else np.float64
    a, b = original.astype(wide).reshape(-1), candidate.astype(wide).reshape(-1)
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return Figures(name, dtype, original.shape, why="NaN appears at other places")
    finite = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~finite & ~np.isnan(a)], b[~finite & ~np.isnan(b)]):
        return Figures(name, dtype, original.shape, why="infinity appears at other places")
    a, b = a[finite], b[finite]
    if not a.size:
        return Figures(name, dtype, original.shape)
    absolute, relative = tolerance
    diff = np.abs(a - b)
    allowed = absolute * np.abs(a).max() + relative * np.abs(a)
    worst = int(np.argmax(diff - allowed))
    why = ""
    if diff[worst] > allowed[worst]:
        count = int(np.count_nonzero(diff > allowed))
        why = f"{count} of {original.size} elements are off, the worst by {diff[worst]:.3g}"
        why += f" where {allowed[worst]:.3g} is allowed"
    return Figures(name, dtype, original.shape, float(diff.max()), float(allowed[worst]), why)


def _kind(array: Array) -> str:
    return "string" if array.dtype.kind in "OUS" else array.dtype.name


def _text(shape: tuple[int, ...]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"
