"""If, Loop and Scan: inlined, selected, unrolled or turned into scans, with the same numbers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proving import builds, model_of, prove, reason

import onnxfix

rtx = pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="needs TensorRT-RTX")


@pytest.mark.parametrize("side", [0, 1])
def test_the_branch_that_runs(side: int) -> None:
    """Nested branches, captured values, stored tensors, and an outer value as a result."""
    text = f"""g (bool d, float[2] x) => (float[2] y, float[2] z) <bool c = {{{side}}}>
    {{ o = Neg(x)
      y, z = If (c) <
        then_branch = t () => (float[2] p, float[2] q) <float[2] k = {{1.0, 2.0}}> {{
          a = Add(o, k)
          p = If (d) <then_branch = t2 () => (float[2] r) {{ b = Mul(a, k) r = Add(b, x) }},
                      else_branch = e2 () => (float[2] r) {{ b = Sub(a, k) r = Neg(b) }}>
          q = Identity(o) }},
        else_branch = e () => (float[2] a, float[2] b) {{ a = Abs(o) b = Sqrt(a) }}> }}"""
    made = prove(text, "OFX776")
    assert sum(node.op_type == "If" for node in made.graph.node) == side


def test_a_branch_is_inlined_twice_without_clashes() -> None:
    text = """g (float[2] x) => (float[2] y, float[2] z) <bool c = {1}>
    { y = If (c) <then_branch = t () => (float[2] p) { a = Neg(x) p = Exp(a) },
                  else_branch = e () => (float[2] q) { q = Abs(x) }>
      z = If (c) <then_branch = t () => (float[2] p) { a = Abs(y) p = Log(a) },
                  else_branch = e () => (float[2] q) { q = Abs(x) }> }"""
    prove(text, "OFX776")


def test_selected_branches_keep_nan_and_infinity_apart() -> None:
    text = """g (bool c, float[4] x) => (float[4] y)
    { y = If (c) <then_branch = t () => (float[4] p) { p = Log(x) },
                  else_branch = e () => (float[4] q) { q = Neg(x) }> }"""
    x = np.array([-1, 0, np.nan, np.inf], "f")
    prove(text, "OFX778", {"c": np.array(True), "x": x}, {"c": np.array(False), "x": x})


def test_branches_of_free_shapes_must_not_run_both() -> None:
    text = """g (bool c, float[N] x, float[M] z) => (float y)
    { y = If (c) <then_branch = t () => (float p) { a = Add(x, z) p = ReduceSum <keepdims = 0> (a) },
                  else_branch = e () => (float q) { q = ReduceSum <keepdims = 0> (x) }> }"""
    assert "in a branch is not fixed" in reason(text, "OFX778")


@pytest.mark.parametrize(
    ("branch", "told"),
    [
        ("p = Div(x, x)", "Div in a branch must not run"),
        ("p = RandomNormalLike(x)", "RandomNormalLike in a branch must not run"),
    ],
)
def test_branches_that_must_not_run(branch: str, told: str) -> None:
    text = f"""g (bool c, int32[2] x) => (int32[2] y)
    {{ y = If (c) <then_branch = t () => (int32[2] p) {{ {branch} }},
                  else_branch = e () => (int32[2] q) {{ q = Neg(x) }}> }}"""
    assert told in reason(text, "OFX778")


@given(st.integers(0, 5), st.booleans(), st.sampled_from([11, 13, 18, 21]))
@settings(max_examples=30, deadline=None)
def test_unrolled_loops(count: int, condition: bool, opset: int) -> None:
    """Carried values, the counter, a scan output, a captured value, and a condition that ends the loop early."""
    end = "d = Less(i, two)" if condition else "d = Identity(c)"
    text = f"""g (float[3] x) => (float[3] y, float[n,3] s) <bool t = {{1}}, int64 M = {{{count}}}, int64 two = {{2}}>
    {{ o = Neg(x)
      y, s = Loop(M, t, x) <body = b (int64 i, bool c, float[3] v) => (bool d, float[3] w, float[3] u) {{
        {end} f = Cast <to = 1> (i) a = Add(v, f) w = Mul(a, o) u = Neg(w) }}> }}"""
    made = prove(model_of(text, opset), "OFX781")
    assert sum(node.op_type == "Mul" for node in made.graph.node) == (min(count, 3) if condition else count)


def test_a_loop_that_counts_by_itself() -> None:
    text = """g (float[2] x) => (int64 n, float[2] y) <bool t = {1}, int64 k = {3}, int64 two = {2}, int64 ten = {10}>
    { n, y = Loop("", t, k, x) <body = b (int64 i, bool c, int64 j, float[2] v) => (bool d, int64 l, float[2] w) {
        l = Add(j, two) d = Less(l, ten) w = Exp(v) }> }"""
    made = prove(text, "OFX781")
    assert sum(node.op_type == "Exp" for node in made.graph.node) == 4


LOOP = "g (float x, int64 M) => (float y) <bool t = {1}, int64 many = {9999}, float h = {9.0}> { y = Loop(%s, t, x)"
BODY = " <body = b (int64 i, bool c, float v) => (bool d, float w) { w = Add(v, v) %s }> }"


@pytest.mark.parametrize(
    ("bound", "end", "told"),
    [
        ("M", "d = Identity(c)", "the number of iterations is not a constant"),
        ('""', "d = Identity(c)", "it never ends"),
        ("many", "d = Identity(c)", "9999 iterations are too many to write out"),
        ("many", "d = Less(w, h)", "whether the loop goes on is computed from data"),
    ],
)
def test_loops_that_stay(bound: str, end: str, told: str) -> None:
    assert told in reason(LOOP % bound + BODY % end, "OFX781")


@given(st.integers(1, 4), st.booleans(), st.booleans(), st.booleans(), st.sampled_from([9, 11, 13, 18]))
@settings(max_examples=30, deadline=None)
def test_unrolled_scans(length: int, backwards: bool, reversed_: bool, last: bool, opset: int) -> None:
    axis = 1 if last else 0
    scanned = f"2,{length}" if last else f"{length},2"
    flags = f"scan_input_directions = [{int(backwards)}], scan_output_directions = [{int(reversed_)}]"
    text = f"""g (float[2] h, float[{scanned}] x) => (float[2] s, float[{scanned}] y)
    {{ s, y = Scan <num_scan_inputs = 1, scan_input_axes = [{axis}], scan_output_axes = [{axis}], {flags},
      body = b (float[2] a, float[2] e) => (float[2] n, float[2] o) {{
        m = Mul(a, e) n = Add(m, h) o = Neg(n) }}> (h, x) }}"""
    prove(model_of(text, opset), "OFX782")


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("stacked", [0, 1])
def test_lists_that_a_loop_grows(axis: int, stacked: int) -> None:
    text = f"""g (int64 M, float[2,3,2] x) => (float[a,b,c{",n" * stacked}] y) <bool t = {{1}}>
    {{ e = SequenceConstruct(x)
      v, l = Loop(M, t, x, e) <body = b (int64 i, bool c, float[2,3,2] v, seq(float[2,3,2]) o)
        => (bool d, float[2,3,2] w, seq(float[2,3,2]) p) {{ d = Identity(c) w = Add(v, x) p = SequenceInsert(o, w) }}>
      y = ConcatFromSequence <axis = {axis}, new_axis = {stacked}> (l) }}"""
    x = np.arange(12, dtype="f").reshape(2, 3, 2)
    prove(text, "OFX780", *({"M": np.array(count), "x": x} for count in (0, 1, 3)))


@pytest.mark.parametrize("axis", [0, 1])
def test_tensors_that_a_loop_grows(axis: int) -> None:
    text = f"""g (int64 M, float[2,2] x) => (float[a,b] y) <bool t = {{1}}>
    {{ y = Loop(M, t, x) <body = b (int64 i, bool c, float[p,q] v) => (bool d, float[r,s] w) {{
        d = Identity(c) f = Cast <to = 1> (i) u = Add(x, f) w = Concat <axis = {axis}> (v, u) }}> }}"""
    x = np.array([[np.nan, 1], [np.inf, -1]], "f")
    prove(text, "OFX780", *({"M": np.array(count), "x": x} for count in (0, 1, 4)))


def test_a_growing_tensor_that_is_read_stays() -> None:
    text = """g (int64 M, float[2] x) => (float[a] y) <bool t = {1}>
    { y = Loop(M, t, x) <body = b (int64 i, bool c, float[p] v) => (bool d, float[r] w) {
        d = Identity(c) w = Concat <axis = 0> (v, v) }> }"""
    assert reason(text, "OFX780") == ""


def test_a_loop_without_a_condition() -> None:
    text = """g (int64 M, float[3] x) => (float[3] y)
    { y = Loop(M, "", x) <body = b (int64 i, bool c, float[3] v) => (bool d, float[3] w) {
        d = Identity(c) w = Add(v, v) }> }"""
    prove(text, "OFX779", *({"M": np.array(count), "x": np.ones(3, "f")} for count in (0, 3)))


RANKS = """g (bool c, float[1,6] x) => (float[2,3] y) <int64[1] k = {0}, int64[2] s = {2,3}>
{ r = If (c) <then_branch = t () => (float[6] p) { p = Squeeze(x, k) },
                else_branch = e () => (float[1,6] q) { q = Neg(x) }>
  y = Reshape(r, s) }"""
SCRIPTED = """g (float[T,2,4] x, float[4] h) => (float[2,n,4] y) <bool t = {1}>
{ e = SequenceEmpty <dtype = 1> () s = Shape(x) zero = Constant <value = int64 {0}> () M = Gather <axis = 0> (s, zero)
  h2, l = Loop(M, t, h, e) <body = b (int64 i, bool c, float[4] v, seq(float[2,4]) o)
    => (bool d, float[4] w, seq(float[2,4]) p) {
      d = Identity(c) f = Gather <axis = 0> (x, i) g2 = Add(f, v) w2 = ReduceMean <axes = [0], keepdims = 0> (g2)
      w = Tanh(w2) p = SequenceInsert(o, g2) }>
  y = ConcatFromSequence <axis = 1, new_axis = 1> (l) }"""


SLICED = """g (float[N,3] x, float[3] h) => (float[3] y)
<bool t = {1}, int64[1] z = {0}, int64 k = {0}, int64 one = {1}>
{ s = Shape(x) M = Gather(s, k) y = Loop(M, t, h) <body = b (int64 i, bool c, float[3] v) => (bool d, float[3] w) {
    d = Identity(c) e = Add(one, i) a = Unsqueeze(i, z) f = Unsqueeze(e, z) o = Slice(x, a, f, z) r = Squeeze(o, z)
    w = Add(v, r) }> }"""


@pytest.mark.parametrize(
    ("old", "new"), [("Slice(x, a, f, z)", "Slice(x, a, f)"), ("Add(one, i)", "Add(i, i)"), ("(x, a, f", "(x, f, a")]
)
def test_slices_that_are_no_rows_stay(old: str, new: str) -> None:
    assert reason(SLICED.replace(old, new), "OFX787") == ""


@rtx
@pytest.mark.parametrize(
    "text", [RANKS, SCRIPTED, SLICED], ids=["ranks", "a scripted recurrent model", "rows sliced by the counter"]
)
def test_whole_models_are_rescued(text: str, tmp_path: Path) -> None:
    proto = model_of(text, 17)
    assert not builds(proto)
    onnx.save(proto, tmp_path / "m.onnx")
    report = onnxfix.repair(tmp_path / "m.onnx", tmp_path / "out.onnx", target="rtx1.7")
    assert report.verdict.outcome == "passed", [check.reason for check in report.verdict.checks]
    assert builds(onnx.load(tmp_path / "out.onnx"))
