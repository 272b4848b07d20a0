"""A rule that is wrong at some nodes loses those fixes only, and the report has a model that shows it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import onnx
import pytest
from endings import write_rule
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import onnxfix
from onnxfix.verify.runtime import Session

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
# Where the input is an Abs, Relu may become Abs: the rule is right there, and wrong at the other places.
RULE = "y = Relu (x)", "y = Abs (x)"


def repaired(text: str, folder: Path, tmp_path: Path) -> tuple[onnxfix.RepairReport, Path]:
    file, out = tmp_path / "m.onnx", tmp_path / "out.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + text), file)
    return onnxfix.repair(file, out, rules=[folder], select=["own"], verify="numeric"), out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    write_rule(folder, "TST001", *RULE)
    write_rule(folder, "TST002", "a = Neg (x)\ny = Neg (a)", "y = Identity (x)")
    return folder


def test_only_the_wrong_place_is_taken_back(folder: Path, tmp_path: Path) -> None:
    text = """g (float[2,3] x) => (float[2,3] y)
    { a = Abs(x) [right] b = Relu(a) n = Neg(b) m = Neg(n) s = Sub(x, m) [wrong] r = Relu(s) y = Tanh(r) }"""
    report, out = repaired(text, folder, tmp_path)
    assert [(fix.code, fix.node) for fix in report.fixes if fix.code == "TST001"] == [("TST001", "right")]
    assert {fix.code for fix in report.fixes} == {"TST001", "TST002"}
    assert report.verdict.outcome == "passed" and report.output == str(out)
    assert [(held.diagnostic.code, held.diagnostic.node) for held in report.withheld] == [("TST001", "wrong")]
    assert [(culprit.rule, culprit.node) for culprit in report.culprits] == [("own-tst001", "wrong")]


def test_the_example_alone_shows_the_failure(folder: Path, tmp_path: Path) -> None:
    text = """g (float[2,3] x) => (float[2,3] y)
    { a = Tanh(x) [wrong] b = Relu(a) c = Neg(b) y = Neg(c) }"""
    report, _ = repaired(text, folder, tmp_path)
    (culprit,) = report.culprits
    assert (culprit.code, culprit.node) == ("TST001", "wrong")
    assert "output 'b' differs" in culprit.difference
    example = onnx.parser.parse_model(culprit.example)
    assert [node.op_type for node in example.graph.node] == ["Relu"]
    alone = onnxfix.repair(example, rules=[folder], select=["TST001"], verify="numeric")
    assert alone.verdict.outcome == "failed"


def test_the_example_has_no_node_that_it_does_not_need(folder: Path, tmp_path: Path) -> None:
    """The reader of the guilty node is an If, whose body the rule breaks too: it is not in the example."""
    write_rule(folder, "TST003", "a = Tanh (x)\ny = Tanh (a)", "y = Tanh (x)")
    text = """g (float[2,3] x, bool c) => (float[2,3] y)
    { s = Sin(x) [one] a = Tanh(s) [wrong] b = Tanh(a) [f] y = If (c)
      <then_branch = t () => (float[2,3] p) { k = Tanh(b) [too] p = Tanh(k) },
       else_branch = e () => (float[2,3] q) { q = Abs(b) }> }"""
    report, _ = repaired(text, folder, tmp_path)
    examples = {culprit.node: onnx.parser.parse_model(culprit.example) for culprit in report.culprits}
    assert {name: len(model.graph.node) for name, model in examples.items()} == {"wrong": 2, "too": 2}
    assert [node.name for node in examples["wrong"].graph.node] == ["one", "wrong"]


def test_an_example_of_a_fix_in_a_function_calls_the_function(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    text = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
      g (float[2,3] x) => (float[2,3] y) { a = Sin(x) [call] b = own.f(a) y = Exp(b) }
      <domain: "own", opset_import: ["" : 17]> f (v) => (u) { w = Tanh(v) [wrong] u = Relu(w) }"""
    onnx.save(onnx.parser.parse_model(text), file)
    report = onnxfix.repair(file, tmp_path / "out.onnx", rules=[folder], select=["own"], verify="numeric")
    (culprit,) = report.culprits
    example = onnx.parser.parse_model(culprit.example)
    assert [node.name for node in example.graph.node] == ["call"] and len(example.functions) == 1
    assert onnxfix.repair(example, rules=[folder], select=["TST001"], verify="numeric").verdict.outcome == "failed"


def test_several_wrong_rules_are_all_named(folder: Path, tmp_path: Path) -> None:
    write_rule(folder, "TST002", "a = Neg (x)\ny = Neg (a)", "y = Neg (x)")
    text = "g (float[2,3] x) => (float[2,3] y) { a = Relu(x) b = Sub(a, x) c = Neg(b) y = Neg(c) }"
    report, out = repaired(text, folder, tmp_path)
    assert {culprit.code for culprit in report.culprits} == {"TST001", "TST002"}
    assert report.verdict.outcome == "failed" and not out.exists()


RIGHT = {
    "TST101": ("a = Neg (x)\ny = Neg (a)", "y = Identity (x)"),
    "TST102": ("a = Abs (x)\ny = Relu (a)", "y = Abs (x)"),
    "TST103": ("y = Sum (a, b)", "y = Add (a, b)"),
}
WRONG = {
    "TST201": ("y = Tanh (x)", "y = Sin (x)"),
    "TST202": ("y = Div (a, b)", "y = Mul (a, b)"),
    "TST203": ("y = Max (a, b)", "y = Min (a, b)"),
    "TST204": ("y = Exp (x)", "one = Constant <value = float {1.0}> ()\ny = Add (x, one)"),
}


def planted(seed: int, wrong: str) -> str:
    """A random chain in which every rule finds something."""
    pieces = [
        *("{o} = Neg({i}_)|{i}_ = Neg({i})", "{o} = Relu({i}_)|{i}_ = Abs({i})", "{o} = Sum({i}, x)"),
        {
            "TST201": "{o} = Tanh({i})",
            "TST202": "{o} = Div({i}, x)",
            "TST203": "{o} = Max({i}_, {i})|{i}_ = Sin({i})",
        }.get(wrong)
        or "{o} = Exp({i}_)|{i}_ = Sin({i})",
    ]
    random.Random(seed).shuffle(pieces)
    lines, value = [], "x"
    for number, piece in enumerate([*pieces, "{o} = Sigmoid({i})"]):
        goal = "y" if number == len(pieces) else f"v{number}"
        lines += [part.format(i=value, o=goal) for part in reversed(piece.split("|"))]
        value = goal
    return "g (float[2,3] x) => (float[2,3] y) { " + " ".join(lines) + " }"


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000), st.sampled_from(sorted(WRONG)))
def test_every_planted_rule_is_found(tmp_path_factory: pytest.TempPathFactory, seed: int, wrong: str) -> None:
    tmp_path = tmp_path_factory.mktemp("planted")
    folder = tmp_path / "own"
    for code, (match, replacement) in {**RIGHT, wrong: WRONG[wrong]}.items():
        write_rule(folder, code, match, replacement)
    report, out = repaired(planted(seed, wrong), folder, tmp_path)
    assert {culprit.code for culprit in report.culprits} == {wrong}
    assert {fix.code for fix in report.fixes} == set(RIGHT)
    x = np.linspace(0.5, 2, 6, dtype=np.float32).reshape(2, 3)
    one, two = (Session(file).run({"x": x})["y"] for file in (tmp_path / "m.onnx", out))
    assert np.allclose(one, two, rtol=1e-4, equal_nan=True)


def test_a_fix_that_the_engine_refuses_is_taken_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    folder, out = tmp_path / "own", tmp_path / "out.onnx"
    write_rule(folder, "TST001", "y = Sum (a, b)", "y = Add (a, b)")
    detour = "zero = Constant <value = int64 {0}> ()\ns = SequenceConstruct (x)\ny = SequenceAt (s, zero)"
    write_rule(folder, "TST002", "a = Neg (x)\ny = Neg (a)", detour)
    text = "g (float[2,3] x) => (float[2,3] y) { a = Neg(x) b = Neg(a) c = Sum(b, x) y = Tanh(c) }"
    model = onnx.parser.parse_model(HEAD + text)
    report = onnxfix.repair(model, out, rules=[folder], select=["own"], verify="engine")
    assert [(culprit.code, culprit.node) for culprit in report.culprits] == [("TST002", "b")]
    assert [fix.code for fix in report.fixes] == ["TST001"]
    assert report.verdict.outcome == "passed" and out.exists()
