"""RoiAlign and MaxRoiPool without plugins, against ONNX Runtime, onnx.reference and TensorRT-RTX."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, evaluated, model_of, outcome_of, prove, reason, unsafe

CORNERS = st.floats(-6, 16, width=32)


def maps(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(CORNERS, CORNERS, CORNERS, CORNERS), min_size=1, max_size=4),
    st.tuples(*(st.integers(1, 3) for _ in range(4))),
    st.sampled_from(["avg", "max"]),
    st.sampled_from(["half_pixel", "output_half_pixel"]),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.booleans(),
)
def test_regions_inside_outside_and_turned_around(
    corners: list[tuple[float, ...]],
    numbers: tuple[int, int, int, int],
    mode: str,
    pixels: str,
    scale: float,
    dynamic: bool,
) -> None:
    high, wide, samples, batch = numbers
    count = len(corners)
    n, h, w, r = ["N", "H", "W", "R"] if dynamic else [batch, 5, 7, count]
    proto = model_of(
        f"g (float[{n},2,{h},{w}] x, float[{r},4] rois, int64[{r}] where) => (float[{r},2,{high},{wide}] y) "
        f'{{ y = RoiAlign <mode = "{mode}", coordinate_transformation_mode = "{pixels}", sampling_ratio = {samples}, '
        f"output_height = {high}, output_width = {wide}, spatial_scale = {scale}> (x, rois, where) }}",
        16,
    )
    feeds = {
        "x": maps(batch, 2, 5, 7),
        "rois": np.array(corners, dtype=np.float32),
        "where": np.arange(count) % batch,
    }
    prove(proto, "OFX742", feeds)


@pytest.mark.parametrize(("opset", "dtype"), [(10, "float"), (16, "float16"), (22, "float")])
def test_other_opsets_and_types(opset: int, dtype: str) -> None:
    """Opset 10 knows no half_pixel; ONNX Runtime has no RoiAlign of opset 22 or of float16."""
    before = model_of(
        f"g ({dtype}[1,2,5,7] x, {dtype}[2,4] r, int64[2] b) => ({dtype}[2,2,2,2] y) "
        "{ y = RoiAlign <sampling_ratio = 2, output_height = 2, output_width = 2> (x, r, b) }",
        opset,
    )
    kind = np.float16 if dtype == "float16" else np.float32
    rois = np.array([[0, 0, 3, 4], [-2.5, 1, 9, 3]], dtype=kind)
    feeds = {"x": maps(1, 2, 5, 7).astype(kind), "r": rois, "b": np.array([0, 0])}
    if opset == 10:
        prove(before, "OFX742", feeds)
        return
    after = outcome_of(before, "OFX742").model.proto
    onnx.checker.check_model(after, full_check=True)
    expected, found = (evaluated(proto, feeds)[0] for proto in (before, after))
    np.testing.assert_allclose(found, expected, atol=4e-3 if dtype == "float16" else 1e-5)


@pytest.mark.parametrize(
    ("shape", "attributes", "expected"),
    [("1,2,H,W", "", "the map has an unknown size"), ("1,2,5,7", ' <mode = "max">', "depends on running")],
)
def test_what_only_running_can_tell_is_refused(shape: str, attributes: str, expected: str) -> None:
    text = (
        f"g (float[{shape}] x, float[2,4] r, int64[2] b) => (float[2,2,1,1] y) {{ y = RoiAlign{attributes} (x, r, b) }}"
    )
    assert expected in reason(text, "OFX742")


def test_an_image_decoder_is_explained() -> None:
    text = model_of("g (uint8[N] x) => (uint8[A,B,3] y) { y = ImageDecoder (x) }", 20)
    assert "decode before the model" in reason(text, "OFX750")


@pytest.mark.parametrize("opset", [11, 16])
def test_tensorrt_takes_the_result_only(opset: int) -> None:
    before = model_of(
        "g (float[N,2,H,W] x, float[R,4] r, int64[R] b) => (float[R,2,3,3] y) "
        "{ y = RoiAlign <sampling_ratio = 2, output_height = 3, output_width = 3> (x, r, b) }",
        opset,
    )
    assert not builds(before)
    assert builds(outcome_of(before, "OFX742").model.proto)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(*(st.floats(-3, 14, width=32) for _ in range(4))), min_size=1, max_size=3),
    st.sampled_from(["half_pixel", "output_half_pixel"]),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_as_many_samples_as_a_constant_region_is_large(
    corners: list[tuple[float, ...]], pixels: str, bins: tuple[int, int]
) -> None:
    """ONNX Runtime refuses regions that end before they start."""
    count = len(corners)
    regions = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    numbers = ",".join(str(np.float32(number)) for region in regions for number in region)
    proto = model_of(
        f"g (float[N,2,H,W] x, int64[{count}] b) => (float[{count},2,{bins[0]},{bins[1]}] y) "
        f"<float[{count},4] rois = {{{numbers}}}> {{ y = RoiAlign <coordinate_transformation_mode = "
        f'"{pixels}", output_height = {bins[0]}, output_width = {bins[1]}, spatial_scale = 0.75> (x, rois, b) }}',
        16,
    )
    prove(proto, "OFX742", {"x": maps(2, 2, 5, 7), "b": np.arange(count) % 2})


def test_computed_regions_with_samples_of_their_own_need_the_users_word() -> None:
    text = (
        "g (float[N,2,5,7] x, float[R,4] rois, int64[R] b) => (float[R,2,2,2] y) "
        "{ y = RoiAlign <output_height = 2, output_width = 2> (x, rois, b) }"
    )
    assert unsafe(model_of(text, 16), "OFX742")
    rois = np.array([[0, 0, 4, 5], [1, 2, 2.5, 3], [3, 1, 3, 4], [-1, -1, 5, 4]], dtype=np.float32)
    after = prove(model_of(text, 16), "OFX742", {"x": maps(2, 2, 5, 7), "rois": rois, "b": np.array([0, 1, 1, 0])})
    assert builds(after)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(*(st.integers(-8, 40) for _ in range(4))), min_size=1, max_size=4),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from([0.5, 1.0, 0.7]),
    st.booleans(),
    st.sampled_from([9, 13, 18]),
)
def test_pooled_regions(
    corners: list[tuple[int, ...]], bins: tuple[int, int], scale: float, dynamic: bool, opset: int
) -> None:
    """Corners are halves, so that many are rounded away from zero; some regions are empty or outside."""
    dynamic = dynamic and opset > 9
    n, h, w, r = ["N", "H", "W", "R"] if dynamic else [2, 5, 7, len(corners)]
    proto = model_of(
        f"g (float[{n},2,{h},{w}] x, float[{r},5] rois) => (float[{r},2,{bins[0]},{bins[1]}] y) "
        f"{{ y = MaxRoiPool <pooled_shape = [{bins[0]}, {bins[1]}], spatial_scale = {scale}> (x, rois) }}",
        opset,
    )
    rois = np.array([[i % 2, *(c / 2 for c in corner)] for i, corner in enumerate(corners)], dtype=np.float32)
    prove(proto, "OFX741", {"x": maps(2, 2, 5, 7) - 3, "rois": rois})


def test_tensorrt_takes_pooled_regions() -> None:
    before = model_of(
        "g (float[N,2,H,W] x, float[R,5] rois) => (float[R,2,2,2] y) "
        "{ y = MaxRoiPool <pooled_shape = [2, 2]> (x, rois) }"
    )
    assert not builds(before)
    assert builds(outcome_of(before, "OFX741").model.proto)
