"""If and Loop as exporters write them: `squeeze` on a free dimension, and loops that end by a counter."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, model_of, outcome_of, prove, reason

rtx = pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="needs TensorRT-RTX")

SQUEEZED = """g (float[N,4,M] x) => (float[K,1,L] y)
<int64 place = {2}, int64 one = {1}, int64[1] last = {2}, int64[1] first = {0}, float[1,4,1] w = {1, -2, 3, 0.5}>
{ s = Shape(x)
  n = Gather(s, place)
  c = Equal(n, one)
  r = If (c) <
    then_branch = t () => (float[N,4] p) { p = Squeeze(x, last) },
    else_branch = e () => (float[N,4,M] q) { q = Identity(x) }>
  z = Relu(r)
  BODY }"""

CHAIN = """h = Unsqueeze(z, last)
  y = Conv(h, w)"""

ASKED = """rs = Shape(z)
  rank = Size(rs)
  two = Constant <value = int64 {2}> ()
  is2 = Equal(rank, two)
  no = Not(is2)
  h = If (no) <
    then_branch = t2 () => (float[A,B,C,D] a) { a = Unsqueeze(z, first) },
    else_branch = e2 () => (float[A,B,1] b) { b = Unsqueeze(z, last) }>
  y = Conv(h, w)"""


@rtx
@pytest.mark.parametrize("body", [CHAIN, ASKED])
def test_only_one_rank_fits_what_follows(body: str) -> None:
    """A convolution takes three axes: those after the Squeeze, also where another If asks for the rank.

    A single If builds at the one size that makes its condition a constant; nested in others (Silero's voice detector)
    it is refused.
    """
    text = SQUEEZED.replace("BODY", body).replace("(x)", "(v)").replace("(x, last)", "(v, last)")
    text = text.replace("{ s =", "{ v = AveragePool <kernel_shape = [64]> (x)\n s =")
    x = np.repeat(np.array([[[1], [np.nan], [np.inf], [-1]], [[0], [2], [-3], [4]]], "f"), 64, axis=2)
    made = prove(text, "OFX870", {"x": x}, {"x": x[:1]})
    assert not any(node.op_type == "If" and node.input[0] == "c" for node in made.graph.node)
    assert builds(made)


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ("y = Transpose <perm = [0, 2, 1]> (z)", "Identity"),
        ("y = Concat <axis = 0> (z, x)", "Identity"),
        ("h = Transpose <perm = [1, 0]> (z)\n y = Unsqueeze(h, last)", "Squeeze"),
        ("h = Squeeze(z, last)\n y = Unsqueeze(h, last)", "Identity"),
    ],
)
def test_what_a_node_demands(body: str, fits: str) -> None:
    outcome = outcome_of(SQUEEZED.replace("BODY", body), "OFX870")
    made = outcome.model.proto.graph.node
    assert next(node.op_type for node in made if "r" in node.output) == fits


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("y = Sigmoid(z)", "may take both"),
        ("h = Gemm(z, v)\n y = Identity(h)", "may take both"),
        ("h = Conv(z, w)\n k = Transpose <perm = [1, 0]> (z)\n y = Identity(h)", "takes neither"),
        ("y = If (c) <then_branch = u () => (float[A,B,C] a) { a = Conv(z, w) },\n"
         "else_branch = v () => (float[A,B,C] b) { b = Neg(x) }>", "may take both"),
    ],
)  # fmt: skip
def test_the_rank_is_not_decided(body: str, why: str) -> None:
    """A node in a branch that need not run decides nothing."""
    text = SQUEEZED.replace("BODY", body).replace(
        "<int64 place", "<float[4,3] v = {1,2,3,4,5,6,7,8,9,10,11,12}, int64 place"
    )
    if "Gemm" in body:
        text = text.replace("h = Gemm(z, v)", "h = MatMul(z, v)")
    assert why in reason(text, "OFX870")


def counted(
    start: int, limit: str, step: int, dtype: str = "int64", on: str = "on = Less(j, n)", opset: int = 17
) -> str:
    """A loop that collects rows while its counter is below `n`, with the carried counter first."""
    return f"""<ir_version: 8, opset_import: ["" : {opset}]>
    g (float[N,2] x, bool begin) => ({dtype} last, float[M,2] y) <{dtype} zero = {{{start}}}, {dtype} many = {{100}}>
    {{ s = Shape(x)
      place = Constant <value = int64 {{0}}> ()
      long = Gather(s, place)
      n = {limit}
      last, y = Loop(, begin, zero) <body = b (int64 k, bool going, {dtype} i) => (bool on, {dtype} j, float[2] r) {{
        step = Constant <value = {dtype} {{{step}}}> ()
        j = Add(i, step)
        r = Gather(x, place)
        row = Squeeze(r)
        {on} }}> }}"""


@settings(deadline=None, max_examples=25)
@given(
    start=st.integers(-4, 6),
    step=st.integers(1, 4),
    size=st.integers(1, 6),
    begin=st.booleans(),
    dtype=st.sampled_from(["int32", "int64"]),
    opset=st.sampled_from([13, 17, 21]),
    on=st.sampled_from(
        [
            "on = Less(j, n)",
            "on = Greater(n, j)",
            "fj = Cast <to = 1> (j) fn = Cast <to = 1> (n) on = Less(fj, fn)",
            "a = Less(j, n) b = Less(j, many) on = And(a, b)",
        ]
    ),
)
def test_iterations_of_a_counter(
    start: int, step: int, size: int, begin: bool, dtype: str, opset: int, on: str
) -> None:
    """One at least when the loop starts, none when it does not."""
    number = {"int32": 6, "int64": 7}[dtype]
    text = counted(start, f"Cast <to = {number}> (long)", step, dtype, on, opset)
    x = np.arange(2 * size, dtype="f").reshape(size, 2)
    made = prove(text, "OFX871", {"x": x, "begin": np.array(begin)})
    loop = next(node for node in made.graph.node if node.op_type == "Loop")
    assert loop.input[0]


@rtx
def test_a_counted_loop_builds() -> None:
    text = (
        counted(0, "Identity(long)", 1)
        .replace(", bool begin)", ")")
        .replace("<int64 zero", "<bool begin = {1}, int64 zero")
    )
    assert not builds(text)
    assert builds(prove(text, "OFX871"))


@pytest.mark.parametrize(
    ("on", "step", "why"),
    [
        ("on = Less(n, j)", 1, "its limit is computed in the loop"),
        ("on = Less(i, n)", 1, "what it compares is no counter"),
        ("on = Less(j, n)", -1, "its counter has no constant step"),
        ("a = Less(j, n) on = Not(a)", 1, "no comparison of a counter"),
        ("h = Cast <to = 10> (j) f = Cast <to = 10> (n) on = Less(h, f)", 1, "is computed in the loop"),
    ],
)
def test_loops_that_end_otherwise(on: str, step: int, why: str) -> None:
    assert why in reason(counted(0, "Identity(long)", step, on=on), "OFX871")


def test_a_trip_count_stays_the_most() -> None:
    text = (
        counted(0, "Identity(long)", 1)
        .replace("Loop(, begin", "Loop(most, begin")
        .replace("<int64 zero", "<int64 most = {2}, int64 zero")
    )
    made = prove(text, "OFX871", {"x": np.ones((5, 2), "f"), "begin": np.array(True)})
    assert isinstance(made, onnx.ModelProto) and model_of(made) is made


@pytest.mark.parametrize(
    ("kind", "condition", "told"),
    [
        ("int64", "k = Constant <value = int64 {16000}> () c = Equal(sr, k)", True),
        ("int64[1]", "k = Constant <value = int64 {16000}> () e = Squeeze(sr) c = Equal(e, k)", True),
        ("int64", "s = Shape(x) n = ReduceProd <keepdims = 0> (s) c = Equal(sr, n)", False),
        ("float", "k = Constant <value = float {0.5}> () c = Less(sr, k)", False),
    ],
)
def test_an_input_that_decides_is_named(kind: str, condition: str, told: bool) -> None:
    """Two nets in one model, and a sample rate that says which."""
    text = f"""g (float[N] x, {kind} sr) => (float[N] y)
    {{ {condition}
      y = If (c) <then_branch = t () => (float[N] p) {{ p = Exp(x) }},
                  else_branch = e () => (float[N] q) {{ q = Abs(x) }}> }}"""
    assert ("--freeze sr=VALUE decides its condition" in reason(text, "OFX778")) == told
