"""TopK, OneHot, EyeLike, ArgMax, Slice and axes against ONNX Runtime and TensorRT-RTX."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from tests.decompose.proving import builds, model_of, outcome_of, prove, reason, unsafe

TOPK, ONEHOT, EYE, SLICE, ARG, AXES, ANY = "OFX720", "OFX721", "OFX722", "OFX724", "OFX725", "OFX727", "OFX729"
RANGE = "OFX730"


def top_k(dims: str, after: str, count: int, dtype: str = "float", **attributes: int) -> str:
    form = ", ".join(f"{name} = {value}" for name, value in attributes.items())
    return f"""g ({dtype}[{dims}] x) => ({dtype}[{after}] v, int64[{after}] i) <int64[1] k = {{{count}}}>
    {{ v, i = TopK <{form}> (x, k) }}"""


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("count", [3841, 7681, 8000])
def test_top_k_with_many_equal_elements(largest: int, count: int) -> None:
    """Of equal elements the one with the lower index comes first; infinities are elements like others."""
    random = np.random.default_rng(count)
    x = random.integers(-50, 50, (2, 8000)).astype(np.float32)
    x[0, ::7], x[1, 5::9] = -np.inf, np.inf
    prove(top_k("N,8000", f"N,{count}", count, axis=1, largest=largest), TOPK, {"x": x})


def test_top_k_of_integers_along_the_first_axis() -> None:
    x = np.random.default_rng(0).integers(-(2**31), 2**31, (5000, 2)).astype(np.int32)
    x[0], x[1] = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    text = top_k("N,2", "4000,2", 4000, "int32", axis=-2)
    prove(text, TOPK, {"x": x})


@pytest.mark.parametrize("text", [top_k("1,5000", "1,4000", 4000, axis=1), top_k("9000", "8400", 8400, axis=0)])
def test_the_target_takes_the_rounds(text: str) -> None:
    assert not builds(text)
    assert builds(prove(text, TOPK))


def test_top_k_limits() -> None:
    assert reason(top_k("9000", "3840", 3840, axis=0), TOPK) == ""
    assert unsafe(top_k("9000", "4000", 4000, axis=0, sorted=0), TOPK)
    assert unsafe(top_k("900000", "200000", 200000, axis=0), TOPK)
    later = "g (float[9000] x, int64[1] k) => (float[K] v, int64[K] i) { v, i = TopK (x, k) }"
    assert "K is not a constant" in reason(later, TOPK)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 2).flatmap(lambda rank: st.tuples(st.just(rank), st.integers(-rank - 1, rank))),
    st.sampled_from(["int64", "int32", "float"]),
    st.sampled_from(["int64", "int32"]),
    st.sampled_from(["float", "int64", "int32"]),
    st.sampled_from([11, 13, 18]),
    st.integers(1, 5),
)
def test_one_hot(place: tuple[int, int], index: str, size: str, values: str, opset: int, depth: int) -> None:
    """Indices from -depth - 1 to depth: both ends are outside and select nothing."""
    rank, axis = place
    before, after = [f"A{a}" for a in range(rank)], [f"B{a}" for a in range(rank + 1)]
    text = f"""<ir_version: 8, opset_import: ["" : {opset}]>
    g ({index}[{",".join(before)}] i, {size} d, {values}[2] v) => ({values}[{",".join(after)}] y)
    {{ y = OneHot <axis = {axis}> (i, d, v) }}"""
    shape = (2, depth + 1)[2 - rank :]
    numpy: dict[str, Any] = {"float": np.float32, "int64": np.int64, "int32": np.int32}
    indices = np.resize(np.arange(-depth - 1, depth + 1), shape).astype(numpy[index])
    off_on = np.array([3, 7], dtype=numpy[values])
    prove(text, ONEHOT, {"i": indices, "d": np.array(depth, dtype=numpy[size]), "v": off_on})


def test_a_float_depth_is_the_declared_size() -> None:
    text = "g (int64[3] i, float d, float[2] v) => (float[3,6] y) { y = OneHot (i, d, v) }"
    assert not builds(text)
    assert builds(prove(text, ONEHOT))


@pytest.mark.parametrize("dtype", [0, 1, 7, 9, 10])
@pytest.mark.parametrize("k", [-2, 0, 1, 9])
def test_eye_like(dtype: int, k: int) -> None:
    kind = {0: "float", 1: "float", 7: "int64", 9: "bool", 10: "float16"}[dtype]
    form = f"k = {k}" + (f", dtype = {dtype}" if dtype else "")
    text = f"g (float[N,M] x) => ({kind}[N,M] y) {{ y = EyeLike <{form}> (x) }}"
    for shape in ((3, 4), (4, 2), (1, 1)):
        model, feed = model_of(text), {"x": np.zeros(shape, np.float32)}
        result: onnx.ModelProto = outcome_of(model, EYE).model.proto
        wanted = np.eye(*shape, k=k)
        found = ReferenceEvaluator(result).run(None, feed)[0]
        np.testing.assert_array_equal(np.asarray(found, dtype=np.float64), wanted)
    if dtype in (0, 1, 7):
        prove(text, EYE)
    assert builds(result) and not builds(text)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(-6, 7)), min_size=1, max_size=3),
    st.sampled_from(["int32", "int64"]),
    st.booleans(),
    st.sampled_from([10, 13, 18]),
)
def test_slice_without_axes_or_steps(bounds: list[tuple[int, int]], dtype: str, later: bool, opset: int) -> None:
    starts, ends = ([str(item[side]) for item in bounds] for side in (0, 1))
    count = len(bounds)
    constants = f"{dtype}[{count}] e = {{{', '.join(ends)}}}"
    constants += "" if later else f", {dtype}[{count}] s = {{{', '.join(starts)}}}"
    start = f", {dtype}[{count}] s" if later else ""
    text = f"""<ir_version: 8, opset_import: ["" : {opset}]>
    g (float[4,N,2] x{start}) => (float[A,B,C] y) <{constants}> {{ y = Slice (x, s, e) }}"""
    feed: dict[str, Any] = {"x": np.arange(24, dtype=np.float32).reshape(4, 3, 2)}
    if later:
        feed["s"] = np.array([int(start) for start in starts], dtype=dtype)
    prove(text, SLICE, feed)


def test_the_target_takes_the_slice() -> None:
    for dtype, axes in (("int64", ""), ("int32", ", a")):
        given_axes = f", {dtype}[1] a = {{0}}" if axes else ""
        text = f"""g (float[4,3,2] x) => (float[2,3,2] y) <{dtype}[1] s = {{0}}, {dtype}[1] e = {{2}}{given_axes}>
        {{ y = Slice (x, s, e{axes}) }}"""
        assert not builds(text)
        assert builds(prove(text, SLICE))


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("opset", [11, 12, 13, 18])
@pytest.mark.parametrize("keep", [0, 1])
def test_the_place_of_the_largest_of_a_vector(op: str, opset: int, keep: int) -> None:
    last = ", select_last_index = 1" if opset >= 12 else ""
    text = f"""<ir_version: 8, opset_import: ["" : {opset}]>
    g (float[N] x) => (int64{"[1]" * keep} y) {{ y = {op} <axis = -1, keepdims = {keep}{last}> (x) }}"""
    result = prove(text, ARG, {"x": np.array([2, 5, -1, 5, -1, -np.inf, 5], np.float32)})
    assert builds(result) and not builds(text)


@pytest.mark.parametrize(
    "text",
    [
        "g (float[3,4,2] x, int64[1] a) => (float[3,1,2] y) { y = ReduceMean (x, a) }",
        "g (float[3,1,2] x, int64[1] a) => (float[3,1,2] y) { y = ReduceSum (x, a) }",
        "g (float[3,4,2] x, int64[2] a) => (float[4] y) { y = ReduceMax <keepdims = 0> (x, a) }",
        "g (float[3,4] x, int64[0] a) => (float[1,1] y) { y = ReduceSum (x, a) }",
        "g (float[N,3] x, int64[2] a) => (float[1,N,3,1] y) { y = Unsqueeze (x, a) }",
        "g (float[1,3,1,N] x, int64[1] a) => (float[1,3,N] y) { y = Squeeze (x, a) }",
        "g (float[3,4,2] x, int64[1] a) => (float[3,1,2] y) { r = ReduceSum (x, a) y = Sqrt (r) }",
    ],
)
def test_axes_that_the_shapes_tell(text: str) -> None:
    assert not builds(text)
    assert builds(prove(text, AXES))


@pytest.mark.parametrize(
    "text",
    [
        "g (float[3,N] x, int64[1] a) => (float[M] y) { y = ReduceSum <keepdims = 0> (x, a) }",
        "g (float[3,4] x, int64[K] a) => (float[1,4] y) { y = ReduceSum (x, a) }",
    ],
)
def test_axes_that_the_shapes_do_not_tell(text: str) -> None:
    assert "do not tell" in reason(text, AXES)


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMax", "ReduceLogSumExp"])
@pytest.mark.parametrize("kind", ["float", "double"])
def test_every_choice_of_axes_that_fits(op: str, kind: str) -> None:
    text = f"g ({kind}[2,2,2,3] x, int64[2] a) => ({kind}[2,3] y) {{ y = {op} <keepdims = 0> (x, a) }}"
    x = np.random.default_rng(0).normal(size=(2, 2, 2, 3)).astype(np.float32 if kind == "float" else np.float64)
    feeds = [{"x": x, "a": np.array(axes)} for axes in ([0, 1], [2, 0], [-2, 1], [1, -4])]
    assert builds(prove(text, AXES, *feeds)) and not builds(text)


@pytest.mark.parametrize("kind", ["float", "double"])
@pytest.mark.parametrize("follows", ["y = Range (a, b, d)", "r = Range (a, b, d) y = Neg (r)"])
def test_a_declared_number_of_floats(kind: str, follows: str) -> None:
    text = f"g ({kind} a, {kind} b, {kind} d) => ({kind}[5] y) {{ {follows} }}"
    numpy = np.float32 if kind == "float" else np.float64
    numbers = ([0, 5, 1], [1.5, 2.4, 0.2], [3, -2, -1.2])
    feeds = [dict(zip("abd", (np.array(number, dtype=numpy) for number in row), strict=True)) for row in numbers]
    result = prove(text, RANGE, *feeds)
    assert builds(result) and not builds(text)
    prove(text, RANGE)


@pytest.mark.parametrize("form", ["", "<exclusive = 1, reverse = 1>"])
@pytest.mark.parametrize("kind", ["int32", "int64"])
@pytest.mark.parametrize(("dims", "shape"), [("N,3", (2, 3)), ("2,M,4", (2, 3, 4))])
def test_sums_along_an_axis_of_run_time(form: str, kind: str, dims: str, shape: tuple[int, ...]) -> None:
    text = f"g (float[{dims}] x, {kind} a) => (float[{dims}] y) {{ y = CumSum {form} (x, a) }}"
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    feeds = [{"x": x, "a": np.array(axis, dtype=kind)} for axis in range(-len(shape), len(shape))]
    assert builds(prove(text, ANY, *feeds))
