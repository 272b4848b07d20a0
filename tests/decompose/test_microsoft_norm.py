"""Layer normalizations and EmbedLayerNormalization of com.microsoft against ONNX Runtime's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.model.model import Array
from tests.decompose.microsoft import ABSENT, fed, normal, one_node
from tests.decompose.proving import builds, evaluated, outcome_of, prove, reason

SIZE = st.integers(1, 4)
OPSETS = st.sampled_from([9, 13, 17, 18, 21])
OUTPUTS = ["y", "mean", "inverse", "total"]


@settings(max_examples=25, deadline=None)
@given(SIZE, SIZE, st.integers(1, 6), st.booleans(), st.booleans(), st.booleans(), OPSETS)
def test_skip_layer_norm(batch: int, length: int, hidden: int, beta: bool, bias: bool, total: bool, opset: int) -> None:
    inputs = {"x": normal(batch, length, hidden), "s": normal(batch, length, hidden), "g": normal(hidden)}
    inputs |= {"b" if beta else "_b": normal(hidden), "c" if bias else "_c": normal(hidden)}
    sizes: dict[str, list[int | str]] = {"y": [batch, length, hidden]}
    model = one_node("SkipLayerNormalization", inputs, sizes, opset, epsilon=1e-3)
    if total:
        model.graph.node[0].output.extend(["", "", "total"])
        model.graph.output.append(onnx.helper.make_tensor_value_info("total", 1, [batch, length, hidden]))
    prove(model, "OFX811", fed(inputs))


def test_a_skip_that_is_broadcast() -> None:
    inputs = {"x": normal(2, 3, 4), "s": normal(1, 3, 4), "g": normal(4), "b": normal(4)}
    prove(one_node("SkipLayerNormalization", inputs, {"y": [2, 3, 4]}), "OFX811", inputs)


def test_statistics_that_only_training_reads() -> None:
    inputs = {"x": normal(2, 3, 4), "s": normal(2, 3, 4), "g": normal(4), "b": normal(4)}
    sizes: dict[str, list[int | str]] = {"y": [2, 3, 4], "mean": [2, 3, 1], "inverse": [2, 3, 1]}
    result = outcome_of(one_node("SkipLayerNormalization", inputs, sizes), "OFX811").model.proto
    total = inputs["x"] + inputs["s"]
    _, mean, inverse = evaluated(result, inputs)
    assert np.allclose(mean, total.mean(axis=2, keepdims=True), atol=1e-6)
    assert np.allclose(inverse, 1 / np.sqrt(total.var(axis=2, keepdims=True) + 1e-12), rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(SIZE, SIZE, st.integers(1, 6), st.booleans(), OPSETS)
def test_skip_simplified_layer_norm(batch: int, length: int, hidden: int, bias: bool, opset: int) -> None:
    inputs = {"x": normal(batch, length, hidden), "s": normal(batch, length, hidden), "g": normal(hidden)}
    if bias:
        inputs["c"] = normal(hidden)
    model = one_node("SkipSimplifiedLayerNormalization", inputs, {"y": [batch, length, hidden]}, opset)
    prove(model, "OFX812", inputs)


def _in_default_domain(op_type: str, inputs: dict[str, Array], opset: int, axis: int) -> onnx.ModelProto:
    model = one_node(op_type, inputs, {"y": list(inputs["x"].shape)}, opset, axis=axis)
    model.graph.node[0].domain = ""
    return model


@settings(max_examples=20, deadline=None)
@given(SIZE, SIZE, st.integers(1, 6), st.integers(-3, 2), st.sampled_from([9, 13, 17, 18]))
def test_norms_in_the_default_domain(batch: int, length: int, hidden: int, axis: int, opset: int) -> None:
    shape = (batch, length, hidden)
    inputs = {"x": normal(*shape), "g": normal(*shape[axis % 3 :])}
    prove(_in_default_domain("SimplifiedLayerNormalization", inputs, opset, axis), "OFX813", inputs)
    if opset < 17:
        inputs["b"] = normal(*shape[axis % 3 :])
        prove(_in_default_domain("LayerNormalization", inputs, opset, axis), "OFX814", inputs)


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("activation", [0, 1])
def test_group_norm(last: int, activation: int) -> None:
    x, gamma, beta = normal(2, 3, 5, 4), normal(4), normal(4, 1)[:, 0]
    inputs = {"x": x if last else x.transpose(0, 3, 1, 2).copy(), "g": gamma, "b": beta}
    numbers: dict[str, Any] = {"activation": activation, "groups": 2, "channels_last": last}
    model = one_node("GroupNorm", inputs, {"y": list(inputs["x"].shape)}, **numbers)
    result = evaluated(outcome_of(model, "OFX815").model.proto, inputs)[0]
    groups = x.reshape(2, 15, 2, 2)
    mean, variance = (f(groups, axis=(1, 3), keepdims=True) for f in (np.mean, np.var))
    wanted = ((groups - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape) * gamma + beta
    wanted = wanted / (1 + np.exp(-wanted)) if activation else wanted
    assert np.allclose(result, wanted if last else wanted.transpose(0, 3, 1, 2), atol=1e-5)


EMBEDDING = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
g (int32[N,S] i, int32[N,S] t, float[9,4] w, float[7,4] p, float[2,4] v, float[4] g, float[4] b, int32[N,S] m)
 => (float[N,S,4] y, int32[N] c, float[N,S,4] e)
{ y, c, e = com.microsoft.EmbedLayerNormalization <epsilon = 0.001> (i, t, w, p, v, g, b, m) }"""


@pytest.mark.parametrize("text", [EMBEDDING, EMBEDDING.replace("[N", "[2").replace(",S", ",3")])
def test_embed_layer_norm(text: str) -> None:
    random = np.random.default_rng(1)
    feeds: dict[str, Array] = {"w": normal(9, 4), "p": normal(7, 4), "v": normal(2, 4), "g": normal(4), "b": normal(4)}
    feeds |= {"i": random.integers(0, 9, (2, 3), dtype=np.int32), "t": random.integers(0, 2, (2, 3), dtype=np.int32)}
    feeds["m"] = np.array([[1, 1, 0], [1, 0, 0]], dtype=np.int32)
    assert builds(prove(text, "OFX816", feeds))


def test_embeddings_without_segments_or_mask() -> None:
    ids = np.array([[1, 8, 0]], dtype=np.int32)
    inputs = {"i": ids, "_t": ABSENT, "w": normal(9, 4), "p": normal(7, 4), "_v": ABSENT, "g": normal(4)}
    inputs |= {"b": normal(4), "_m": ABSENT, "q": np.array([[2, 0, 1]], dtype=np.int32)}
    model = one_node("EmbedLayerNormalization", inputs, {"y": [1, 3, 4]})
    model.graph.node[0].output.append("c")
    model.graph.output[0].type.tensor_type.elem_type = 1
    model.graph.output.append(onnx.helper.make_tensor_value_info("c", 6, [1]))
    prove(model, "OFX816", fed(inputs))


def test_a_mean_that_nobody_defines() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    g (float[1,2,4] x, float[1,2,4] s, float[4] g) => (float[1,2,4] y, float[1,2,1] m)
    { y, m = com.microsoft.SkipSimplifiedLayerNormalization (x, s, g) }"""
    assert "does not define" in reason(text, "OFX812")
