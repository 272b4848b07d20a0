"""QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear in float give the numbers of ONNX Runtime."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.decompose.op import Op
from onnxfix.decompose.quantized import dequantize_linear
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.model.model import Array
from onnxfix.model.names import Names
from tests.decompose.proving import builds, evaluated, model_of, outcome_of, prove

TYPES = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}
EXTREMES = np.array([0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 1e30, -1e30, np.inf, -np.inf, 127.5, 128, 255.5], np.float32)


def _text(signature: str, constants: str, body: str, opset: int) -> str:
    return f'<ir_version: 10, opset_import: ["" : {opset}]>\ng {signature}\n<{constants}>\n{{ {body} }}'


def _numbers(values: Array | list[float]) -> str:
    return "{" + ", ".join(f"{float(value):.9f}" for value in values) + "}"


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(sorted(TYPES)),
    axis=st.integers(0, 2),
    scalar=st.booleans(),
    opset=st.sampled_from([13, 19, 21, 23]),
    seed=st.integers(0, 99),
)
def test_quantize_and_dequantize(kind: str, axis: int, scalar: bool, opset: int, seed: int) -> None:
    opset = max(opset, 21) if kind.endswith("16") else opset
    random, (low, high), shape = np.random.default_rng(seed), TYPES[kind], (2, 3, 4)
    count = 1 if scalar else shape[axis]
    scales = _numbers(random.uniform(0.01, 2, count))
    zeros = "{" + ", ".join(map(str, random.integers(low, high + 1, count))) + "}"
    dims = "" if scalar else f"[{count}]"
    constants = f"float{dims} s = {scales}, {kind}{dims} z = {zeros}"
    quantize = _text(
        f"(float[2,3,4] x) => ({kind}[2,3,4] y)", constants, f"y = QuantizeLinear<axis={axis}>(x, s, z)", opset
    )
    prove(quantize, "OFX756", {"x": random.normal(size=shape).astype(np.float32) * (high - low) / 4})
    dequantize = _text(
        f"({kind}[2,3,4] x) => (float[2,3,4] y)", constants, f"y = DequantizeLinear<axis={axis}>(x, s, z)", opset
    )
    prove(dequantize, "OFX757", {"x": random.integers(low, high + 1, shape).astype(kind)})


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_extremes_saturate_and_ties_go_to_even(kind: str) -> None:
    text = _text(
        f"(float[14] x) => ({kind}[14] y)", f"float s = {{1.0}}, {kind} z = {{3}}", "y = QuantizeLinear(x, s, z)", 13
    )
    prove(text, "OFX756", {"x": EXTREMES})


def test_zero_point_and_scale_that_are_computed_and_dynamic_sizes() -> None:
    text = """<ir_version: 10, opset_import: ["" : 19]>
    g (float[N,M] x, float s, uint8 z) => (uint8[N,M] y, float[N,M] w)
    { y = QuantizeLinear(x, s, z)
      w = DequantizeLinear(y, s, z) }"""
    feeds: dict[str, Array] = {
        "x": np.array([[1, 2, -3], [300, 4, 9]], np.float32),
        "s": np.array(0.5, np.float32),
        "z": np.array(7, np.uint8),
    }
    result = prove(text, "OFX75", feeds)
    assert {node.op_type for node in result.graph.node}.isdisjoint({"QuantizeLinear", "DequantizeLinear"})


@pytest.mark.parametrize("size", [6, 5])
def test_blocks(size: int) -> None:
    text = f"""<ir_version: 10, opset_import: ["" : 21]>
    g (float[2,{size}] x, float[2,2] s, uint8[2,2] z) => (uint8[2,{size}] y, float[2,{size}] w)
    {{ y = QuantizeLinear<axis = 1, block_size = 3>(x, s, z)
       w = DequantizeLinear<axis = 1, block_size = 3>(y, s, z) }}"""
    feeds: dict[str, Array] = {
        "x": np.arange(2 * size, dtype=np.float32).reshape(2, size) - 4,
        "s": np.array([[0.5, 1], [2, 0.25]], np.float32),
        "z": np.array([[1, 2], [3, 4]], np.uint8),
    }
    prove(text, "OFX75", feeds)


def test_half_precision_is_computed_in_float_and_int32_keeps_its_low_bits() -> None:
    half = """<ir_version: 10, opset_import: ["" : 19]>
    g (float16[9] x, float16 s, uint8 z) => (uint8[9] y, float16[9] w)
    { y = QuantizeLinear(x, s, z) w = DequantizeLinear(y, s, z) }"""
    feeds: dict[str, Array] = {
        "x": np.linspace(-3, 90, 9).astype(np.float16),
        "s": np.array(0.37, np.float16),
        "z": np.array(3, np.uint8),
    }
    prove(half, "OFX75", feeds)
    whole = """<ir_version: 10, opset_import: ["" : 13]>
    g (int32[3] x, float s) => (float[3] y) { y = DequantizeLinear(x, s) }"""
    prove(whole, "OFX757", {"x": np.array([2**31 - 1, -(2**31), 16777217], np.int32), "s": np.array(0.5, np.float32)})


def test_constant_weights_stay_8_bits_wide_where_they_fit() -> None:
    """The Op's first answer; a target that refuses that too gets floats (the rule's example)."""
    text = _text(
        "(float[2,2] x) => (float[2,2] y)",
        "uint8[2,2] w = {100, 120, 140, 255}, float s = {0.5}, uint8 z = {128}",
        "d = DequantizeLinear(w, s, z) y = MatMul(x, d)",
        13,
    )
    first = outcome_of(text, "OFX757").journal[0]
    assert "DequantizeLinear" in first.after[0]
    prove(text, "OFX757")
    assert builds(outcome_of(text, "OFX757").model.proto)


@pytest.mark.parametrize(("zero", "kept"), [(8, "INT4"), (3, "INT8")])
def test_uint4_weights_stay_small(zero: int, kept: str) -> None:
    text = _text(
        "(float[2,4] x) => (float[2,2] y)",
        f"float s = {{0.5}}, uint4 z = {{{zero}}}",
        "d = DequantizeLinear(w, s, z) y = MatMul(x, d)",
        21,
    )
    model = model_of(text)
    weights = np.array([[0, 1], [7, 8], [9, 15], [3, 4]]).astype(ml_dtypes.uint4)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    scope = typed_scopes(load(model))[0][0]
    op = Op(scope, 0, Names([scope]))
    dequantize_linear(op)
    assert onnx.TensorProto.DataType.Name(op.edit().initializers[1].data_type) == kept
    prove(model, "OFX757")


def test_uint8_around_128_becomes_int8_around_0() -> None:
    text = _text(
        "(float[2,3] x) => (float[2,3] y)",
        "float s = {0.5}, uint8 z = {128}",
        "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)",
        13,
    )
    result = prove(text, "OFX755", {"x": np.array([[1, -200, 3.25], [63.5, 64, -64.25]], np.float32)})
    assert not builds(text) and builds(result)


@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=12), rank=st.integers(1, 3))
def test_dynamic_quantization(values: list[float], rank: int) -> None:
    x = np.array(values, np.float32).reshape([1] * (rank - 1) + [-1])
    dims = ",".join(map(str, x.shape))
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (float[{dims}] x) => (uint8[{dims}] y, float s, uint8 z) {{ y, s, z = DynamicQuantizeLinear(x) }}"""
    result = prove(text, "OFX758", {"x": x})
    assert "DynamicQuantizeLinear" not in {node.op_type for node in result.graph.node}


def test_dynamic_quantization_of_zeros_and_in_the_engine() -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float[4] x) => (uint8[4] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }"""
    result = prove(text, "OFX758", {"x": np.zeros(4, np.float32)})
    assert not builds(text) and builds(result)


def test_float8_is_what_the_reference_says() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    g (float[5] x, float s) => (float8e5m2[5] y) { y = QuantizeLinear<output_dtype = 19>(x, s) }"""
    feeds = {"x": np.array([0.1, -3, 7.7, 1e9, 0.3], np.float32), "s": np.array(0.5, np.float32)}
    before, after = model_of(text), outcome_of(text, "OFX756").model.proto
    assert [node.op_type for node in after.graph.node][-1] == "Cast"
    old, new = (np.asarray(evaluated(model, feeds)[0]).astype(np.float32) for model in (before, after))
    np.testing.assert_array_equal(old, new)
