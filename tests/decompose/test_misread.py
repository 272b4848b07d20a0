"""What TensorRT builds and computes wrongly is rewritten, and only that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import onnxfix
from tests.decompose.proving import builds, model_of, prove, reason

HEAD = '<ir_version: 10, opset_import: ["" : {}]>\n'


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from(["float", "int64", "bool", "float16"]), st.integers(-6, 6))
def test_trilu_says_which_triangle(rows: int, columns: int, dtype: str, k: int) -> None:
    kind = f"{dtype}[2,{rows},{columns}]"
    text = f"g ({kind} x) => ({kind} y) <int64 k = {{{k}}}> {{ y = Trilu(x, k) }}"
    after = prove(HEAD.format(14) + text, "OFX731")
    assert [(node.op_type, node.attribute[0].i) for node in after.graph.node] == [("Trilu", 1)]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.integers(1, 5),
    st.sampled_from(["float", "float16"]),
    st.sampled_from([18, 21]),
)
def test_one_group_is_normalized_by_its_definition(spatial: list[int], channels: int, dtype: str, opset: int) -> None:
    shape = ",".join(map(str, (2, channels, *spatial)))
    weights = channels if opset >= 21 else 1
    text = f"""g ({dtype}[{shape}] x, {dtype}[{weights}] s, {dtype}[{weights}] b) => ({dtype}[{shape}] y)
    {{ y = GroupNormalization <num_groups = 1, epsilon = 0.01> (x, s, b) }}"""
    assert "GroupNormalization" not in {node.op_type for node in prove(HEAD.format(opset) + text, "OFX732").graph.node}


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(2, 3))
def test_columns_first_is_a_transpose(channels: int, high: int, wide: int, size: int) -> None:
    shape = f"N,{channels},{high * size},{wide * size}"
    text = f"""g (float[{shape}] x) => (float[N,{channels * size * size},{high},{wide}] y)
    {{ y = SpaceToDepth <blocksize = {size}, mode = "CRD"> (x) }}"""
    x = np.arange(2 * channels * high * wide * size * size, dtype=np.float32)
    prove(HEAD.format(28) + text, "OFX734", {"x": x.reshape(2, channels, high * size, wide * size)})


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-300, 300, width=32), min_size=6, max_size=6), st.sampled_from([0.25, 1.0, 0.1]))
def test_unsigned_numbers_above_127_survive(values: list[float], scale: float) -> None:
    text = f"""g (float[6] x) => (float[6] y) <float s = {{{scale}}}, uint8 z = {{0}}>
    {{ q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }}"""
    x = {"x": np.array([*values[:5], 255 * scale], dtype=np.float32)}
    floats = prove(prove(HEAD.format(13) + text, "OFX890", x), "OFX891", x)
    assert "QuantizeLinear" not in {node.op_type for node in floats.graph.node}


def test_an_unsigned_pair_is_repaired_although_it_builds(tmp_path: Path) -> None:
    text = """g (float[6] x) => (float[6] y) <float s = {0.5}, uint8 z = {0}>
    { q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }"""
    assert builds(HEAD.format(13) + text)
    onnx.save(model_of(HEAD.format(13) + text), tmp_path / "m.onnx")
    report = onnxfix.repair(tmp_path / "m.onnx", target="rtx")
    assert report.verdict.outcome == "passed" and report.output
    assert {fix.code for fix in report.fixes} >= {"OFX890", "OFX891"}


@pytest.mark.parametrize(
    ("text", "opset", "code"),
    [
        ("g (int64[4,5] x) => (int64[4,5] y) { y = Trilu(x) }", 14, "OFX731"),
        (
            "g (float[2,4,2] x, float[4] s, float[4] b) => (float[2,4,2] y) "
            "{ y = GroupNormalization <num_groups = 1> (x, s, b) }",
            21,
            "OFX732",
        ),
    ],
)
def test_the_engine_builds_before_and_after(text: str, opset: int, code: str) -> None:
    assert builds(HEAD.format(opset) + text)
    assert builds(prove(HEAD.format(opset) + text, code))


@pytest.mark.parametrize(
    ("text", "opset", "code"),
    [
        ("g (float[4,5] x) => (float[4,5] y) { y = Trilu <upper = 0> (x) }", 14, "OFX731"),
        ("g (float[6] x) => (uint8[6] y) <float s = {1}, uint8 z = {9}> { y = QuantizeLinear(x, s, z) }", 13, "OFX890"),
        ("g (int8[6] x) => (float[6] y) <float s = {1}> { y = DequantizeLinear(x, s) }", 13, "OFX891"),
    ],
)
def test_what_is_right_is_left_alone(text: str, opset: int, code: str) -> None:
    assert reason(HEAD.format(opset) + text, code) == ""
