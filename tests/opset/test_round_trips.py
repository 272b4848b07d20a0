"""Small networks from opset 13 down to 9 and up again, and other pairs: the same numbers in ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

DETECTOR = """<ir_version: 7, opset_import: ["" : 13]> g (float[1,3,8,8] x) => (float[N,M] y, float[1,2] best)
<float[4,3,3,3] w = {%s}, float[4] scale = {1.0, 2.0, 0.5, 1.5}, float[4] zero = {0.0, 0.1, 0.2, 0.3},
 float low = {0.0}, float high = {6.0}, int64[8] pads = {0, 0, 1, 1, 0, 0, 1, 1}, int64[1] a = {2}, int64[1] b = {-1},
 int64[1] ax = {-1}, int64[2] shape = {0, -1}, int64[2] parts = {1, 3}, int64[1] k = {2},
 float[4] twice = {1.0, 1.0, 2.0, 2.0}, int64[1] spatial = {2}>
{ p = Pad (x, pads)
  c = Conv (p, w)
  n = BatchNormalization (c, scale, zero, zero, scale)
  r = Clip (n, low, high)
  u = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (r, "", twice)
  m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (u)
  s = Slice (m, a, b, ax)
  left, right = Split <axis = 1> (s, parts)
  j = Concat <axis = -3> (right, left)
  h = HardSigmoid (j)
  d = Dropout (h)
  f = Reshape (d, shape)
  e = Unsqueeze (f, spatial)
  q = Squeeze (e, spatial)
  y = Softmax <axis = -1> (q)
  best, where = TopK (y, k)
}"""


@pytest.mark.parametrize("lowest", [7, 8, 9, 10, 11, 12])
@pytest.mark.parametrize("highest", [13, 18, 21])
def test_detector(convert: Any, run: Any, random: Any, lowest: int, highest: int) -> None:
    text = DETECTOR % ", ".join(f"{value:.3f}" for value in random.normal(size=108))
    x = random.normal(size=(1, 3, 8, 8)).astype(np.float32)
    down = convert(text, lowest)
    up = convert(down, highest)
    for model in (down, up, convert(up, 13)):
        for actual, expected in zip(run(model, x=x), run(text, x=x), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def _type(rank: int) -> str:
    return f"float[{','.join('ABCD'[:rank])}]" if rank else "float"


@given(data=st.data(), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_reductions_and_axes(convert: Any, run: Any, data: st.DataObject, seed: int) -> None:
    """A reduction over random axes, with the axes as an attribute below opset 13 or 18 and as an input above."""
    shape = tuple(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)))
    axes = data.draw(st.lists(st.integers(-len(shape), len(shape) - 1), min_size=1, unique_by=lambda a: a % len(shape)))
    operator = data.draw(st.sampled_from(["ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2", "ReduceProd"]))
    keep = data.draw(st.integers(0, 1))
    start, to = data.draw(st.sampled_from([(11, 13), (12, 18), (9, 21)]))
    rank = len(shape) if keep else len(shape) - len(axes)
    written = [axis % len(shape) for axis in axes] if start < 11 else axes
    dims = ",".join(map(str, shape))
    text = f"""<ir_version: 4, opset_import: ["" : {start}]> g (float[{dims}] x) => ({_type(rank)} y)
    {{ y = {operator} <axes = {written}, keepdims = {keep}> (x) }}"""
    x = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    (expected,) = run(text, x=x)
    up = convert(text, to)
    for model in (up, convert(up, start), convert(up, 9)):
        np.testing.assert_allclose(run(model, x=x)[0], expected, rtol=1e-5, atol=1e-6)


@given(data=st.data(), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_slices(convert: Any, run: Any, data: st.DataObject, seed: int) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True))
    starts = [data.draw(st.integers(-6, 6)) for _ in axes]
    ends = [data.draw(st.sampled_from([-2, -1, 0, 1, 3, 2**31 - 1, 2**63 - 1])) for _ in axes]
    dims = ",".join(map(str, shape))
    text = f"""<ir_version: 4, opset_import: ["" : 9]> g (float[{dims}] x) => ({_type(len(shape))} y)
    {{ y = Slice <axes = {axes}, starts = {starts}, ends = {ends}> (x) }}"""
    x = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    expected = x[tuple(slice(starts[axes.index(i)], ends[axes.index(i)]) if i in axes else slice(None)
                       for i in range(len(shape)))]  # fmt: skip
    up = convert(text, 13)
    for model in (up, convert(up, 9)):
        np.testing.assert_array_equal(run(model, x=x)[0], expected)


@pytest.mark.parametrize(
    ("node", "dims"),
    [
        ("y = LayerNormalization (x, s, s)", "2,4"),
        ("y = Gelu (x)", "2,4"),
        ("y = HardSwish (x)", "2,4"),
        ("y = Mish (x)", "2,4"),
        ("y = LayerNormalization <axis = 1> (x, s)", "2,3,4"),
    ],
)
def test_operators_that_the_older_opset_lacks(convert: Any, run: Any, random: Any, node: str, dims: str) -> None:
    sizes = [int(size) for size in dims.split(",")]
    scale = "3,4" if "axis" in node else "4"
    text = f"""<ir_version: 9, opset_import: ["" : 20]> g (float[{dims}] x, float[{scale}] s) => (float[{dims}] y)
    {{ {node} }}"""
    feeds = {"x": random.normal(size=sizes).astype(np.float32)}
    feeds["s"] = random.normal(size=[int(size) for size in scale.split(",")]).astype(np.float32)
    for to in (13, 10):
        model = convert(text, to)
        wanted = {value.name: feeds[value.name] for value in model.graph.input}
        np.testing.assert_allclose(run(model, **wanted)[0], run(text, **feeds)[0], rtol=1e-4, atol=1e-5)
