"""Facts with a name, and about sizes, against the real TensorRT-RTX: refused forms, neighbours that build, sweeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from real_target import told_and_true

pytest.importorskip("tensorrt_rtx")
SLICED = "{{ c = Identity (ci) one = Constant <value_ints = [1]> () t = Constant <value_ints = [0]> () {0} }}"
BODY = "<body = b (int64 i, bool ci, float[1] p) => (bool c, float[1] q) " + SLICED + ">"
LOOP = "g (float[5] x, float[1] s, int64 n) => (float[1] y) <bool go = {{1}}> {{ y = Loop (n, go, s) " + BODY + " }}"
RANKS = "<then_branch = a () => (t) { t = ReduceMax <keepdims = 0> (x) }, else_branch = b () => (e) { e = Neg (x) }>"
DEAD = "<then_branch = a () => (float[M] t) { t = Unique (x) }, else_branch = b () => (float[3] e) { e = Neg (x) }>"

ATTENTION = (
    "g (float16[2,3,4,16] q, float16[2,3,4,16] k{0}) => (float16[2,3,4,16] y, float16[2,3,4,16] z) "
    "{{ z = Neg (k) y = Attention{1} (q, {2}) }}"
)

FORMS = {
    "branches-of-two-ranks": (
        f"g (float[2,3] x, bool k) => (float y) {{ y = If (k) {RANKS} }}",
        f"g (float[2,3] x) => (float y) <int64 six = {{6}}> {{ n = Size (x) k = Equal (n, six) y = If (k) {RANKS} }}",
    ),
    "a-branch-that-is-taken": (
        f"g (float[3] x) => (float[3] y) <bool k = {{1}}> {{ y = If (k) {DEAD} }}",
        f"g (float[3] x) => (float[3] y) <bool k = {{0}}> {{ y = If (k) {DEAD} }}",
    ),
    "slice-by-the-number-of-the-run": (
        LOOP.format("u = Unsqueeze (i, t) e = Add (u, one) z = Slice (x, u, e) q = Add (p, z)"),
        LOOP.format("u = Unsqueeze (i, t) z = Gather (x, u) q = Add (p, z)"),
    ),
    "loop-without-condition": (
        'g (float[1] s, int64 n) => (float[1] y) { y = Loop (n, "", s) '
        "<body = b (int64 i, bool ci, float[1] p) => (bool c, float[1] q) { c = Identity (ci) q = Add (p, p) }> }",
        "g (float[1] s, int64 n) => (float[1] y) <bool go = {1}> { y = Loop (n, go, s) "
        "<body = b (int64 i, bool ci, float[1] p) => (bool c, float[1] q) { c = Identity (ci) q = Add (p, p) }> }",
    ),
    "size-from-floats": (
        "g (float[1,1] x, float[2] s) => (float[a,b] y) { t = Mul (s, s) c = Cast <to = 7> (t) y = Expand (x, c) }",
        "g (float[1,1] x, int32[2] s) => (float[a,b] y) { t = Mul (s, s) c = Cast <to = 7> (t) y = Expand (x, c) }",
    ),
    "bounds-of-int8": (
        'g (int8[3] x) => (int8[3] y) <int8 m = {1}> { y = Clip (x, "", m) }',
        "g (int8[3] x) => (int8[3] y) <int8 m = {1}> { y = Clip (x, m) }",
    ),
    "stored-int8": (
        "g (int8[3] x) => (int8[6] y) <int8[3] w = {1,2,3}> { y = Concat <axis = 0> (x, w) }",
        "g (float[3] x) => (float[6] y) <int8[3] w = {1,2,3}, float s = {0.5}> "
        "{ d = DequantizeLinear (w, s) y = Concat <axis = 0> (x, d) }",
    ),
    "fed-uint8": (
        "g (uint8[3] x) => (float[3] y) <float s = {0.5}, uint8 z = {0}> { y = DequantizeLinear (x, s, z) }",
        "g (float[3] x) => (float[3] y) <float s = {0.5}, uint8 z = {0}> "
        "{ q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z) }",
    ),
    "random-doubles": (
        "g (float[3] x) => (double[3] y) { y = RandomUniformLike <dtype = 11> (x) }",
        "g (bool[3] x) => (float16[3] y) { y = RandomUniformLike <dtype = 10> (x) }",
    ),
    "filled-with-uint8": (
        "g (int64[1] n) => (float[k] y) { u = ConstantOfShape <value = uint8[1] {7}> (n) y = Cast <to = 1> (u) }",
        "g (int64[1] n) => (float[k] y) { u = ConstantOfShape <value = int32[1] {7}> (n) y = Cast <to = 1> (u) }",
    ),
    "mask-beside-causal": (
        ATTENTION.format(", float16[4,4] m", " <is_causal = 1>", "k, k, m"),
        ATTENTION.format(", float16[4,4] m", "", "k, k, m"),
    ),
    "mask-of-another-type": (
        ATTENTION.format(", float[4,4] m", "", "k, k, m"),
        ATTENTION.format(", bool[4,4] m", "", "k, k, m"),
    ),
    "query-that-is-the-keys": (ATTENTION.format("", "", "q, k"), ATTENTION.format("", "", "k, q")),
    "no-output": ("g (float[3] x) => () { y = Relu (x) }", "g (float[3] x) => (float[3] y) { y = Relu (x) }"),
    "untyped-output": ("g (float[3] x) => (y) { y = Relu (x) }", "g (float[3] x) => (float[3] y) { y = Relu (x) }"),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_is_known_is_true(name: str, tmp_path: Path) -> None:
    refused, taken = FORMS[name]
    assert told_and_true(refused, tmp_path) == (True, True)
    assert told_and_true(taken, tmp_path) == (False, False)


@pytest.mark.parametrize("opset", [7, 8, 9, 11])
@pytest.mark.parametrize("given_as", ["attribute", "input"])
def test_scales_of_upsample(opset: int, given_as: str, tmp_path: Path) -> None:
    as_input = given_as == "input"
    node = "y = Upsample (x, s)" if as_input else "y = Upsample <scales = [1.0, 1.0, 2.0, 2.0]> (x)"
    text = f"g (float[1,1,2,2] x) => (float[1,1,4,4] y) <float[4] s = {{1.0,1.0,2.0,2.0}}> {{ {node} }}"
    told, refused = told_and_true(text, tmp_path, opset)
    assert told == refused == (as_input != (opset >= 9))


SWEEP = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SWEEP
@given(
    dtype=st.sampled_from(["float", "float16", "bfloat16"]),
    sizes=st.tuples(*[st.integers(1, 4)] * 3, st.one_of(st.integers(1, 40), st.sampled_from([64, 255, 256, 257, 264]))),
    rank=st.sampled_from([3, 4]),
    causal=st.booleans(),
)
def test_sizes_of_attention(
    dtype: str, sizes: tuple[int, int, int, int], rank: int, causal: bool, tmp_path: Path
) -> None:
    batch, heads, rows, size = sizes
    dims = f"{batch},{heads},{rows},{size}" if rank == 4 else f"{batch},{rows},{heads * size}"
    named = "" if rank == 4 else f", q_num_heads = {heads}, kv_num_heads = {heads}"
    node = f"y = Attention <is_causal = {int(causal)}{named}> (q, k, k)"
    text = f"g ({dtype}[{dims}] q, {dtype}[{dims}] k) => ({dtype}[{dims}] y) {{ {node} }}"
    told, refused = told_and_true(text, tmp_path)
    assert told == refused


@SWEEP
@given(size=st.integers(1, 12), parts=st.integers(2, 6))
def test_parts_of_split(size: int, parts: int, tmp_path: Path) -> None:
    made = ", ".join(f"y{number}" for number in range(parts))
    typed = ", ".join(f"float[k{number}] y{number}" for number in range(parts))
    told, refused = told_and_true(
        f"g (float[{size}] x) => ({typed}) {{ {made} = Split <num_outputs = {parts}> (x) }}", tmp_path
    )
    assert told == refused


@SWEEP
@given(batch=st.lists(st.integers(1, 2), min_size=0, max_size=3))
def test_a_vector_times_matrices(batch: list[int], tmp_path: Path) -> None:
    right, made = ",".join(map(str, [*batch, 3, 4])), ",".join(map(str, [*batch, 4]))
    text = f"g (float[3] v, float[{right}] m) => (float[{made}] y) {{ y = MatMul (v, m) }}"
    told, refused = told_and_true(text, tmp_path)
    assert told == refused
