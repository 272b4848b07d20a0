"""`onnxfix opset`: which versions a model can reach, and what keeps it from the others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

import onnxfix
from onnxfix.fixpoint.reach import LOWEST
from onnxfix.opset.prepare import NEWEST

FREE = '<ir_version: 8, opset_import: ["" : 13]> g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }'
STUCK = """<ir_version: 8, opset_import: ["" : 18]>
g (float[6] x) => (float[N] y) { [one] y = Unique (x) }"""
OLD = '<ir_version: 3, opset_import: ["" : 6]> g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }'


def reached(text: str) -> tuple[list[int], list[int]]:
    report = onnxfix.opsets(onnx.parser.parse_model(text))
    assert [entry.version for entry in report.reach if entry.own] == [report.opset]
    free = [entry.version for entry in report.reach if not entry.blockers]
    return free, [entry.version for entry in report.reach if entry.blockers]


def test_a_model_that_can_go_anywhere() -> None:
    assert reached(FREE) == (list(range(LOWEST, NEWEST + 1)), [])


def test_a_model_that_is_older_than_the_oldest_asked_about() -> None:
    assert reached(OLD) == (list(range(6, NEWEST + 1)), [])


def test_a_model_that_is_stuck_is_told_why() -> None:
    assert reached(STUCK) == (list(range(11, NEWEST + 1)), list(range(LOWEST, 11)))
    report = onnxfix.opsets(onnx.parser.parse_model(STUCK))
    assert {(b.node, b.op_type) for entry in report.reach for b in entry.blockers} == {("one", "Unique")}


@pytest.mark.parametrize("format", ["text", "json"])
def test_the_command(tmp_path: Path, format: str) -> None:
    onnx.save(onnx.parser.parse_model(STUCK), tmp_path / "m.onnx")
    words = [sys.executable, "-m", "onnxfix", "opset", "m.onnx", "--format", format]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    if format == "json":
        report = json.loads(ran.stdout)
        assert [e["version"] for e in report["reach"] if not e["blockers"]] == list(range(11, NEWEST + 1))
    else:
        lines = [line.split() for line in ran.stdout.splitlines()]
        assert ["18", "its", "own"] in lines and ["19", "yes"] in lines and ["10", "no"] in lines
        assert sum("Unique" in line for line in lines) == 1


def test_a_version_that_is_not_known_is_an_error() -> None:
    with pytest.raises(onnxfix.OnnxfixError, match="imports opset 99"):
        onnxfix.opsets(onnx.parser.parse_model(FREE.replace("13", "99")))
