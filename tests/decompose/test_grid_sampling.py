"""GridSample of integers in parts of 16 bits, against onnx.reference (ONNX Runtime samples floats only)."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, evaluated, model_of, outcome_of, reason


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["int32", "int64", "uint8", "int8", "bool"]),
    st.sampled_from(["zeros", "border", "reflection"]),
    st.integers(0, 1),
    st.data(),
)
def test_every_bit_comes_back(dtype: str, padding: str, align: int, data: st.DataObject) -> None:
    limits = np.iinfo("uint8" if dtype == "bool" else dtype)
    numbers = st.sampled_from([int(limits.min), int(limits.max), 0, 1]) | st.integers(int(limits.min), int(limits.max))
    x = np.array(data.draw(st.lists(numbers, min_size=12, max_size=12)), dtype=limits.dtype).reshape(1, 2, 2, 3)
    proto = model_of(
        f"g ({dtype}[N,2,H,W] x, float[N,A,B,2] grid) => ({dtype}[N,2,A,B] y) "
        f'{{ y = GridSample <mode = "nearest", padding_mode = "{padding}", align_corners = {align}> (x, grid) }}',
        20,
    )
    grid = np.random.default_rng(data.draw(st.integers(0, 99))).uniform(-1.5, 1.5, (1, 3, 2, 2)).astype(np.float32)
    feeds = {"x": x.astype(dtype), "grid": grid}
    after = outcome_of(proto, "OFX752").model.proto
    onnx.checker.check_model(after, full_check=True)
    assert not outcome_of(after, "OFX752").journal
    expected, found = (evaluated(each, feeds)[0] for each in (proto, after))
    assert expected.dtype == found.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int32[1,1,2,3] x, float[1,1,2,2] grid) => (int32[1,1,1,2] y) { y = GridSample (x, grid)", "between samples"),
        (
            "int32[1,C,2,3] x, float[1,1,2,2] grid) => (int32[1,C,1,2] y) "
            '{ y = GridSample <mode = "nearest"> (x, grid)',
            "number of channels",
        ),
    ],
)
def test_what_is_not_exact_is_refused(text: str, expected: str) -> None:
    assert expected in reason(model_of(f"g ({text} }}", 20), "OFX752")


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
def test_tensorrt_takes_the_result_only(dtype: str) -> None:
    before = model_of(
        f"g ({dtype}[N,2,H,W] x, float[N,A,B,2] grid) => ({dtype}[N,2,A,B] y) "
        '{ y = GridSample <mode = "nearest"> (x, grid) }',
        20,
    )
    assert not builds(before)
    assert builds(outcome_of(before, "OFX752").model.proto)
