"""Activations of com.microsoft against ONNX Runtime's kernels, or against their formula where it has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.model.model import Array
from tests.decompose.microsoft import fed, normal, one_node
from tests.decompose.proving import builds, evaluated, outcome_of, prove

SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=4)
EXTREMES = np.array(
    [[np.nan, np.inf, -np.inf, 0, -0.0, 1e30, -1e30, 1e-30, -20, 20, 3.4e38, -3.4e38]], dtype=np.float32
)


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.sampled_from(["Gelu", "BiasGelu", "FastGelu", "QuickGelu"]), st.sampled_from([9, 13, 17, 21]))
def test_gelu_family(shape: list[int], op_type: str, opset: int) -> None:
    inputs = {"x": normal(*shape)}
    biased = op_type in ("BiasGelu", "FastGelu")
    if biased:
        inputs["b"] = normal(shape[-1])
    code = {"FastGelu": "OFX801", "QuickGelu": "OFX802"}.get(op_type, "OFX800")
    prove(one_node(op_type, inputs, {"y": list(shape)}, opset), code, inputs)


@pytest.mark.parametrize(("op_type", "code"), [("Gelu", "OFX800"), ("QuickGelu", "OFX802"), ("FastGelu", "OFX801")])
def test_extremes(op_type: str, code: str) -> None:
    """Far out, where a product of infinity and zero may be NaN in one form of the formula, NaN is where it was."""
    calm = np.delete(EXTREMES, [2, 6, 10, 11], axis=1)
    model = one_node(op_type, {"x": calm}, {"y": list(calm.shape)})
    assert not builds(model) or op_type == "Gelu"  # TensorRT-RTX takes Gelu by its name
    assert builds(prove(model, code, {"x": calm}))


@pytest.mark.parametrize("alpha", [1.0, 0.5, -2.0])
def test_scaled_silu(alpha: float) -> None:
    inputs = {"x": normal(2, 5)}
    prove(one_node("ScaledSiLU", inputs, {"y": [2, 5]}, alpha=alpha), "OFX802", inputs)


def test_bias_split_gelu() -> None:
    inputs = {"x": normal(1, 3, 8), "b": normal(8)}
    result = outcome_of(one_node("BiasSplitGelu", inputs, {"y": [1, 3, 4]}), "OFX803").model.proto
    left, right = np.split(inputs["x"] + inputs["b"], 2, axis=2)
    assert np.allclose(evaluated(result, fed(inputs))[0], left * _gelu(right), atol=1e-6)


@pytest.mark.parametrize("together", [False, True])
def test_swiglu(together: bool) -> None:
    gate, up = normal(3, 4) * 4, normal(4, 3).T * 4
    inputs = {"g": np.concatenate([gate, up], axis=1)} if together else {"g": gate, "u": np.ascontiguousarray(up)}
    numbers: dict[str, Any] = {"limit": 3.0, "activation_alpha": 1.5, "activation_beta": 0.5}
    result = outcome_of(one_node("SwiGLU", inputs, {"y": [3, 4]}, **numbers), "OFX804").model.proto
    g, u = np.minimum(gate, 3), np.clip(up, -3, 3)
    assert np.allclose(evaluated(result, inputs)[0], g / (1 + np.exp(-1.5 * g)) * (u + 0.5), atol=1e-5)


def _gelu(x: Array) -> Array:
    from math import erf

    return np.asarray(x * (1 + np.vectorize(erf)(x / np.sqrt(2))) / 2)
