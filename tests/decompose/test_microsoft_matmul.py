"""FusedMatMul and FusedGemm against ONNX Runtime's kernels."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.microsoft import normal, one_node
from tests.decompose.proving import builds, prove

BATCH = st.lists(st.integers(1, 3), min_size=0, max_size=2)


@settings(max_examples=30, deadline=None)
@given(
    BATCH,
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(1, 3)),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1.0, 0.125, -2.0, 0.0]),
    st.sampled_from(["FusedMatMul", "TransposeMatMul"]),
)
def test_fused_matmul(
    batch: list[int], sizes: tuple[int, int, int], left: bool, right: bool, alpha: float, op_type: str
) -> None:
    rows, inner, columns = sizes
    a = [*batch, inner, rows] if left else [*batch, rows, inner]
    b = [*batch, columns, inner] if right else [*batch, inner, columns]
    inputs = {"a": normal(*a), "b": normal(*b)}
    flags: dict[str, Any] = {"transA": int(left), "transB": int(right), "alpha": alpha}
    prove(one_node(op_type, inputs, {"y": [*batch, rows, columns]}, 13, **flags), "OFX805", inputs)


@pytest.mark.parametrize("swap", [0, 1])
@pytest.mark.parametrize("place", ["A", "B"])
def test_batches_behind(place: str, swap: int) -> None:
    flags: dict[str, Any] = {f"transBatch{place}": 1, f"trans{place}": swap}
    inputs = {"a": normal(3, 2, 4, 4), "b": normal(3, 2, 4, 4)}
    inputs[place.lower()] = normal(4, 3, 2, 4)
    prove(one_node("FusedMatMul", inputs, {"y": ["P", "Q", "R", "S"]}, **flags), "OFX805", inputs)


def test_vectors_and_unknown_sizes() -> None:
    inputs = {"a": normal(4), "b": normal(2, 4, 3)}
    prove(one_node("FusedMatMul", inputs, {"y": [2, 3]}), "OFX805", inputs)
    text = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    g (float[N,S,4] a, float[N,T,4] b) => (float[N,S,T] y)
    { y = com.microsoft.FusedMatMul <alpha = 0.5, transB = 1> (a, b) }"""
    assert not builds(text)
    assert builds(prove(text, "OFX805"))


ACTIVATIONS = {
    "Relu": {},
    "LeakyRelu": {"activation_alpha": 0.3},
    "Tanh": {},
    "Sigmoid": {},
    "Elu": {"activation_alpha": 2.0},
    "HardSigmoid": {"activation_alpha": 0.3, "activation_beta": 0.4},
}


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("turned", [0, 1])
def test_fused_gemm(activation: str, turned: int) -> None:
    inputs = {"a": normal(2, 3), "b": normal(4, 3) if turned else normal(3, 4), "c": normal(4)}
    numbers: dict[str, Any] = {"alpha": 0.5, "beta": 2.0, "transB": turned, **ACTIVATIONS[activation]}
    model = one_node("FusedGemm", inputs, {"y": [2, 4]}, activation=activation, **numbers)
    prove(model, "OFX806", inputs)
