"""The blocked layout that ONNX Runtime saves at level `all`, undone."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.decompose.microsoft_blocked import machine_block, plain_weights, possible_blocks
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from tests.decompose.optimized import Network, convolutional, operators, optimized
from tests.decompose.proving import outcome_of, prove, reason

CHANNELS = st.sampled_from([8, 12, 16, 20, 24, 32])


@settings(max_examples=8, deadline=None)
@given(st.tuples(CHANNELS, CHANNELS, CHANNELS), st.sampled_from([11, 13, 17]))
def test_networks_of_many_widths(channels: tuple[int, int, int], opset: int) -> None:
    saved = optimized(convolutional(1, opset, channels), "ALL")
    assert "com.microsoft.nchwc.Conv" in operators(saved)
    result = prove(saved, "OFX827")
    assert not any("nchwc" in operator for operator in operators(result))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_enlarging(mode: str) -> None:
    net = Network(3)
    x = net.add("Relu", net.add("Conv", "x", net.weight(16, 3, 3, 3)))
    scales = net.constant(np.array([1, 1, 2, 3], dtype=np.float32))
    place = "asymmetric" if mode == "nearest" else "align_corners"
    nearest: dict[str, Any] = {"nearest_mode": "floor"} if mode == "nearest" else {}
    x = net.add("Resize", x, "", scales, mode=mode, coordinate_transformation_mode=place, **nearest)
    x = net.add("Conv", x, net.weight(4, 16, 1, 1))
    saved = optimized(net.model({"x": (1, [1, 3, 6, 6])}, x, [1, 4, 8, 12], 13), "ALL")
    assert "com.microsoft.nchwc.Upsample" in operators(saved)
    prove(saved, "OFX827")


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([8, 16]), st.integers(1, 2), st.sampled_from([1, 3, 16, 32]), st.integers(1, 3))
def test_weights_out_of_blocks(block: int, blocks: int, inputs: int, kernel: int) -> None:
    """Element (o, i, h, w) lies in block o // block, at o % block; inputs in whole blocks are cut the same way."""
    outputs = block * blocks
    plain = np.arange(outputs * inputs * kernel**2, dtype=np.float32).reshape(outputs, inputs, kernel, kernel)
    stored = np.empty(plain.size, dtype=np.float32)
    for (o, i, h, w), value in np.ndenumerate(plain):
        if inputs % block:
            place = np.ravel_multi_index((o // block, i, h, w, o % block), (blocks, inputs, kernel, kernel, block))
        else:
            place = np.ravel_multi_index(
                (o // block, i // block, h, w, i % block, o % block),
                (blocks, inputs // block, kernel, kernel, block, block),
            )
        stored[place] = value
    assert np.array_equal(plain_weights(stored.reshape(plain.shape), block), plain)


def test_block_size_from_the_sizes() -> None:
    assert machine_block() in (0, 8, 16)
    text = """<ir_version: 8, opset_import: ["" : 13, "com.microsoft.nchwc" : 1]>
    g (float[1,1,2,2] x, float[FILLED,1,1,1] w) => (float[1,WANTED,2,2] y)
    { t = com.microsoft.nchwc.Conv <kernel_shape = [1,1]> (x, w)
      y = com.microsoft.nchwc.ReorderOutput <channels = WANTED> (t) }"""
    for filled, wanted, blocks in ((24, 20, [8]), (16, 5, [16]), (16, 12, [8, 16]), (12, 12, [])):
        model = onnx.parser.parse_model(text.replace("FILLED", str(filled)).replace("WANTED", str(wanted)))
        assert possible_blocks(typed_scopes(load(model))[0][0]) == blocks


def test_what_looks_into_blocks_is_told() -> None:
    saved = optimized(convolutional(1, 13), "ALL")
    first = next(node for node in saved.graph.node if node.op_type == "Conv")
    saved.graph.node.append(onnx.helper.make_node("Softmax", [first.output[0]], ["looked"], axis=1))
    saved.graph.output.append(onnx.helper.make_tensor_value_info("looked", 1, None))
    assert "Softmax reads a blocked tensor" in reason(saved, "OFX827")


def test_namesakes_are_told() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "my.domain" : 1]>
    g (float[2] x) => (float[2] y) { t = my.domain.Relu (x) y = my.domain.Own (t) }"""
    findings = outcome_of(text, "OFX829").remaining
    assert [finding.proposal.message for finding in findings if finding.rule.code == "OFX829"] == [
        "TensorRT takes Relu of my.domain for the standard's Relu, whatever it means"
    ]
