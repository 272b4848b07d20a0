"""benchmarks.gpu on a CPU: tests/played_engine.py plays the GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from benchmarks import gpu
from benchmarks.cases import Case
from benchmarks.gpu import case_job, file_job, judge, model_files
from benchmarks.gpu_report import Row, page
from onnxfix.verify import engine_run
from tests.played_engine import play

HEAD = '<ir_version: 10, opset_import: ["" : 19]>\n'
NET = "g (float[N,4] x) => (float[N,4] y) { a = Relu(x)  y = Neg(a) }"
X = np.array([[-1, 2, -3, 4]], np.float32)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Any:
    def start(*arguments: Any, **more: Any) -> None:
        play(monkeypatch, *arguments, **more)
        monkeypatch.setattr(gpu, "run_plan", engine_run.run_plan)

    return start


def case(text: str = NET, **outputs: Any) -> Case:
    return Case("some", "node", onnx.parser.parse_model(HEAD + text), {"x": X}, outputs)


def test_recorded_outputs(played: Any, tmp_path: Path) -> None:
    played()
    right = -np.maximum(X, 0)
    assert judge(case_job(case(y=right), tmp_path)) == Row("some", "node", "equal")
    row = judge(case_job(case(y=right + 1), tmp_path))
    assert (row.outcome, row.max_abs) == ("differing", 1)
    assert row.why == "y (float32): 4 of 4 elements are off, the worst by 1; at [0, 0]: 1 became -0"
    assert judge(case_job(case(y=onnx.numpy_helper.from_array(right)), tmp_path)).outcome == "equal"
    assert judge(case_job(case(y=[right]), tmp_path)).outcome == "no tensors"
    assert judge(case_job(case(), tmp_path)).outcome == "nothing recorded"


def test_scalars_are_tensors(played: Any, tmp_path: Path) -> None:
    played()
    text = "g (float[1,4] x) => (float y) { y = ReduceSum<keepdims = 0>(x) }"
    assert judge(case_job(case(text, y=np.float32(2)), tmp_path)).outcome == "equal"


def test_refusals_and_failures(played: Any, tmp_path: Path) -> None:
    played(outcome="crashed")
    row = judge(case_job(case("g (float[1,4] x) => (float[1,4] y) { y = Foo(x) }", y=X), tmp_path))
    assert row.outcome == "not built" and row.why.startswith("Foo ")
    assert judge(case_job(case(y=X), tmp_path)) == Row("some", "node", "crashed", "it broke")
    played(outcome="timeout")
    assert judge(case_job(case(y=X), tmp_path)).outcome == "failing"


def test_files_with_and_without_recorded_arrays(played: Any, tmp_path: Path) -> None:
    played()
    path = tmp_path / "net.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + NET), path)
    assert model_files([tmp_path, path]) == (path, path)
    assert judge(file_job(path)) == Row("net", "file", "equal"), "ONNX Runtime says what is expected"
    np.savez(path.with_suffix(".npz"), **{"in:x": X, "out:y": X})
    assert judge(file_job(path)).outcome == "differing"
    np.savez(path.with_suffix(".npz"), **{"in:x": X, "out:z": X})
    assert judge(file_job(path)) == Row("net", "file", "failing", "the engine has no output 'z'")
    np.savez(path.with_suffix(".npz"), **{"in:x": X})
    assert judge(file_job(path)).outcome == "equal"
    np.savez(path.with_suffix(".npz"), **{"in:z": X})
    assert judge(file_job(path)).outcome == "failing"


def test_page() -> None:
    off = Row("b", "node", "differing", "y | is\noff", 1.0)
    rows = [Row("a", "node", "equal"), off, Row("c", "file", "not built", "Foo")]
    text = page(rows)
    assert "| | node | file |\n|---|---|---|\n| equal | 1 | 0 |\n| differing | 1 | 0 |\n| not built | 0 | 1 |\n" in text
    assert "| all | 2 | 1 |" in text
    assert "## Differing: 1\n\n| case | why |\n|---|---|\n| b | y \\| is off |\n" in text
    assert "* 1: Foo" in text
    assert text.startswith("Measured on 20")
