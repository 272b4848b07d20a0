"""`reduce --check numeric` where engines run: a make-believe engine misreads an operator (tests/gpu has real ones)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

import onnxfix
from onnxfix.engine import EngineResult, Flavour
from onnxfix.errors import OnnxfixError
from onnxfix.isolate import checks
from onnxfix.model import load
from onnxfix.verify.difference import difference
from onnxfix.verify.engine_run import EngineComparison
from onnxfix.verify.inputs import input_specs
from onnxfix.verify.runtime import Session
from onnxfix.verify.sizes import levels
from onnxfix.verify.values import seeded

MODEL = """<ir_version: 8, opset_import: ["" : 17]>
g (float[6,8] x) => (float[6,8] y, float[6,8] z) <bool k = {1}> { a = Abs(x) b = Exp(a) c = Add(b, a)
  f = If (k) <then_branch = t () => (float[6,8] p) { q = Abs(c) [wrong] p = Trilu(q) },
              else_branch = e () => (float[6,8] r) { r = Neg(c) }>
  d = Relu(f) y = Neg(d) z = Sigmoid(b) }"""


def misread(path: Path, **_: Any) -> EngineComparison:
    """Trilu without `upper` is taken for the lower triangle, as TensorRT-RTX 1.6.1 does (docs/gpu.md)."""
    specs = input_specs(load(path))
    feeds = seeded(specs, next(levels(specs, {}))[0], 0)
    model = onnx.load(path)
    nodes = [*model.graph.node, *(n for node in model.graph.node for a in node.attribute for n in a.g.node)]
    for node in nodes:
        if node.op_type == "Trilu" and not node.attribute:
            node.attribute.append(onnx.helper.make_attribute("upper", 0))
    right, wrong = Session(path).run(feeds), Session(model.SerializeToString()).run(feeds)
    built = EngineResult("built", Flavour("tensorrt_rtx", "1.6.1"))
    return EngineComparison(built, differences=tuple(difference(name, right[name], wrong[name]) for name in right))


def test_the_node_is_found_even_inside_a_branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "why_not", str)
    monkeypatch.setattr(checks, "compare_engine", misread)
    out = tmp_path / "small.onnx"
    report = onnxfix.reduce(onnx.parser.parse_model(MODEL), out, check="numeric")
    assert [item.op_type for item in report.origin] == ["Trilu"]
    assert report.failure.startswith("output 'y': ")
    assert misread(out).wrong and report.checks < 30


def test_a_check_that_cannot_be_asked_says_why(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
      g (seq(float[2]) s) => (float[m] y) { y = ConcatFromSequence <axis = 0> (s) }"""
    with pytest.raises(OnnxfixError, match="the check `numeric` cannot be asked: input 's' is a sequence"):
        onnxfix.reduce(onnx.parser.parse_model(text), tmp_path / "small.onnx", check="numeric")


def test_gentle_inputs_where_others_are_refused(tmp_path: Path) -> None:
    """Places beyond the axis are refused; the reference evaluator divides by the sum, and not by that of magnitudes."""
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[2,3] x, int64[2] i) => (float[2,3] y)
      {
      s = Neg(x) n = LpNormalization <axis = 1, p = 1> (s) j = Mul(i, i) k = Mul(j, j) g = Gather(n, k) y = Neg(g) }"""
    report = onnxfix.reduce(onnx.parser.parse_model(text), tmp_path / "small.onnx", check="numeric")
    assert [item.op_type for item in report.origin] == ["LpNormalization"]


def test_random_outputs_are_no_failure(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[64] x) => (float[64] y, float[64] z)
      <float r = {0.5}, bool t = {1}>
      { y = Dropout(x, r, t) z = RandomNormalLike(x) }"""
    with pytest.raises(OnnxfixError, match="does not fail the check `numeric`"):
        onnxfix.reduce(onnx.parser.parse_model(text), tmp_path / "small.onnx", check="numeric")
