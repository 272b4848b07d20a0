"""Sizes that must be known while building: refused forms and neighbours that build, by the real TensorRT-RTX."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from real_target import told_and_true

import onnxfix

pytest.importorskip("tensorrt_rtx")

FORMS = {
    "starts": "g (float[3,4] x, int64[{0}] s, int64[2] e) => (float[a,b] y) {{ y = Slice (x, s, e) }}",
    "ends": "g (float[3,4] x, int64[2] s, int64[{0}] e) => (float[a,b] y) {{ y = Slice (x, s, e) }}",
    "reshape": "g (float[4,4] x, int64[{0}] s) => (float[a,b] y) {{ y = Reshape (x, s) }}",
    "expand": "g (float[1,1] x, int64[{0}] s) => (float[a,b] y) {{ y = Expand (x, s) }}",
    "filled": "g (int64[{0}] s) => (float[a,b] y) {{ y = ConstantOfShape (s) }}",
    "pads": "g (float[4] x, int64[{0}] p) => (float[a] y) {{ y = Pad (x, p) }}",
    "kernel": "g (float[1,2,8,8] x, float[4,2,{0},2] w) => (float[a,b,c,d] y) {{ y = Conv (x, w) }}",
    "filters": "g (float[1,2,8,8] x, float[{0},2,2,2] w) => (float[a,b,c,d] y) {{ y = Conv (x, w) }}",
    "deconvolution": "g (float[1,2,8,8] x, float[2,{0},2,2] w) => (float[a,b,c,d] y) {{ y = ConvTranspose (x, w) }}",
    "channels": "g (float[1,{0},8,8] x, float[2,4,2,2] w) => (float[a,b,c,d] y) {{ y = ConvTranspose (x, w) }}",
    "output-shape": "g (float[1,2,{0},2] x, float[2,4,2,2] w) => (float[a,b,c,d] y) "
    "{{ y = ConvTranspose <strides = [2, 2], output_shape = [4, 4]> (x, w) }}",
    "bias": "g (float[1,2,8,8] x, float[2,2,2,2] w, float[{0}] b) => (float[c,d,e,f] y) {{ y = Conv (x, w, b) }}",
    "deconvolution-bias": "g (float[1,2,8,8] x, float[2,2,2,2] w, float[{0}] b) => (float[c,d,e,f] y) "
    "{{ y = ConvTranspose (x, w, b) }}",
    "new-sizes": "g (float[4,4] x, int64[{0}] s) => (float[a,b] y) {{ y = Resize (x, , , s) }}",
    "scales": "g (float[1,2,4] x, float[{0}] s) => (int8[a,b,c] y) <int8[2] z = {{0, 0}}> "
    "{{ y = QuantizeLinear <axis = 1> (x, s, z) }}",
    "dequantized-scales": "g (int8[1,2,4] x, float[{0}] s) => (float[a,b,c] y) <int8[2] z = {{0, 0}}> "
    "{{ y = DequantizeLinear <axis = 1> (x, s, z) }}",
    "channels-of-groups": "g (float[1,{0},8,8] x, float[2,1,2,2] w) => (float[a,b,c,d] y) "
    "{{ y = Conv <group = 2> (x, w) }}",
    "beside-axes": "g (float[{0},1,2,2] x) => (float[a,b,c,d] y) <int64[2] s = {{8, 7}}> "
    "{{ y = Resize <axes = [2, 3]> (x, , , s) }}",
    "cache": "g (float[1,2,{0},4] p, float[1,2,1,4] u, int64[1] w) => (float[a,b,c,d] y) "
    "{{ y = TensorScatter (p, u, w) }}",
    "cache-heads": "g (float[1,{0},3,4] p, float[1,2,1,4] u, int64[1] w) => (float[a,b,c,d] y) "
    "{{ y = TensorScatter (p, u, w) }}",
    "head-of-update": "g (float[1,1,3,2] p, float[1,1,1,{0}] u, int64[1] w) => (float[a,b,c,d] y) "
    "{{ y = TensorScatter (p, u, w) }}",
    "tuples": "g (float[2,2,2] x, int64[3,{0}] k) => (float[a,b] y) {{ y = GatherND (x, k) }}",
}
"""Forms with a free size, which are refused; with 2 in its place they build."""

ONE = {
    "count": "g (float[2,9] x, int64[{0}] k) => (float[2,b] y, int64[2,b] i) {{ y, i = TopK <axis = 1> (x, k) }}",
    "depth": "g (int64[4] x, int64[{0}] k, float[2] v) => (float[4,n] y) {{ y = OneHot (x, k, v) }}",
    "runs": "g (float[4] x, int64[{0}] k) => (float[4] y) <bool t = {{1}}> {{ y = Loop (k, t, x) "
    "<body = b (int64 i, bool c, float[4] v) => (bool d, float[4] w) {{ d = Identity (c) w = Neg (v) }}> }}",
    "condition": "g (float[4] x, bool[{0}] k) => (float[4] y) {{ y = If (k) "
    "<then_branch = t () => (float[4] a) {{ a = Neg (x) }}, else_branch = e () => (float[4] b) {{ b = Abs (x) }}> }}",
}
"""The same, with 1 in its place."""


PAIRS = {
    "slice-axes": (
        "g (float[3,4] x, int64[2] s, int64[2] e, int64[n] k) => (float[a,b] y) { y = Slice (x, s, e, k) }",
        "g (float[3,4] x, int64[2] s, int64[2] e) => (float[a,b] y) <int64[2] k = {1, 0}> { y = Slice (x, s, e, k) }",
        24,
    ),
    "pad-axes": (
        'g (float[4] x, int64[2] p, int64[n] k) => (float[a] y) { y = Pad (x, p, "", k) }',
        'g (float[4] x, int64[2] p) => (float[a] y) <int64[1] k = {0}> { y = Pad (x, p, "", k) }',
        24,
    ),
    "depth": (
        "g (int64[3] x, int64[n] d, float[2] v) => (float[a,b] y) { y = OneHot (x, d, v) }",
        "g (int64[3] x, int64[1] d, float[2] v) => (float[a,b] y) { y = OneHot (x, d, v) }",
        24,
    ),
    "largest": (
        "g (float[3] x, int64[n] k) => (float[a] y, int64[b] i) { y, i = TopK (x, k) }",
        "g (float[3] x, int64[1] k) => (float[a] y, int64[b] i) { y, i = TopK (x, k) }",
        24,
    ),
    "hardmax": (
        "g (float[a,b,5] x) => (float[c,d,5] y) { y = Hardmax (x) }",
        "g (float[a,4,5] x) => (float[c,4,5] y) { y = Hardmax (x) }",
        11,
    ),
    "hardmax-of-a-matrix": (
        "g (float[a,5,c] x) => (float[d,5,e] y) { y = Hardmax <axis = 2> (x) }",
        "g (float[a,c] x) => (float[d,e] y) { y = Hardmax (x) }",
        11,
    ),
    "steps": (
        "g (float[3] x, int32[1] s, int32[1] e, int32[1] t) => (float[a] y) <int32[1] k = {0}> "
        "{ y = Slice (x, s, e, k, t) }",
        "g (float[3] x, int32[1] s, int32[1] e) => (float[a] y) <int32[1] k = {0}> { y = Slice (x, s, e, k) }",
        24,
    ),
    "stored-uint8": (
        "g (uint8[2] x) => (bool[2] y) <uint8[2] k = {1, 2}> { y = Equal (x, k) }",
        "g (uint8[2] x, uint8[2] k) => (bool[2] y) { y = Equal (x, k) }",
        24,
    ),
    "head-of-rotary": (
        "g (float[2,4,3,d] x, float[2,3,4] c) => (float[a,b,e,f] y) { y = RotaryEmbedding (x, c, c) }",
        "g (float[2,h,3,8] x, float[2,3,4] c) => (float[a,b,e,f] y) { y = RotaryEmbedding (x, c, c) }",
        24,
    ),
    "stored-keys": (
        "g (float[1,2,4] q, float[1,2,4] v) => (float[1,2,4] y) <float[1,2,4] k = {1,2,3,4,5,6,7,8}> "
        "{ i = Identity (k) y = Attention <q_num_heads = 2, kv_num_heads = 2> (q, i, v) }",
        "g (float[1,2,4] q, float[1,2,4] k, float[1,2,4] v) => (float[1,2,4] y) "
        "{ y = Attention <q_num_heads = 2, kv_num_heads = 2> (q, k, v) }",
        24,
    ),
    "weights-of-groups": (
        "g (float[1,n,2,2] x, float[2,1,1,1] w) => (float[a,b,c,d] y) { y = Conv <group = 2> (x, w) }",
        "g (float[1,n,2,2] x) => (float[a,b,c,d] y) <float[2,1,1,1] w = {1, 2}> { y = Conv <group = 2> (x, w) }",
        24,
    ),
    "resized-axes": (
        "g (float[n,1,m,2] x) => (float[a,b,c,d] y) <int64[2] s = {8, 7}> { y = Resize <axes = [2, 3]> (x, , , s) }",
        "g (float[1,1,m,2] x) => (float[a,b,c,d] y) <int64[2] s = {8, 7}> { y = Resize <axes = [2, 3]> (x, , , s) }",
        24,
    ),
    "stored-update": (
        "g (float[1,1,2,3] p, int64[1] w) => (float[a,b,c,d] y) <float[1,1,1,3] u = {1, 2, 3}> "
        "{ y = TensorScatter (p, u, w) }",
        "g (float[1,1,2,3] p) => (float[a,b,c,d] y) <float[1,1,1,3] u = {1, 2, 3}, int64[1] w = {1}> "
        "{ v = Neg (p) m = ReduceMax (v) z = Sub (m, m) x = Add (u, z) y = TensorScatter (p, x, w) }",
        24,
    ),
    "cache-in": (
        "g (float[1,1,2,3] q, float[1,1,1,3] u, int64[1] w) => (float[a,b,c,d] y) "
        "{ p = Neg (q) y = TensorScatter (p, u, w) }",
        "g (float[1,1,2,3] p, float[1,1,1,3] q, int64[1] w) => (float[a,b,c,d] y) "
        "{ u = Neg (q) y = TensorScatter (p, u, w) }",
        24,
    ),
    "cache-out": (
        "g (float[1,1,2,3] p, float[1,1,1,3] u, int64[1] w) => (float[a,b,c,d] z) "
        "{ y = TensorScatter (p, u, w) z = Neg (y) }",
        "g (float[1,1,2,3] p, float[1,1,1,3] u, int64[1] w) => (float[a,b,c,d] z, float[e,f,h,i] y) "
        "{ y = TensorScatter (p, u, w) z = Neg (y) }",
        24,
    ),
}
SWEEP = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", FORMS)
def test_a_free_size(name: str, tmp_path: Path) -> None:
    assert told_and_true(FORMS[name].format("n"), tmp_path) == (True, True)
    assert told_and_true(FORMS[name].format("2"), tmp_path) == (False, False)


@pytest.mark.parametrize("name", ONE)
def test_a_vector_of_one(name: str, tmp_path: Path) -> None:
    assert told_and_true(ONE[name].format("n"), tmp_path, 18) == (True, True)
    assert told_and_true(ONE[name].format("1"), tmp_path, 18) == (False, False)


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair(name: str, tmp_path: Path) -> None:
    refused, taken, opset = PAIRS[name]
    assert told_and_true(refused, tmp_path, opset) == (True, True)
    assert told_and_true(taken, tmp_path, opset) == (False, False)


def test_what_nodes_make_is_not_judged(tmp_path: Path) -> None:
    """TensorRT knows the length of what Slice makes of two stored bounds that shape inference cannot follow."""
    text = (
        "g (float[1,1] x) => (float[a,b] y) <int64[1] zero = {0}, int64[1] two = {2}> "
        "{ s = Shape (x) n = Mul (two, two) t = Slice (s, zero, n) u = Mul (t, t) y = Expand (x, u) }"
    )
    assert told_and_true(text, tmp_path) == (False, False)


@pytest.mark.parametrize("sizes", ["N,3,4", "N,2,3,4", "1,N,3,4"])
def test_a_vector_times_a_free_batch_builds_for_one(sizes: str, tmp_path: Path) -> None:
    """It is no refusal, but the engine takes one batch only or drops another axis: OFX788 says so."""
    made = "n,m" if sizes.count(",") == 2 else "n,m,k"
    text = f"g (float[3] a, float[{sizes}] b) => (float[{made}] y) {{ y = MatMul (a, b) }}"
    assert told_and_true(text, tmp_path) == (False, False)
    report = onnxfix.check(tmp_path / "m.onnx", target="rtx1.7", ask_target=False)
    assert [item.code for item in report.diagnostics if item.level == "error"] == ["OFX788"]


def _sizes(*known: tuple[str, int], free: st.DrawFn) -> str:
    """Sizes of which any may be free, under a name of its own."""
    return ",".join(name if free(st.booleans()) else str(size) for name, size in known)


@st.composite
def rotary(draw: st.DrawFn) -> str:
    data = _sizes(("n", 2), ("h", 4), ("s", 3), free=draw)
    given_positions = draw(st.booleans())
    cache = "float[9,4]" if given_positions else f"float[{_sizes(('n', 2), ('s', 3), free=draw)},4]"
    positions = f", int64[{_sizes(('n', 2), ('s', 3), free=draw)}] p" if given_positions else ""
    node = f"y = RotaryEmbedding (x, c, c{', p' if given_positions else ''})"
    return f"g (float[{data},8] x, {cache} c{positions}) => (float[e,f,i,j] y) {{ {node} }}"


@st.composite
def attention(draw: st.DrawFn) -> str:
    """Of float16, with a head size for which there is a kernel."""
    query = _sizes(("n", 2), ("h", 4), ("s", 3), ("d", 16), free=draw)
    keys, values = (_sizes(("n", 2), ("h", 4), ("t", 5), ("d", 16), free=draw) for _ in range(2))
    return (
        f"g (float16[{query}] q, float16[{keys}] k, float16[{values}] v) => (float16[e,f,i,j] y) "
        "{ y = Attention (q, k, v) }"
    )


@SWEEP
@given(text=st.one_of(rotary(), attention()))
def test_sizes_known_alike(text: str, tmp_path: Path) -> None:
    told, refused = told_and_true(text, tmp_path)
    assert told == refused
