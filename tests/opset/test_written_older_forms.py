"""Ranges, sums, grids, sums of products, slices and pads that an older opset cannot say as the newer one does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from onnxfix.fixpoint.conversion import blockers_of, convert
from onnxfix.model import load
from tests.opset.conversions import brought, model_of, reasons, rules
from tests.opset.test_written_older import NUMBERS, TARGETS, few, numbers


@few
@given(start=st.integers(-5, 5), limit=st.integers(-5, 9), delta=st.sampled_from([1, 2, -1, -3]))
def test_range(start: int, limit: int, delta: int) -> None:
    model = model_of(13, "g (int64 a, int64 b, int64 d) => (int64[N] y) { y = Range (a, b, d) }")
    feeds = {name: np.array(value) for name, value in (("a", start), ("b", limit), ("d", delta))}
    for target in (7, 10):
        brought(model, target, **feeds)


@few
@given(
    exclusive=st.integers(0, 1), reverse=st.integers(0, 1), axis=st.integers(-2, 1), target=TARGETS, whole=st.booleans()
)
def test_cumulative_sum(exclusive: int, reverse: int, axis: int, target: int, whole: bool) -> None:
    kind = "int32" if whole else "float"
    model = model_of(
        14,
        f"""g ({kind}[3,5] x) => ({kind}[3,5] y) <int64 a = {{{axis}}}>
        {{ y = CumSum <exclusive = {exclusive}, reverse = {reverse}> (x, a) }}""",
    )
    values = np.arange(-7, 8).reshape(3, 5).astype(np.int32) if whole else numbers(3, 5)
    brought(model, target, x=values)


@pytest.mark.parametrize("target", [7, 9])
def test_expand_and_fill(target: int) -> None:
    model = model_of(
        13,
        """g (float[2,1] x, int64[3] s) => (float[A,B,C] y, int64[D,E,F] z) {
        y = Expand (x, s)
        z = ConstantOfShape <value = int64[1] {4}> (s)
    }""",
    )
    brought(model, target, x=NUMBERS[:2].reshape(2, 1), s=np.array([2, 1, 3]))


@few
@given(
    mode=st.sampled_from(["bilinear", "nearest", "bicubic"]),
    padding=st.sampled_from(["zeros", "border", "reflection"]),
    corners=st.integers(0, 1),
    target=st.sampled_from([9, 11, 13, 15]),
)
def test_grid_sample(mode: str, padding: str, corners: int, target: int) -> None:
    model = model_of(
        16,
        f"""g (float[N,2,3,4] x, float[N,5,6,2] p) => (float[N,2,5,6] y)
        {{ y = GridSample <mode = "{mode}", padding_mode = "{padding}", align_corners = {corners}> (x, p) }}""",
    )
    places = np.random.default_rng(5).uniform(-1.9, 1.9, (2, 5, 6, 2)).astype(np.float32)
    brought(model, target, x=numbers(2, 2, 3, 4), p=places)


@few
@given(mode=st.sampled_from(["linear", "nearest"]), padding=st.sampled_from(["zeros", "border", "reflection"]))
def test_grid_sample_of_volumes(mode: str, padding: str) -> None:
    model = model_of(
        20,
        f"""g (float[1,2,2,3,4] x, float[1,2,2,3,3] p) => (float[1,2,2,2,3] y)
        {{ y = GridSample <mode = "{mode}", padding_mode = "{padding}"> (x, p) }}""",
    )
    places = np.random.default_rng(6).uniform(-1.4, 1.4, (1, 2, 2, 3, 3)).astype(np.float32)
    for target in (19, 11):
        brought(model, target, x=numbers(1, 2, 2, 3, 4), p=places)


@pytest.mark.parametrize("target", [7, 11])
@pytest.mark.parametrize(
    ("equation", "left", "right", "result"),
    [
        ("ij,jk->ik", "2,3", "3,4", "2,4"),
        ("bhid,bhjd->bhij", "2,2,3,4", "2,2,5,4", "2,2,3,5"),
        ("i,j->ij", "3", "4", "3,4"),
        ("ij,ij->", "2,3", "2,3", ""),
        ("...ij,jk->...ki", "2,2,3", "3,4", "2,4,2"),
        ("ijk,ljk->il", "2,3,4", "5,3,4", "2,5"),
        ("ba,a", "2,3", "3", "2"),
    ],
)
def test_einsum(equation: str, left: str, right: str, result: str, target: int) -> None:
    output = f"float[{result}]" if result else "float"
    model = model_of(
        12,
        f"""g (float[{left}] a, float[{right}] b) => ({output} y)
        {{ y = Einsum <equation = "{equation}"> (a, b) }}""",
    )
    a, b = (numbers(*map(int, shape.split(","))) for shape in (left, right))
    brought(model, target, a=a, b=b)


def test_a_diagonal_stays_a_blocker() -> None:
    model = model_of(12, 'g (float[3,3] a) => (float[3] y) { y = Einsum <equation = "ii->i"> (a) }')
    assert "opset 11 has no operator Einsum" in reasons(model, 11)


@few
@example(start=-7, end=-9, step=-1, constant=True)
@example(start=-7, end=-9, step=-1, constant=False)
@given(start=st.integers(-7, 7), end=st.integers(-9, 7), step=st.sampled_from([1, 2, -1, -2]), constant=st.booleans())
def test_slices(start: int, end: int, step: int, constant: bool) -> None:
    inputs = "" if constant else ", int64[1] a, int64[1] b"
    stored = f"int64[1] a = {{{start}}}, int64[1] b = {{{end}}}, " if constant else ""
    model = model_of(
        13,
        f"""g (float[2,5] x{inputs}) => (float[2,N] y)
        <{stored}int64[1] c = {{-1}}, int64[1] d = {{{step}}}> {{ y = Slice (x, a, b, c, d) }}""",
    )
    bounds = {} if constant else {"a": np.array([start]), "b": np.array([end])}
    brought(model, 9, x=numbers(2, 5), **bounds)


@pytest.mark.parametrize("target", [9, 11, 12])
def test_split_sizes_that_are_computed(target: int) -> None:
    model = model_of(
        13,
        """g (float[6,2] x, int64[3] s) => (float[A,2] a, float[B,2] b, float[C,2] c)
        { a, b, c = Split (x, s) }""",
    )
    brought(model, target, x=numbers(6, 2), s=np.array([1, 3, 2]))


@pytest.mark.parametrize("target", [11, 13, 17])
@pytest.mark.parametrize("constant", [True, False])
def test_pads_of_some_axes(target: int, constant: bool) -> None:
    axes = "<int64[2] a = {-1, 0}>" if constant else ""
    model = model_of(
        18,
        f"""g (float[2,3,4] x, int64[4] p{"" if constant else ", int64[2] a"}) => (float[A,B,C] y) {axes}
        {{ y = Pad (x, p, , a) }}""",
    )
    feeds = {} if constant else {"a": np.array([-1, 0])}
    brought(model, target, x=numbers(2, 3, 4), p=np.array([1, 0, -1, 2]), **feeds)


@few
@given(dtype=st.sampled_from(["int8", "int16", "uint8", "uint16"]), operator=st.sampled_from(["Add", "Sub", "Mul"]))
def test_narrow_integers_wrap_around_alike(dtype: str, operator: str) -> None:
    limits = np.iinfo(dtype)
    values = np.array([limits.min, limits.min + 1, 3, limits.max // 2, limits.max], dtype=dtype)
    model = model_of(14, f"g ({dtype}[5,1] a, {dtype}[1,5] b) => ({dtype}[5,5] y) {{ y = {operator} (a, b) }}")
    brought(model, 11, a=values.reshape(-1, 1), b=values.reshape(1, -1))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("target", [7, 9])
def test_reverse_sequence_and_one_hot(axis: int, target: int) -> None:
    model = model_of(
        11,
        f"""g (float[3,3,2] x, int64[3] n) => (float[3,3,2] y, float[3,4] z)
        <int64 d = {{4}}, float[2] v = {{-1, 2}}> {{
        y = ReverseSequence <time_axis = {axis}, batch_axis = {1 - axis}> (x, n)
        z = OneHot (n, d, v)
    }}""",
    )
    brought(model, target, x=np.resize(NUMBERS, (3, 3, 2)), n=np.array([1, 3, 2]))


@settings(max_examples=12, deadline=None)
@given(
    operator=st.sampled_from(["MaxPool", "AveragePool"]),
    kernel=st.integers(2, 3),
    stride=st.integers(1, 3),
    pad=st.integers(0, 1),
    include=st.integers(0, 1),
    size=st.integers(4, 7),
)
def test_rounded_up_pools(operator: str, kernel: int, stride: int, pad: int, include: int, size: int) -> None:
    more = f", count_include_pad = {include}" if operator == "AveragePool" else ""
    model = model_of(
        19,
        f"""g (float[1,1,{size},{size}] x) => (float[1,1,A,B] y) {{ y = {operator} <ceil_mode = 1,
        kernel_shape = [{kernel},{kernel}], strides = [{stride},{stride}], pads = [{pad},{pad},{pad},{pad}]{more}>
        (x) }}""",
    )
    for target in (18, 9):
        brought(model, target, x=numbers(1, 1, size, size))


def test_sequences_keep_their_types() -> None:
    model = model_of(
        28, "g (float[4] x) => (float[4] y) { s = SplitToSequence (x) y = ConcatFromSequence <axis = 0> (s) }"
    )
    brought(model, 13, x=numbers(4))


def test_an_affine_grid_is_written_with_scalars() -> None:
    model = model_of(
        20,
        """g (float[1,2,3] t) => (float[1,2,3,2] y) <int64[4] s = {1, 1, 2, 3}>
        { y = AffineGrid <align_corners = 1> (t, s) }""",
    )
    brought(model, 11, t=numbers(1, 2, 3))


@pytest.mark.parametrize("operator", ["ReduceMax", "ReduceMin"])
def test_extremes_of_bools(operator: str) -> None:
    model = model_of(20, f"""g (bool[2,3,2] x) => (bool[2,1,2] y) <int64[1] a = {{1}}> {{ y = {operator} (x, a) }}""")
    brought(model, 11, x=np.resize(np.array([True, False, False]), (2, 3, 2)))


@pytest.mark.parametrize("operator", ["ReduceMax", "ReduceMin"])
def test_the_extreme_of_no_bools(operator: str) -> None:
    """ONNX Runtime has no kernel for this, ONNX's reference has."""
    model = model_of(20, f"""g (bool[2,0,2] x) => (bool[2,1,2] y) <int64[1] a = {{1}}> {{ y = {operator} (x, a) }}""")
    outcome = convert(load(model), 13, rules())
    assert not blockers_of(outcome)
    nothing = {"x": np.zeros((2, 0, 2), dtype=bool)}
    wanted, found = (list(ReferenceEvaluator(m).run(None, nothing)) for m in (model, outcome.model.proto))
    assert np.array_equal(wanted[0], found[0]) and wanted[0].all() == (operator == "ReduceMin")
