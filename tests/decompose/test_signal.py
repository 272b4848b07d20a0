"""Fourier transforms as matrix products, against ONNX Runtime, onnx.reference and TensorRT-RTX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.decompose import signal
from tests.decompose.proving import builds, evaluated, model_of, outcome_of, prove, reason, unsafe


def numbers(shape: list[int], seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=4),
    st.data(),
    st.sampled_from([1, 2]),
    st.booleans(),
    st.sampled_from([17, 20]),
    st.none() | st.integers(1, 12),
)
def test_a_transform_of_any_length_and_axis(
    shape: list[int], data: st.DataObject, parts: int, inverse: bool, opset: int, length: int | None
) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    onesided = parts == 1 and not inverse and data.draw(st.booleans())
    dims = [str(size) if i == axis or data.draw(st.booleans()) else f"D{i}" for i, size in enumerate(shape)]
    outs = ",".join(f"O{i}" for i in range(len(shape) + 1))
    place = f", axis = {axis}" if opset == 17 else ""
    given_length = "length" if length else '""'
    inputs = f"x, {given_length}, axis" if opset == 20 else f"x, {given_length}" if length else "x"
    proto = model_of(
        f"g (float[{','.join(dims)},{parts}] x) => (float[{outs}] y) "
        f"<int64 length = {{{length or 1}}}, int64 axis = {{{axis}}}> "
        f"{{ y = DFT <inverse = {int(inverse)}, onesided = {int(onesided)}{place}> ({inputs}) }}",
        opset,
    )
    prove(proto, "OFX746", {"x": numbers([*shape, parts])})


@pytest.mark.parametrize("length", [None, 7, 8, 12, 3])
def test_the_inverse_of_a_one_sided_transform(length: int | None) -> None:
    """ONNX Runtime has none, so the reference implementation is asked."""
    inputs = "x, length" if length else "x"
    before = model_of(
        f"g (float[2,5,2] x) => (float[A,B,1] y) <int64 length = {{{length or 1}}}> "
        f"{{ y = DFT <inverse = 1, onesided = 1> ({inputs}) }}",
        20,
    )
    after = outcome_of(before, "OFX746").model.proto
    feeds = {"x": numbers([2, 5, 2])}
    expected, found = (evaluated(proto, feeds)[0] for proto in (before, after))
    assert expected.shape == found.shape
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_transform_and_its_inverse_give_the_signal_back() -> None:
    proto = model_of("g (float[1,6,2] x) => (float[1,6,2] y) { s = DFT (x) y = DFT <inverse = 1> (s) }", 20)
    after = outcome_of(proto, "OFX746").model.proto
    x = numbers([1, 6, 2])
    np.testing.assert_allclose(evaluated(after, {"x": x})[0], x, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("g (float[2,N,1] x) => (float[2,M,2] y) { y = DFT (x) }", "unknown size"),
        ("g (float[2,4,1] x, int64 n) => (float[2,M,2] y) { y = DFT (x, n) }", "dft_length is not a constant"),
        ("g (float[2,4,2] x) => (float[2,M,2] y) { y = DFT <onesided = 1> (x) }", "of real values"),
        (
            'g (float[2,4,1] x, int64 a) => (float[L,M,2] y) { y = DFT <onesided = 1> (x, "", a) }',
            "axis is not a constant",
        ),
        ("g (float[2,0,1] x) => (float[2,0,2] y) { y = DFT (x) }", "nothing to transform"),
    ],
)
def test_what_is_not_known_is_refused(text: str, expected: str) -> None:
    assert expected in reason(model_of(text, 20), "OFX746")


@pytest.mark.parametrize("axis", [0, 1, 2, -2, -4])
def test_an_axis_that_only_running_can_tell_is_looked_up(axis: int) -> None:
    text = 'g (float[3,4,5,1] x, int64 axis) => (float[3,4,5,2] y) { y = DFT (x, "", axis) }'
    after = prove(model_of(text, 20), "OFX746", {"x": numbers([3, 4, 5, 1]), "axis": np.array(axis)})
    assert builds(after)


def test_the_declared_shape_tells_an_axis() -> None:
    text = 'g (float[3,4,5,1] x, int64 axis) => (float[3,3,5,2] y) { y = DFT <onesided = 1> (x, "", axis) }'
    after = prove(model_of(text, 20), "OFX746", {"x": numbers([3, 4, 5, 1]), "axis": np.array(-3)})
    assert "Where" not in {node.op_type for node in after.graph.node}


@pytest.mark.parametrize(
    ("window", "inputs"), [(", float[16] w", "x, step, w"), (", int64 length", 'x, step, "", length')]
)
def test_the_declared_shape_tells_the_frames(window: str, inputs: str) -> None:
    """128 samples, 15 frames, 9 frequencies: only frames of 16 with a step of 8 do that."""
    text = f"g (float[1,128,1] x, int64 step{window}) => (float[1,15,9,2] y) {{ y = STFT ({inputs}) }}"
    feeds = {"x": numbers([1, 128, 1]), "step": np.array(8), "w": numbers([16]), "length": np.array(16)}
    proto = model_of(text, 17)
    after = prove(proto, "OFX747", {value.name: feeds[value.name] for value in proto.graph.input})
    assert builds(after)


def test_a_large_matrix_needs_the_users_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "MOST_NUMBERS", 100)
    assert unsafe(model_of("g (float[1,8,2] x) => (float[1,8,2] y) { y = DFT (x) }", 20), "OFX746")


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 9), st.integers(1, 5), st.integers(0, 9), st.sampled_from([0, 1, 2]), st.booleans(), st.booleans()
)
def test_short_time_transforms(length: int, step: int, more: int, parts: int, windowed: bool, onesided: bool) -> None:
    onesided = onesided and parts < 2
    shape = [2, length + more, *([parts] if parts else [])]
    dims = f"N,T,{parts}" if parts else "N,T"
    window, inputs = (f", float[{length}] w", "x, step, w") if windowed else ("", 'x, step, "", length')
    proto = model_of(
        f"g (float[{dims}] x{window}) => (float[N,F,M,2] y) <int64 step = {{{step}}}, int64 length = {{{length}}}> "
        f"{{ y = STFT <onesided = {int(onesided)}> ({inputs}) }}",
        17,
    )
    feeds = {"x": numbers(shape)} | ({"w": numbers([length], 1)} if windowed else {})
    prove(proto, "OFX747", feeds)


@pytest.mark.parametrize(
    ("code", "text", "opset"),
    [
        ("OFX746", "g (float[N,8,B,1] x) => (float[N,5,B,2] y) { y = DFT <axis = 1, onesided = 1> (x) }", 17),
        ("OFX746", "g (float[N,B,7,2] x) => (float[N,B,7,2] y) { y = DFT <inverse = 1> (x) }", 20),
        ("OFX746", "g (float[N,B,7,2] x) => (float[N,B,12,1] y) { y = DFT <inverse = 1, onesided = 1> (x) }", 20),
        (
            "OFX747",
            "g (float[N,T,1] x, float[8] w) => (float[N,F,5,2] y) <int64 step = {4}> { y = STFT (x, step, w) }",
            17,
        ),
        (
            "OFX747",
            "g (float[N,T,2] x) => (float[N,F,8,2] y) <int64 step = {4}, int64 length = {8}> "
            '{ y = STFT <onesided = 0> (x, step, "", length) }',
            17,
        ),
    ],
)
def test_tensorrt_takes_the_result_only(code: str, text: str, opset: int) -> None:
    before = model_of(text, opset)
    assert not builds(before)
    assert builds(outcome_of(before, code).model.proto)
