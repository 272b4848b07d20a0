"""Upsample and Resize from opset 7 to 13 and back: the same numbers in ONNX Runtime at every version."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

UPSAMPLE = """<ir_version: 3, opset_import: ["" : 7]> g (float[1,2,3,4] x) => (float[N,C,H,W] y)
{{ y = Upsample <mode = "{mode}", scales = [1.0, 1.0, {height}, {width}]> (x) }}"""


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize(("height", "width"), [(2.0, 2.0), (3.0, 1.0), (1.5, 2.5)])
def test_upsample_keeps_its_numbers(
    convert: Any, run: Any, random: Any, mode: str, height: float, width: float
) -> None:
    x = random.normal(size=(1, 2, 3, 4)).astype(np.float32)
    text = UPSAMPLE.format(mode=mode, height=height, width=width)
    (expected,) = run(text, x=x)
    newest = convert(text, 18)
    for model in [*(convert(text, to) for to in (8, 9, 10, 11, 13)), newest, convert(newest, 9), convert(newest, 7)]:
        np.testing.assert_array_equal(run(model, x=x)[0], expected)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scale", [0.5, 0.6, 0.9])
def test_resize_10_that_shrinks(convert: Any, run: Any, random: Any, mode: str, scale: float) -> None:
    x = random.normal(size=(1, 1, 7, 10)).astype(np.float32)
    text = f"""<ir_version: 5, opset_import: ["" : 10]> g (float[1,1,7,10] x) => (float[N,C,H,W] y)
    <float[4] s = {{1.0, 1.0, {scale}, {scale}}}> {{ y = Resize <mode = "{mode}"> (x, s) }}"""
    np.testing.assert_array_equal(run(convert(text, 13), x=x)[0], run(text, x=x)[0])
    np.testing.assert_array_equal(run(convert(convert(text, 13), 10), x=x)[0], run(text, x=x)[0])


@pytest.mark.parametrize(
    "attributes",
    ['mode = "linear"', 'mode = "cubic"', 'mode = "nearest"', 'coordinate_transformation_mode = "align_corners"'],
)
def test_newer_coordinates_do_not_go_down(plan: Any, attributes: str) -> None:
    text = f"""<ir_version: 7, opset_import: ["" : 13]> g (float[1,1,3,3] x) => (float[1,1,6,6] y)
    <float[4] s = {{1.0, 1.0, 2.0, 2.0}}> {{ y = Resize <{attributes}> (x, "", s) }}"""
    assert plan(text, 11).blockers == []
    assert "coordinates" in plan(text, 10).blockers[0].reason


def test_removed_coordinates_do_not_go_up(plan: Any) -> None:
    text = """<ir_version: 6, opset_import: ["" : 11]> g (float[1,1,3,3] x) => (float[1,1,6,6] y)
    <float[0] r = {}, float[4] s = {1.0, 1.0, 2.0, 2.0}>
    { y = Resize <coordinate_transformation_mode = "tf_half_pixel_for_nn"> (x, r, s) }"""
    assert plan(text, 12).blockers == []
    assert "tf_half_pixel_for_nn" in plan(text, 13).blockers[0].reason
