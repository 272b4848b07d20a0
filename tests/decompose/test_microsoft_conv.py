"""FusedConv and its relatives against ONNX Runtime's kernels, channels-last ones against the standard's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.model.model import Array
from tests.decompose.microsoft import fed, normal, one_node
from tests.decompose.proving import builds, evaluated, outcome_of, prove, reason

ACTIVATIONS: dict[str, list[float]] = {
    "Relu": [],
    "Tanh": [],
    "Sigmoid": [],
    "LeakyRelu": [0.25],
    "Clip": [-0.5, 0.5],
    "HardSigmoid": [0.3, 0.4],
}


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([*ACTIVATIONS, ""]),
    st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 3), st.integers(1, 2)),
    st.booleans(),
    st.booleans(),
    st.sampled_from([11, 13, 17]),
)
def test_fused_conv(activation: str, sizes: tuple[int, int, int, int], bias: bool, residual: bool, opset: int) -> None:
    batch, group, kernel, stride = sizes
    x, w = normal(batch, 2 * group, 5, 6), normal(4 * group, 2, kernel, kernel)
    rows, columns = ((size - kernel) // stride + 1 for size in (5, 6))
    shape = (batch, 4 * group, rows, columns)
    inputs = {"x": x, "w": w, "b" if bias else "_b": normal(4 * group), "z" if residual else "_z": normal(*shape)}
    numbers: dict[str, Any] = {"group": group, "strides": [stride, stride], "kernel_shape": [kernel, kernel]}
    if activation:
        numbers |= {"activation": activation}
    if ACTIVATIONS.get(activation):
        numbers |= {"activation_params": ACTIVATIONS[activation]}
    prove(one_node("FusedConv", inputs, {"y": list(shape)}, opset, **numbers), "OFX807", fed(inputs))


def test_fused_conv_in_tensorrt_and_an_unknown_activation() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    g (float[N,2,H,W] x, float[2,2,3,3] w) => (float[N,2,H,W] y)
    { y = com.microsoft.FusedConv <pads = [1,1,1,1], activation = "Relu"> (x, w) }"""
    assert not builds(text)
    fixed = text.replace("H,W", "8,8")
    assert builds(prove(fixed, "OFX807"))
    assert "Wave is not known" in reason(text.replace("Relu", "Wave"), "OFX807")


@pytest.mark.parametrize("residual", [False, True])
def test_channels_last_conv(residual: bool) -> None:
    x, w, z = normal(1, 5, 6, 2), normal(3, 2, 3, 3), normal(1, 3, 4, 3)
    inputs = {"x": x, "w": w, "b": normal(3), "z" if residual else "_z": z}
    model = one_node("NhwcFusedConv", inputs, {"y": [1, 3, 4, 3]}, activation="Relu")
    result = evaluated(outcome_of(model, "OFX808").model.proto, fed(inputs))[0]
    plain = one_node("Conv", {"x": x.transpose(0, 3, 1, 2).copy(), "w": w, "b": inputs["b"]}, {"y": [1, 3, 3, 4]})
    plain.graph.node[0].domain = ""
    feeds = {"x": x.transpose(0, 3, 1, 2), "w": w, "b": inputs["b"]}
    wanted = evaluated(plain, feeds)[0].transpose(0, 2, 3, 1) + (z if residual else 0)
    assert np.allclose(result, np.maximum(wanted, 0), atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 3), st.integers(1, 2), st.sampled_from(["int8", "uint8"]))
def test_channels_last_pool(kernel: int, stride: int, dtype: str) -> None:
    x: Array = np.random.default_rng(kernel).integers(0, 100, (1, 5, 6, 3)).astype(dtype)
    rows, columns = ((size - kernel) // stride + 1 for size in (5, 6))
    numbers: dict[str, Any] = {"kernel_shape": [kernel, kernel], "strides": [stride, stride]}
    prove(one_node("NhwcMaxPool", {"x": x}, {"y": [1, rows, columns, 3]}, **numbers), "OFX809", {"x": x})


def test_transposed_convolution_with_pads_as_an_input() -> None:
    inputs = {"x": normal(1, 2, 4, 4), "w": normal(2, 3, 3, 3), "p": np.array([1, 0, 1, 2]), "b": normal(3)}
    model = one_node("ConvTransposeWithDynamicPads", inputs, {"y": ["N", 3, "H", "W"]}, stored=("p",), strides=[2, 2])
    prove(model, "OFX810", fed(inputs, "p"))
