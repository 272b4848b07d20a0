from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from onnxfix.verify.difference import DECADES, TOLERANCES, coarsest_of, difference, tolerance_of

FLOATS = [getattr(ml_dtypes, name, None) or getattr(np, name) for name in TOLERANCES]


def f32(*values: float) -> Any:
    return np.array(values, np.float32)


def test_equal_outputs() -> None:
    got = difference("y", f32(1, 2, 3), f32(1, 2, 3))
    assert (got.why, got.wrong, got.max_abs, got.first, got.share) == ("", 0, 0.0, None, 0.0)
    assert got.cosine == pytest.approx(1)
    assert got.histogram[0] == 3


def test_figures_of_a_wrong_output() -> None:
    model = np.array([[1, 2], [4, 8]], np.float32)
    got = difference("y", model, model + np.array([[0, 0], [1, -2]], np.float32))
    assert (got.max_abs, got.mean_abs, got.max_rel) == (2, 0.75, 0.25)
    assert (got.wrong, got.share, got.first, got.expected, got.got) == (2, 0.5, (1, 0), "4", "5")
    assert got.why == "2 of 4 elements are off, the worst by 2"
    assert got.cosine == pytest.approx(73 / (85 * 66) ** 0.5)


def test_tolerance_is_a_part_of_the_magnitude() -> None:
    model = f32(0, 1000)
    assert not difference("y", model, model + f32(0.09, 0.9)).why
    assert difference("y", model, model + f32(0.11, 0)).why
    assert difference("y", model, model + f32(0, 1.2)).why


@pytest.mark.parametrize("kind", FLOATS)
def test_every_tolerance_can_fail(kind: Any) -> None:
    model = np.array([1, -1, 1, -1], kind)
    assert not difference("y", model, model).why
    assert difference("y", model, np.array([1, -1, 1, 1], kind)).wrong == 1
    assert difference("y", model, np.array([2, -1, 1, -1], kind)).wrong == 1


@pytest.mark.parametrize(
    ("model", "engine", "words"),
    [
        (f32(1, np.nan), f32(1, 2), "1 of 2 elements are off: NaN appears at other places"),
        (f32(1, 2), f32(np.nan, 2), "1 of 2 elements are off: NaN appears at other places"),
        (f32(1, np.inf), f32(1, 2), "1 of 2 elements are off: infinity appears at other places"),
        (f32(1, np.inf), f32(1, -np.inf), "1 of 2 elements are off"),
        (f32(np.nan, np.inf, -np.inf, 1), f32(np.nan, np.inf, -np.inf, 1), ""),
    ],
)
def test_nan_and_infinity(model: Any, engine: Any, words: str) -> None:
    got = difference("y", model, engine)
    assert got.why.startswith(words) and bool(got.why) == bool(words)
    assert np.isfinite([got.max_abs, got.mean_abs, got.max_rel, got.cosine]).all()


def test_whole_numbers_are_compared_exactly() -> None:
    big = np.array([2**62, 5], np.int64)
    assert difference("y", big, big + np.array([1, 0])).wrong == 1, "one in 2**62 is no rounding"
    assert not difference("y", big, big.copy()).why
    assert difference("y", np.array([True, False]), np.array([True, True])).first == (1,)


def test_types_that_the_parser_narrows() -> None:
    assert not difference("y", np.array([1.0, 2.0]), f32(1, 2)).why
    assert not difference("y", np.array([1, 2]), np.array([1, 2], np.int32)).why
    assert difference("y", f32(1), np.array([1], np.float16)).why == "its type is float16 and the model has float32"
    assert difference("y", np.ones((2, 1)), f32(1, 1)).why == "its shape is [2] and the model gives [2, 1]"


def test_empty_and_scalar() -> None:
    assert not difference("y", np.ones((0, 3), np.float32), np.ones((0, 3), np.float32)).why
    assert difference("y", np.array(1, np.float32), np.array(2, np.float32)).first == ()


def test_coarsest_type_counts() -> None:
    assert tolerance_of("float32", "float16") == TOLERANCES["float16"]
    assert tolerance_of("float16", "") == TOLERANCES["float16"]
    assert tolerance_of("bfloat16", "float16") == TOLERANCES["bfloat16"]
    assert tolerance_of("int64", "float16") == (0.0, 0.0)
    assert coarsest_of({"float32", "bfloat16", "float16", ""}) == "bfloat16"
    assert coarsest_of({"int64"}) == ""


def test_histogram_counts_every_element() -> None:
    model = np.zeros(6)
    got = difference("y", model, np.array([0, 1e-12, 1e-10, 3e-5, 150, np.inf]).astype(np.float32))
    assert len(got.histogram) == len(DECADES) + 2
    assert got.histogram[0] == 1, "equal"
    assert got.histogram[1] == 1, "below 1e-10"
    assert got.histogram[DECADES.index(-5) + 2] == 1
    assert got.histogram[-1] == 2, "100 and more, and infinity"


ARRAYS = hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-1e6, 1e6, width=32))


@given(ARRAYS, st.integers(0, 63), st.floats(0.01, 10))
def test_one_changed_element_is_found(model: Any, place: int, share: float) -> None:
    place %= model.size
    engine = model.copy()
    engine.reshape(-1)[place] += np.float32(share * max(float(np.abs(model).max()), 1.0))
    got = difference("y", model, engine)
    assert got.wrong == 1
    assert got.first is not None
    assert np.ravel_multi_index(got.first, model.shape) == place
    assert sum(got.histogram) == got.elements == model.size


@given(ARRAYS)
def test_an_output_equals_itself(model: Any) -> None:
    assert not difference("y", model, model.copy()).why
