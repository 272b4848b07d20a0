"""Poolings written in slices and in poolings of one axis, against ONNX Runtime and TensorRT-RTX."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, model_of, outcome_of, prove, reason


@st.composite
def pooling(draw: st.DrawFn, *, dilated: bool) -> tuple[str, list[int], list[str]]:
    """(attributes, shape of the input, its dimensions as text, some of them symbolic)."""
    rank = draw(st.integers(1, 3))
    kernel = draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank))
    dilations = [draw(st.integers(1, 3)) for _ in kernel]
    if dilated and max(dilations) == 1:
        dilations[0] = 2
    strides = [draw(st.integers(1, 3)) for _ in kernel]
    pads = [draw(st.integers(0, size - 1)) for size in kernel + kernel]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    shape = [draw(st.integers(1, 2)), draw(st.integers(1, 2)), *(span + draw(st.integers(0, 5)) for span in spans)]
    known = draw(st.booleans())
    dims = [str(size) if known or axis == 1 else f"D{axis}" for axis, size in enumerate(shape)]
    ceil = draw(st.integers(0, 1))
    if not known and any(end + s - 1 >= span for end, s, span in zip(pads[rank:], strides, spans, strict=True)):
        ceil = 0
    attributes = (
        f"kernel_shape = {kernel}, dilations = {dilations}, strides = {strides}, pads = {pads}, ceil_mode = {ceil}"
    )
    return attributes, shape, dims


def output(dims: list[str], dtype: str = "float") -> str:
    return f"{dtype}[{', '.join([*dims[:2], *(f'O{axis}' for axis in range(2, len(dims)))])}]"


def values(shape: list[int], seed: int, *, infinite: bool = False) -> np.ndarray[Any, Any]:
    """Small whole numbers, so that many are equal."""
    x = np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)
    return np.where(x == -3, -np.inf, np.where(x == 3, np.inf, x)).astype(np.float32) if infinite else x


@settings(max_examples=25, deadline=None)
@given(pooling(dilated=True), st.integers(0, 99))
def test_a_dilated_max_pool(form: tuple[str, list[int], list[str]], seed: int) -> None:
    attributes, shape, dims = form
    text = f"g (float[{', '.join(dims)}] x) => ({output(dims)} y) {{ y = MaxPool <{attributes}> (x) }}"
    prove(model_of(text, 12), "OFX735", {"x": values(shape, seed, infinite=True)})


@settings(max_examples=25, deadline=None)
@given(pooling(dilated=False), st.integers(0, 1), st.integers(0, 99))
def test_indices_are_those_of_the_first_maximum(form: tuple[str, list[int], list[str]], order: int, seed: int) -> None:
    attributes, shape, dims = form
    given = f"float[{', '.join(dims)}] x"
    text = (
        f"g ({given}) => ({output(dims)} y, {output(dims, 'int64')} i) "
        f"{{ y, i = MaxPool <{attributes}, storage_order = {order}> (x) }}"
    )
    prove(model_of(text, 12), "OFX736", {"x": values(shape, seed, infinite=True)})


@settings(max_examples=25, deadline=None)
@given(pooling(dilated=True), st.integers(0, 1), st.integers(0, 99))
def test_a_dilated_average_pool(form: tuple[str, list[int], list[str]], included: int, seed: int) -> None:
    attributes, shape, dims = form
    text = (
        f"g (float[{', '.join(dims)}] x) => ({output(dims)} y) "
        f"{{ y = AveragePool <{attributes}, count_include_pad = {included}> (x) }}"
    )
    prove(model_of(text, 19), "OFX737", {"x": values(shape, seed)})


@settings(max_examples=20, deadline=None)
@given(pooling(dilated=False), st.integers(1, 4), st.integers(0, 99))
def test_an_lp_pool_of_any_norm(form: tuple[str, list[int], list[str]], p: int, seed: int) -> None:
    attributes, shape, dims = form
    attributes = attributes.replace("ceil_mode = 1", "ceil_mode = 0")
    text = f"g (float[{', '.join(dims)}] x) => ({output(dims)} y) {{ y = LpPool <{attributes}, p = {p}> (x) }}"
    prove(model_of(text, 18), "OFX738", {"x": values(shape, seed)})


@pytest.mark.parametrize("p", [1, 3, 5])
def test_a_global_lp_pool_of_an_odd_norm(p: int) -> None:
    """TensorRT-RTX builds it without absolute values, so the rule does not wait for a refusal."""
    text = f"g (float[N,2,A,B] x) => (float[N,2,1,1] y) {{ y = GlobalLpPool <p = {p}> (x) }}"
    assert builds(model_of(text))
    assert builds(prove(model_of(text), "OFX739", {"x": values([2, 2, 3, 4], 0)}))


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("indices", [False, True])
def test_small_integers_are_pooled_as_floats(dtype: str, indices: bool) -> None:
    second = (", int64[1,1,O,P] i", ", i") if indices else ("", "")
    text = (
        f"g ({dtype}[1,1,A,B] x) => ({dtype}[1,1,O,P] y{second[0]}) "
        f"{{ y{second[1]} = MaxPool <kernel_shape = [2, 2], pads = [1, 1, 1, 1]> (x) }}"
    )
    limits = np.iinfo(dtype)
    x = np.array([limits.min, limits.max, 0, 1, limits.min, limits.min], dtype=dtype).reshape(1, 1, 2, 3)
    prove(model_of(text, 12), "OFX736" if indices else "OFX735", {"x": x})


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("attributes", ["", ", pads = [40, 9, 3, 40], strides = [60, 70], ceil_mode = 1"])
def test_a_window_that_is_too_large(operator: str, attributes: str) -> None:
    sizes = "400,400" if not attributes else "500,450"
    text = (
        f"g (float[1,1,{sizes}] x) => (float[1,1,A,B] y) "
        f"{{ y = {operator} <kernel_shape = [400, 400]{attributes}> (x) }}"
    )
    before = model_of(text, 13)
    code = "OFX735" if operator == "MaxPool" else "OFX737"
    x = np.random.default_rng(0).random([1, 1, *map(int, sizes.split(","))]).astype(np.float32)
    after = prove(before, code, {"x": x})
    assert not builds(before)
    assert builds(after)


@pytest.mark.parametrize("automatic", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_automatic_padding(automatic: str) -> None:
    text = (
        "g (float[1,1,7,8] x) => (float[1,1,A,B] y, int64[1,1,A,B] i) "
        f'{{ y, i = MaxPool <kernel_shape = [3, 2], strides = [2, 3], auto_pad = "{automatic}"> (x) }}'
    )
    prove(model_of(text, 12), "OFX736", {"x": values([1, 1, 7, 8], 1)})


def test_padding_that_depends_on_an_unknown_size_is_refused() -> None:
    text = (
        "g (float[1,1,A] x) => (float[1,1,B] y, int64[1,1,B] i) "
        '{ y, i = MaxPool <kernel_shape = [2], strides = [2], auto_pad = "SAME_UPPER"> (x) }'
    )
    assert "SAME_UPPER on an axis of unknown size" in reason(model_of(text, 12), "OFX736")


def test_a_window_of_nothing_but_minus_infinity_stays_so() -> None:
    node = "y = MaxPool <kernel_shape = [2], dilations = [2], pads = [1, 1]> (x)"
    text = f"g (float[1,1,N] x) => (float[1,1,M] y) {{ {node} }}"
    prove(model_of(text, 12), "OFX735", {"x": np.full((1, 1, 4), -np.inf, np.float32)})


@pytest.mark.parametrize(
    ("opset", "dtype", "node", "code"),
    [
        (12, "float16", "y = MaxPool <kernel_shape = [2, 2], dilations = [2, 1], pads = [0, 1, 0, 1]> (x)", "OFX735"),
        (
            19,
            "float16",
            "y = AveragePool <kernel_shape = [2, 2], dilations = [2, 1], pads = [1, 1, 1, 1]> (x)",
            "OFX737",
        ),
        (18, "float", "y = LpPool <kernel_shape = [2, 2], p = 3> (x)", "OFX738"),
        (12, "uint8", "y = MaxPool <kernel_shape = [2, 2]> (x)", "OFX735"),
        (12, "float", "y, i = MaxPool <kernel_shape = [2, 2], storage_order = 1> (x)", "OFX736"),
    ],
)
def test_tensorrt_takes_the_result_only(opset: int, dtype: str, node: str, code: str) -> None:
    second = ", int64[N,2,C,D] i" if "i =" in node else ""
    before = model_of(f"g ({dtype}[N,2,A,B] x) => ({dtype}[N,2,C,D] y{second}) {{ {node} }}", opset)
    feeds = {"x": np.random.default_rng(0).integers(0, 9, (2, 2, 5, 6)).astype({"float": "float32"}.get(dtype, dtype))}
    after = prove(before, code, feeds)
    assert not builds(before)
    assert builds(after)


@settings(max_examples=40, deadline=None)
@given(pooling(dilated=False), st.sampled_from(["MaxPool", "AveragePool", "LpPool"]), st.integers(0, 99))
def test_a_last_window_behind_the_data_is_dropped(
    form: tuple[str, list[int], list[str]], operator: str, seed: int
) -> None:
    attributes, shape, _ = form
    attributes = attributes.replace("ceil_mode = 0", "ceil_mode = 1")
    attributes = re.sub(r"dilations = \[[^]]*\], ", "", attributes)
    dims = [str(size) for size in shape]
    text = f"g (float[{', '.join(dims)}] x) => ({output(dims)} y) {{ y = {operator} <{attributes}> (x) }}"
    outcome = outcome_of(model_of(text), "OFX754")
    assume(outcome.journal)
    prove(model_of(text), "OFX754", {"x": values(shape, seed)})


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads", "said"),
    [
        ("N", 1, 2, [0, 0], True),  # always
        ("N", 2, 2, [0, 0], False),  # never
        ("N", 2, 3, [1, 1], True),
        ("4", 3, 3, [1, 1], False),  # none is added
        ("5", 3, 3, [1, 1], True),
        ("6", 3, 3, [1, 1], False),
    ],
)
def test_which_windows_are_dropped(size: str, kernel: int, stride: int, pads: list[int], said: bool) -> None:
    node = f"MaxPool <kernel_shape = [{kernel}], strides = [{stride}], pads = {pads}, ceil_mode = 1>"
    text = f"g (float[1,1,{size}] x) => (float[1,1,M] y) {{ y = {node} (x) }}"
    assert bool(outcome_of(model_of(text), "OFX754").journal) == said


def test_a_size_may_tell_whether_a_window_is_dropped() -> None:
    node = "y = MaxPool <kernel_shape = [3], strides = [3], pads = [1, 1], ceil_mode = 1> (x)"
    text = f"g (float[1,1,N] x) => (float[1,1,M] y) {{ {node} }}"
    assert "depends on a size" in reason(model_of(text), "OFX754")
