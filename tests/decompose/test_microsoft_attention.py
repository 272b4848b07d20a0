"""Attention, MultiHeadAttention and RotaryEmbedding of com.microsoft against ONNX Runtime's own kernels."""

from __future__ import annotations

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.microsoft import ABSENT, fed, normal, one_node
from tests.decompose.proving import builds, prove, reason

OPSETS = st.sampled_from([11, 13, 17, 21])
SIZES = st.integers(1, 4)


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(SIZES, SIZES, st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from(["none", "keys", "square", "lengths", "interval"]),
    st.booleans(),
    st.booleans(),
    OPSETS,
)
def test_attention(sizes: tuple[int, int, int, int], mask: str, causal: bool, bias: bool, opset: int) -> None:
    batch, length, heads, size = sizes
    hidden, random = heads * size, np.random.default_rng(batch)
    masks = {
        "keys": random.integers(0, 2, (batch, length)),
        "square": random.integers(0, 2, (batch, length, length)),
        "lengths": random.integers(1, length + 1, batch),
        "interval": np.concatenate([np.full(batch, length), np.zeros(batch)]),
    }
    for shown in ("keys", "square"):  # a row without any key is a matter of rounding beside -10000
        masks[shown][..., 0] = 1
    inputs = {"x": normal(batch, length, 4), "w": normal(4, 3 * hidden), "b": normal(3 * hidden)}
    inputs["m" if mask != "none" else "_m"] = masks.get(mask, ABSENT).astype(np.int32)
    if bias:
        inputs |= {"_past": ABSENT, "e": normal(1, heads, length, length)}
    model = one_node(
        "Attention", inputs, {"y": [batch, length, hidden]}, opset, num_heads=heads, unidirectional=int(causal)
    )
    if batch == 1 and mask == "interval":  # two numbers: they could be the lengths of two rows
        model.graph.input[3].type.tensor_type.shape.dim[0].dim_value = 2
    prove(model, "OFX817", fed(inputs))


def test_attention_with_a_past_and_sizes_of_its_own() -> None:
    inputs = {"x": normal(2, 3, 4), "w": normal(4, 18), "b": normal(18), "_m": ABSENT, "p": normal(2, 2, 2, 5, 3)}
    sizes = {"y": [2, 3, 6], "q": [2, 2, 2, 8, 3]}
    result = prove(one_node("Attention", inputs, sizes, num_heads=2, unidirectional=1), "OFX817", fed(inputs))
    assert builds(result)
    other = {"x": normal(2, 3, 4), "w": normal(4, 14), "b": normal(14)}
    prove(one_node("Attention", other, {"y": [2, 3, 6]}, num_heads=2, qkv_hidden_sizes=[4, 4, 6]), "OFX817", fed(other))


def test_attention_with_sizes_that_are_not_fixed() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (float[N,S,4] x, float[4,12] w, float[12] b, int32[N] m) => (float[N,S,4] y)
        { y = com.microsoft.Attention <num_heads = 2, unidirectional = 1, scale = 0.25> (x, w, b, m) }"""
    )
    assert builds(
        prove(
            model,
            "OFX817",
            {"x": normal(2, 3, 4), "w": normal(4, 12), "b": normal(12), "m": np.array([2, 3], dtype=np.int32)},
        )
    )


def test_attention_that_is_not_written_out() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    g (float[N,S,4] x, float[4,12] w, float[12] b, int32[M] m) => (float[N,S,4] y)
    { y = com.microsoft.Attention <num_heads = 2> (x, w, b, m) }"""
    assert "its size does not tell what it holds" in reason(text, "OFX817")
    assert "it rotates inside" in reason(text.replace("= 2>", "= 2, do_rotary = 1>"), "OFX817")


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(SIZES, SIZES, SIZES, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from(["none", "keys", "square", "lengths"]),
    st.booleans(),
    st.booleans(),
    OPSETS,
)
def test_multi_head_attention(
    sizes: tuple[int, int, int, int, int, int], mask: str, causal: bool, bias: bool, opset: int
) -> None:
    batch, queries, keys, heads, size, of_value = sizes
    keys = queries if causal else keys
    random = np.random.default_rng(keys)
    masks = {
        "keys": random.integers(0, 2, (batch, keys)),
        "square": random.integers(0, 2, (batch, queries, keys)),
        "lengths": random.integers(1, keys + 1, batch),
    }
    for shown in ("keys", "square"):
        masks[shown][..., 0] = 1
    inputs = {
        "q": normal(batch, queries, heads * size),
        "k": normal(batch, keys, heads * size),
        "v": normal(batch, keys, heads * of_value),
        "b" if bias else "_b": normal(heads * (2 * size + of_value)),
        "m" if mask != "none" else "_m": masks.get(mask, ABSENT).astype(np.int32),
    }
    model = one_node(
        "MultiHeadAttention",
        inputs,
        {"y": [batch, queries, heads * of_value]},
        opset,
        num_heads=heads,
        unidirectional=int(causal),
    )
    prove(model, "OFX818", fed(inputs))


def test_multi_head_attention_with_a_past() -> None:
    inputs = {"q": normal(2, 3, 4), "k": normal(2, 3, 4), "v": normal(2, 3, 4), "_b": ABSENT, "_m": ABSENT}
    inputs |= {"e": normal(1, 2, 3, 8), "pk": normal(2, 2, 5, 2), "pv": normal(2, 2, 5, 2)}
    sizes = {"y": [2, 3, 4], "nk": [2, 2, 8, 2], "nv": [2, 2, 8, 2]}
    result = prove(one_node("MultiHeadAttention", inputs, sizes, num_heads=2), "OFX818", fed(inputs))
    assert builds(result)


def test_keys_that_are_cut_into_heads() -> None:
    inputs = {"q": normal(2, 3, 4), "k": normal(2, 2, 5, 2), "v": normal(2, 2, 5, 2)}
    prove(one_node("MultiHeadAttention", inputs, {"y": [2, 3, 4]}, num_heads=2), "OFX818", fed(inputs))


@settings(max_examples=20, deadline=None)
@given(SIZES, SIZES, SIZES, SIZES, st.booleans(), st.booleans(), st.booleans(), OPSETS)
def test_rotary(
    batch: int, length: int, heads: int, half: int, flat: bool, offset: bool, interleaved: bool, opset: int
) -> None:
    shape = (batch, length, heads * 2 * half) if flat else (batch, heads, length, 2 * half)
    positions = np.random.default_rng(half).integers(0, 8 - length, 1 if offset else (batch, length))
    inputs = {"x": normal(*shape), "p": positions.astype(np.int64), "c": normal(8, half), "s": normal(9, half)[:8]}
    model = one_node("RotaryEmbedding", inputs, {"y": list(shape)}, opset, interleaved=int(interleaved))
    prove(model, "OFX820", fed(inputs))


def test_rotary_of_a_part_and_of_a_length_that_is_not_fixed() -> None:
    inputs = {"x": normal(1, 2, 3, 8), "p": np.zeros((1, 3), dtype=np.int64), "c": normal(8, 2), "s": normal(8, 2)}
    model = one_node("RotaryEmbedding", inputs, {"y": [1, 2, 3, 8]}, rotary_embedding_dim=4, num_heads=2)
    prove(model, "OFX820", fed(inputs))
    free = one_node("RotaryEmbedding", inputs | {"x": normal(1, 3, 8), "p": np.array([2])}, {"y": ["N", "S", 8]})
    for axis, name in enumerate("NS"):
        free.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    feed = fed(inputs) | {"x": normal(1, 3, 8), "p": np.array([2])}
    assert builds(prove(free, "OFX820", feed))
