"""AffineGrid and TensorScatter against ONNX Runtime, onnx.reference and TensorRT-RTX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, evaluated, model_of, outcome_of, prove, reason


def grid(spatial: list[int], corners: bool, *, constant: bool, known: bool) -> str:
    count, batch = len(spatial), "2" if known else "N"
    sizes = f"int64[{count + 2}] size"
    values = ", ".join(map(str, [2, 1, *spatial]))
    result = ",".join(
        [batch, *(str(size) if constant and known else f"S{place}" for place, size in enumerate(spatial))]
    )
    return f"""<ir_version: 9, opset_import: ["" : 20]>
g (float[{batch},{count},{count + 1}] theta{"" if constant else ", " + sizes}) => (float[{result},{count}] y)
{f"<{sizes} = {{{values}}}>" if constant else ""}
{{ y = AffineGrid <align_corners = {int(corners)}> (theta, size) }}"""


@settings(max_examples=30, deadline=None)
@given(
    spatial=st.lists(st.integers(1, 5), min_size=2, max_size=3),
    corners=st.booleans(),
    constant=st.booleans(),
    known=st.booleans(),
)
def test_grids(spatial: list[int], corners: bool, constant: bool, known: bool) -> None:
    spatial = [size + 1 for size in spatial] if corners else spatial
    theta = np.random.default_rng(0).normal(size=(2, len(spatial), len(spatial) + 1)).astype(np.float32)
    feed = {"theta": theta, **({} if constant else {"size": np.array([2, 1, *spatial])})}
    prove(grid(spatial, corners, constant=constant, known=known), "OFX708", feed)


@pytest.mark.parametrize("spatial", [[4, 6], [2, 3, 4]])
@pytest.mark.parametrize("constant", [False, True])
def test_grids_in_tensorrt(spatial: list[int], constant: bool) -> None:
    text = grid(spatial, False, constant=constant, known=False)
    assert not builds(text)
    assert builds(prove(text, "OFX708"))


def test_one_point_between_corners_is_left_alone() -> None:
    assert "divides by zero" in reason(grid([1, 4], True, constant=True, known=True), "OFX708")


@settings(max_examples=30, deadline=None)
@given(
    inner=st.lists(st.integers(1, 3), max_size=2),
    length=st.integers(1, 5),
    rows=st.integers(1, 5),
    circular=st.booleans(),
    given_indices=st.booleans(),
    known=st.booleans(),
    last=st.booleans(),
)
def test_rows_written_into_a_cache(
    inner: list[int], length: int, rows: int, circular: bool, given_indices: bool, known: bool, last: bool
) -> None:
    rows = min(rows, length)
    axis = -1 if last else -2
    cache = [3, *inner, 2, 2]
    cache[axis] = length
    update = list(cache)
    update[axis] = rows
    written = [str(size) if known else f"D{place}" for place, size in enumerate(cache)]
    new = [f"U{place}" if not known else str(size) for place, size in enumerate(update)]
    mode = "circular" if circular else "linear"
    text = f"""<ir_version: 12, opset_import: ["" : 24]>
g (float[{",".join(written)}] cache, float[{",".join(new)}] new{", int64[3] at" if given_indices else ""})
  => (float[{",".join(written)}] y)
{{ y = TensorScatter <mode = "{mode}", axis = {axis}> (cache, new{", at" if given_indices else ""}) }}"""
    outcome = outcome_of(text, "OFX709")
    assert outcome.journal and not outcome.complaint
    random = np.random.default_rng(0)
    feed: dict[str, Any] = {
        "cache": random.normal(size=cache).astype(np.float32),
        "new": random.normal(size=update).astype(np.float32),
    }
    if given_indices:
        feed["at"] = random.integers(0, length if circular else length - rows + 1, 3)
    for before, after in zip(evaluated(model_of(text), feed), evaluated(outcome.model.proto, feed), strict=True):
        np.testing.assert_array_equal(before, after)


def test_rows_written_in_tensorrt() -> None:
    text = """<ir_version: 12, opset_import: ["" : 24]>
g (float[2,S,3] cache, float[2,T,3] new, int64[2] at) => (float[2,S,3] y)
{ y = TensorScatter <mode = "circular"> (cache, new, at) }"""
    assert not builds(text)
    assert builds(outcome_of(text, "OFX709").model.proto)


def test_a_cache_along_its_batch_is_left_alone() -> None:
    text = """<ir_version: 12, opset_import: ["" : 24]>
g (float[4,3] cache, float[2,3] new) => (float[4,3] y) { y = TensorScatter (cache, new) }"""
    assert "its axis is that of the batch" in reason(text, "OFX709")
