"""Quantized operators of ONNX Runtime's own domain give its own numbers in float arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.model.model import Array
from tests.decompose.integers import LIMITS, drawn
from tests.decompose.proving import builds, prove

SCALES = (0.5, 0.25, 1.0, 0.0078, 0.0156, 0.02)
"""Powers of two and decimals of which sums lie on ties, or within a rounding of one."""


def _model(
    op_type: str, inputs: list[Array | None], fed: dict[int, Array], kind: str, **attributes: Any
) -> onnx.ModelProto:
    """One node; the inputs in `fed` are graph inputs, the others are stored."""
    names = [f"i{place}" if place in fed or value is not None else "" for place, value in enumerate(inputs)]
    stored = [
        onnx.numpy_helper.from_array(np.asarray(v), f"i{place}") for place, v in enumerate(inputs) if v is not None
    ]
    dims = [f"d{axis}" for axis in range(max(array.ndim for array in fed.values()))]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op_type, names, ["y"], domain="com.microsoft", **attributes)],
        "g",
        [
            onnx.helper.make_tensor_value_info(
                f"i{place}", onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for place, array in fed.items()
        ],
        [onnx.helper.make_tensor_value_info("y", onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)), dims)],
        stored,
    )
    imports = [onnx.helper.make_opsetid("", 13), onnx.helper.make_opsetid("com.microsoft", 1)]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)


def _scale(value: float) -> Array:
    return np.array(value, np.float32)


def _proven(op_type: str, inputs: list[Array | None], fed: dict[int, Array], kind: str, **attributes: Any) -> None:
    result = prove(
        _model(op_type, inputs, fed, kind, **attributes), "OFX763", {f"i{place}": array for place, array in fed.items()}
    )
    assert op_type not in {node.op_type for node in result.graph.node}


@settings(max_examples=20, deadline=None)
@given(
    op_type=st.sampled_from(["QLinearAdd", "QLinearMul"]),
    kind=st.sampled_from(sorted(LIMITS)),
    scales=st.tuples(*[st.sampled_from(SCALES)] * 3),
    seed=st.integers(0, 99),
    row=st.booleans(),
)
def test_two_operands(op_type: str, kind: str, scales: tuple[float, float, float], seed: int, row: bool) -> None:
    a, b = drawn(seed, kind, 4, 64), drawn(seed + 1, kind, *((64,) if row else (4, 64)))
    x, y, z = (drawn(seed + place, kind, 1).reshape(()) for place in (2, 3, 4))
    inputs = [None, _scale(scales[0]), x, None, _scale(scales[1]), y, _scale(scales[2]), z]
    _proven(op_type, inputs, {0: a, 3: b}, kind)


@settings(max_examples=20, deadline=None)
@given(
    op_type=st.sampled_from(["QLinearSigmoid", "QLinearLeakyRelu", "QLinearGlobalAveragePool", "QLinearAveragePool"]),
    kind=st.sampled_from(sorted(LIMITS)),
    scales=st.tuples(*[st.sampled_from(SCALES)] * 2),
    seed=st.integers(0, 99),
    last=st.booleans(),
)
def test_one_operand(op_type: str, kind: str, scales: tuple[float, float], seed: int, last: bool) -> None:
    attributes: dict[str, Any] = {}
    if op_type == "QLinearLeakyRelu":
        attributes["alpha"] = 0.125
    if op_type.endswith("Pool"):
        attributes["channels_last"] = int(last)
    if op_type == "QLinearAveragePool":
        attributes |= {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1, 0, 0, 1]}
    x, zeros = (
        drawn(seed, kind, 2, 40, 6, 6),
        [drawn(seed + place, kind, 1).reshape(()) for place in (1, 2)],
    )
    _proven(op_type, [None, _scale(scales[0]), zeros[0], _scale(scales[1]), zeros[1]], {0: x}, kind, **attributes)


@pytest.mark.parametrize(("axis", "opset"), [(-1, 13), (1, 13), (1, 11)])
def test_softmax(axis: int, opset: int) -> None:
    inputs = [None, _scale(0.1), np.array(120, np.uint8), _scale(1 / 256), np.array(0, np.uint8)]
    _proven("QLinearSoftmax", inputs, {0: drawn(5, "uint8", 3, 5, 4)}, "uint8", axis=axis, opset=opset)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat(axis: int) -> None:
    shapes = ((2, 3), (2, 3))
    inputs: list[Array | None] = [_scale(0.5), np.array(9, np.uint8)]
    fed: dict[int, Array] = {}
    for place, shape in enumerate(shapes):
        fed[len(inputs)] = drawn(place, "uint8", *shape)
        inputs += [None, _scale((0.5, 0.37)[place]), np.array((9, 100)[place], np.uint8)]
    _proven("QLinearConcat", inputs, fed, "uint8", axis=axis)


@pytest.mark.parametrize("turned", [(0, 0), (0, 1), (1, 0)])
@pytest.mark.parametrize("quantized", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_gemm(turned: tuple[int, int], quantized: bool, bias: bool) -> None:
    inner = 700
    a = drawn(1, "uint8", *((inner, 3) if turned[0] else (3, inner)))
    b = drawn(2, "int8", *((4, inner) if turned[1] else (inner, 4)))
    inputs: list[Array | None] = [None, _scale(0.02), np.array(100, np.uint8), b, _scale(0.03), np.array(0, np.int8)]
    inputs.append(np.array([5, -70000, 3, 2**20], np.int32) if bias else None)
    inputs += [_scale(0.9), np.array(128, np.uint8)] if quantized else []
    _proven("QGemm", inputs, {0: a}, "uint8" if quantized else "float32", transA=turned[0], transB=turned[1], alpha=0.5)


def test_products_that_end_in_float() -> None:
    b, bias = drawn(2, "int8", 8, 4), np.array([1, 2, 3, 4], np.float32)
    scales = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    zeros = [np.array(3, np.uint8), np.zeros(4, np.int8)]
    _proven(
        "MatMulIntegerToFloat",
        [None, b, _scale(0.5), scales, *zeros, bias],
        {0: drawn(1, "uint8", 2, 3, 8)},
        "float32",
    )
    x = np.random.default_rng(0).normal(size=(2, 3, 8)).astype(np.float32)
    _proven("DynamicQuantizeMatMul", [None, b, scales, zeros[1], bias], {0: x}, "float32")


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("unidirectional", [0, 1])
def test_attention(masked: bool, unidirectional: int) -> None:
    hidden, random = 8, np.random.default_rng(0)
    mask = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]], np.int32)
    inputs = [
        None,
        drawn(1, "int8", hidden, 3 * hidden),
        random.normal(size=3 * hidden).astype(np.float32),
        _scale(0.02),
        _scale(0.01),
        mask if masked else None,
        np.array(120, np.uint8),
        np.array(0, np.int8),
    ]
    attributes = {"num_heads": 2, "unidirectional": unidirectional}
    _proven("QAttention", inputs, {0: drawn(2, "uint8", 2, 5, hidden)}, "float32", **attributes)


def test_convolution_with_the_channels_last() -> None:
    zero, scale = np.array(7, np.uint8), _scale(0.02)
    inputs = [None, scale, zero, drawn(1, "int8", 4, 3, 3, 3), scale, np.array(0, np.int8), _scale(0.1), zero]
    inputs.append(np.array([1, -200, 3000, 4], np.int32))
    _proven("QLinearConv", inputs, {0: drawn(2, "uint8", 1, 5, 6, 3)}, "uint8", channels_last=1, pads=[1, 1, 1, 1])


def test_sixteen_bits_in_the_own_domain() -> None:
    text = """<ir_version: 8, opset_import: ["" : 13, "com.microsoft" : 1]>
    g (float[6] x, float s, uint16 z) => (float[6] y)
    { q = com.microsoft.QuantizeLinear(x, s, z)
      y = com.microsoft.DequantizeLinear(q, s, z) }"""
    feeds = {"x": np.array([1, -3, 1e6, 0.3, -1e6, 7], np.float32), "s": _scale(0.25), "z": np.array(40000, np.uint16)}
    prove(text, "OFX764", feeds)


def test_the_engine_takes_what_it_refused() -> None:
    zero = np.array(3, np.uint8)
    model = _model(
        "QLinearAdd",
        [None, _scale(0.5), zero, None, _scale(0.25), zero, _scale(1), zero],
        {0: drawn(1, "uint8", 4), 3: drawn(2, "uint8", 4)},
        "uint8",
    )
    assert not builds(model) and builds(prove(model, "OFX763"))
