"""A rule that is wrong is found by its numbers and taken back; the others stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from endings import write_rule

import onnxfix

TEXT = """<ir_version: 8, opset_import: ["" : 17]>
g (float[2,3] x) => (float[2,3] y) <float two = {2}>
{ a = Mul(x, two)
  b = Relu(a)
  c = Sub(b, x)
  d = Neg(c)
  y = Neg(d) }"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two right rules, TST001 and TST003, and a wrong one between them, TST002."""
    folder = tmp_path / "own"
    two = "two = Constant <value = float {2.0}> ()"
    write_rule(folder, "TST001", f"{two}\ny = Mul (x, two)", "y = Add (x, x)")
    write_rule(folder, "TST002", "y = Relu (x)", "y = Abs (x)")
    write_rule(folder, "TST003", "a = Neg (x)\ny = Neg (a)", "y = Identity (x)")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(TEXT), file)
    return file


def operators(file: Path) -> list[str]:
    return [node.op_type for node in onnx.load(file).graph.node]


def test_the_wrong_rule_is_taken_back_and_the_rest_written(folder: Path, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.onnx"
    report = onnxfix.repair(model, output, rules=[folder], select=["own"], verify="numeric")
    assert sorted(fix.code for fix in report.fixes) == ["TST001", "TST003"]
    assert [(held.diagnostic.code, held.reason) for held in report.withheld] == [
        ("TST002", "taken back: with this fix the outputs or the structure are wrong")
    ]
    assert report.verdict.outcome == "passed"
    assert report.output == str(output)
    assert sorted(operators(output)) == ["Add", "Identity", "Relu", "Sub"]
    assert report.exit_code == 1


def test_a_wrong_rule_alone_leaves_nothing_to_write(folder: Path, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.onnx"
    report = onnxfix.repair(model, output, rules=[folder], select=["TST002"], verify="numeric")
    assert report.verdict.outcome == "failed"
    assert report.unwritten.startswith("numeric check: ")
    assert report.output == ""
    assert not output.exists()
    assert report.exit_code == 1


def test_a_rule_that_breaks_the_structure_is_taken_back(folder: Path, model: Path, tmp_path: Path) -> None:
    write_rule(folder, "TST002", "y = Relu (x)", "y = NoSuchOperator (x)")
    output = tmp_path / "out.onnx"
    report = onnxfix.repair(model, output, rules=[folder], select=["own"], verify="numeric")
    assert [held.diagnostic.code for held in report.withheld] == ["TST002"]
    assert sorted(operators(output)) == ["Add", "Identity", "Relu", "Sub"]


def test_two_wrong_rules_leave_the_file_unwritten(folder: Path, model: Path, tmp_path: Path) -> None:
    write_rule(folder, "TST003", "a = Neg (x)\ny = Neg (a)", "y = Neg (x)")
    output = tmp_path / "out.onnx"
    report = onnxfix.repair(model, output, rules=[folder], select=["own"], verify="numeric")
    assert report.verdict.outcome == "failed"
    assert not output.exists()
    assert report.exit_code == 1


def test_without_the_wrong_rule_all_is_well(folder: Path, model: Path, tmp_path: Path) -> None:
    (folder / "TST002.toml").unlink()
    output = tmp_path / "out.onnx"
    report = onnxfix.repair(model, output, rules=[folder], select=["own"], verify="numeric")
    assert report.exit_code == 0
    assert report.withheld == ()
    import onnxruntime

    x = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)
    results = [onnxruntime.InferenceSession(file).run(None, {"x": x})[0] for file in (model, output)]
    assert np.array_equal(*results)
