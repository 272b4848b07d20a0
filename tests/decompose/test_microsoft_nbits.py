"""Weights of few bits against ONNX Runtime's kernels."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.model.model import Array
from tests.decompose.microsoft import normal, one_node
from tests.decompose.proving import builds, prove, reason, unsafe


def packed(rows: int, columns: int, bits: int, block: int, zeros: str, dtype: str = "float32") -> dict[str, Array]:
    """A MatMulNBits's operands; `zeros` is "none", "packed" or "numbers"."""
    random, blocks = np.random.default_rng(rows + columns), -(-columns // block)
    inputs: dict[str, Array] = {
        "x": normal(3, columns).astype(dtype),
        "w": random.integers(0, 256, (rows, blocks, block * bits // 8), dtype=np.uint8),
        "s": random.uniform(0.5, 1.5, (rows, blocks)).astype(dtype),
    }
    if zeros == "packed":
        inputs["z"] = random.integers(0, 256, (rows, -(-blocks * bits // 8)), dtype=np.uint8)
    elif zeros == "numbers":
        inputs["z"] = random.uniform(0, 15, (rows, blocks)).astype(dtype)
    return inputs


def model(inputs: dict[str, Array], rows: int, bits: int, block: int, opset: int, **more: Any) -> onnx.ModelProto:
    stored = tuple(name for name in inputs if name != "x")
    shape = [*inputs["x"].shape[:-1], rows]
    numbers: dict[str, Any] = {"N": rows, "K": inputs["x"].shape[-1], "bits": bits, "block_size": block, **more}
    return one_node("MatMulNBits", inputs, {"y": shape}, opset, stored, **numbers)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 70),
    st.sampled_from([4, 8]),
    st.sampled_from([16, 32]),
    st.sampled_from(["none", "packed", "numbers"]),
    st.sampled_from([17, 21]),
)
def test_matmul_nbits(rows: int, columns: int, bits: int, block: int, zeros: str, opset: int) -> None:
    if bits == 8 and zeros == "numbers":
        zeros = "packed"
    inputs = packed(rows, columns, bits, block, zeros)
    prove(model(inputs, rows, bits, block, opset), "OFX821", {"x": inputs["x"]})


@pytest.mark.parametrize(("opset", "operator"), [(17, "MatMul"), (21, "DequantizeLinear")])
def test_four_bits_stay_four_where_they_can(opset: int, operator: str) -> None:
    inputs = packed(8, 64, 4, 32, "none")
    result = prove(model(inputs, 8, 4, 32, opset), "OFX821", {"x": inputs["x"]})
    assert result.graph.node[0].op_type == operator
    assert builds(result)


def test_a_product_of_rounded_operands_is_told() -> None:
    inputs = packed(8, 64, 4, 32, "none")
    assert unsafe(model(inputs, 8, 4, 32, 17, accuracy_level=4), "OFX821")


def test_weights_that_are_packed_for_a_gpu() -> None:
    inputs = packed(8, 64, 4, 32, "none")
    assert "packed for one kind of GPU" in reason(model(inputs, 8, 4, 32, 17, weight_prepacked=1), "OFX821")


@pytest.mark.parametrize("kind", [0, 1])
def test_matmul_bnb4(kind: int) -> None:
    random = np.random.default_rng(kind)
    inputs: dict[str, Array] = {
        "x": normal(3, 32),
        "w": random.integers(0, 256, 5 * 32 // 2, dtype=np.uint8),
        "s": random.uniform(0.5, 1.5, 5 * 2).astype(np.float32),
    }
    numbers: dict[str, Any] = {"N": 5, "K": 32, "block_size": 16, "quant_type": kind}
    prove(one_node("MatMulBnb4", inputs, {"y": [3, 5]}, 17, ("w", "s"), **numbers), "OFX821", {"x": inputs["x"]})


@pytest.mark.parametrize("dtype", ["uint4", "int4", "uint8"])
@pytest.mark.parametrize("zeros", [False, True])
def test_gather_block_quantized(dtype: str, zeros: bool) -> None:
    random = np.random.default_rng(4)
    packs = dtype == "uint8"
    kind = np.uint8 if packs else getattr(ml_dtypes, dtype)
    low, high = (0, 256) if packs else (-8, 8) if dtype == "int4" else (0, 16)
    inputs: dict[str, Array] = {
        "d": random.integers(low, high, (6, 16 if packs else 32)).astype(kind),
        "i": np.array([[0, 5, -1]]),
        "s": random.uniform(0.5, 1.5, (6, 2)).astype(np.float32),
    }
    if zeros:
        inputs["z"] = random.integers(low, high, (6, 1 if packs else 2)).astype(kind)
    stored = tuple(name for name in inputs if name != "i")
    made = one_node("GatherBlockQuantized", inputs, {"y": [1, 3, 32]}, 21, stored, block_size=16, quantize_axis=1)
    made.graph.output[0].type.tensor_type.elem_type = 1
    prove(made, "OFX821", {"i": inputs["i"]})
