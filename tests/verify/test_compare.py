from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from onnxfix.verify.compare import TOLERANCES, compare

FLOATS = st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20)


@given(FLOATS, st.floats(0.1, 10))
def test_float32_tolerance_is_the_documented_one(values: list[float], factor: float) -> None:
    a = np.array(values, np.float32)
    allowed = 1e-5 * np.abs(a).max() + 1e-4 * abs(float(a[0]))
    b = a.astype(np.float64)
    b[0] += factor * allowed
    figures = compare("y", a, b.astype(np.float32))
    rounded = abs(float(b.astype(np.float32)[0]) - float(a[0]))
    assume(abs(rounded - allowed) > 1e-9 * allowed)  # not on the very edge
    assert bool(figures.why) == (rounded > allowed)
    assert figures.max_diff == pytest.approx(rounded)


@pytest.mark.parametrize("dtype", list(TOLERANCES))
def test_every_tolerance_can_fail(dtype: str) -> None:
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    a = np.ones(4, kind)
    assert not compare("y", a, a).why
    assert compare("y", a, (a + a.dtype.type(0.05))).why.startswith("4 of 4 elements are off, the worst by 0.0")


def test_nan_and_infinity_have_to_stay() -> None:
    a = np.float32([1, np.nan, np.inf, -np.inf])
    assert not compare("y", a, a.copy()).why
    assert compare("y", a, np.float32([1, 2, np.inf, -np.inf])).why == "NaN appears at other places"
    assert compare("y", a, np.float32([1, np.nan, np.inf, np.inf])).why == "infinity appears at other places"
    assert compare("y", a, np.float32([1, np.nan, np.inf, 5])).why == "infinity appears at other places"


def test_integers_bools_and_strings_are_exact() -> None:
    figures = compare("y", np.array([1, 2, 3]), np.array([1, 5, 3]))
    assert (figures.why, figures.max_diff) == ("1 of 3 elements differ, such as 2 that became 5", 3.0)
    assert compare("y", np.array([True]), np.array([False])).why
    text = np.array(["a", "b"], dtype=object)
    assert not compare("y", text, np.array(["a", "b"])).why
    assert compare("y", text, np.array(["a", "c"], dtype=object)).why.endswith("such as b that became c")


@pytest.mark.parametrize("dtype", ["float8_e5m2", "float8_e4m3fn", "int4", "uint2", "float8_e8m0fnu"])
def test_narrow_types_are_exact_and_have_a_difference(dtype: str) -> None:
    kind = np.dtype(getattr(ml_dtypes, dtype))
    a, b = np.array([1, 1, 0.5], np.float32).astype(kind), np.array([1, 2, 0.5], np.float32).astype(kind)
    assert not compare("y", a, a).why
    figures = compare("y", a, b)
    assert figures.why.startswith("1 of 3 elements differ") and figures.max_diff == abs(float(b[1]) - 1)
    if dtype.startswith("float"):
        nan = np.array([1, np.nan, 0.5], np.float32).astype(kind)
        assert not compare("y", nan, nan.copy()).why and compare("y", a, nan).why.startswith("1 of 3")


def test_type_and_shape_count_even_without_values() -> None:
    a = np.zeros((1, 2), np.float32)
    assert compare("y", a, a.astype(np.float64), values=False).why == "its type is float64 and was float32"
    assert compare("y", a, a.reshape(2), values=False).why == "its shape is [2] and was [1,2]"
    assert not compare("y", a, a + 1, values=False).why


def test_all_zero_and_empty_outputs() -> None:
    zero = np.zeros(3, np.float32)
    assert not compare("y", zero, zero).why
    assert compare("y", zero, zero + np.float32(1e-9)).why
    assert not compare("y", zero[:0], zero[:0]).why
