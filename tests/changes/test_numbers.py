"""What two models compute on the same inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from comparing import model

from onnxfix.api.diff import diff
from onnxfix.errors import OnnxfixError

NODES = "a = Relu(x) [scale] b = Mul(a, w) c = Tanh(b) y = Add(c, a)"
STORED = "<float[4] w = {1, 2, 3, 4}>"
ONE = model(NODES, inputs="float[N, 4] x", outputs="float[N, 4] y", stored=STORED)


def _other(nodes: str = NODES, stored: str = STORED, name: str = "x") -> onnx.ModelProto:
    return model(nodes, inputs=f"float[N, 4] {name}", outputs="float[N, 4] y", stored=stored)


def test_equal_outputs() -> None:
    report = diff(ONE, _other(NODES.replace("b", "z")), run=True)
    assert report.numbers["outcome"] == "passed"
    assert [figure["max_diff"] for figure in report.numbers["outputs"]] == [0.0]
    assert report.numbers["oracles"] == ["ONNX Runtime", "ONNX Runtime"]
    assert diff(ONE, ONE, run=True).exit_code == 0


def test_the_first_node_that_differs() -> None:
    report = diff(ONE, _other(stored=STORED.replace("4}", "5}")), run=True)
    assert (report.numbers["outcome"], report.exit_code) == ("failed", 1)
    first = report.numbers["first"]
    assert (first["node"], first["op_type"], first["name"]) == ("scale", "Mul", "b")
    assert report.numbers["outputs"][0]["why"]


def test_inputs_of_other_names_and_types() -> None:
    renamed = _other(NODES.replace("(x)", "(v)"), name="v")
    assert diff(ONE, renamed, run=True).numbers["outcome"] == "passed"
    cast = model(f"x = Cast <to = 1> (v) {NODES}", inputs="double[N, 4] v", outputs="float[N, 4] y", stored=STORED)
    assert diff(ONE, cast, run=True).numbers["outcome"] == "passed"


def test_recorded_inputs(tmp_path: Path) -> None:
    """The weight that changed is multiplied by 0."""
    file = tmp_path / "x.npz"
    np.savez(file, x=np.array([[1, 2, 3, 0]], np.float32))
    other = _other(stored=STORED.replace("4}", "5}"))
    assert diff(ONE, other, run=True, inputs=file).numbers["outcome"] == "passed"
    np.savez(file, z=np.zeros(1))
    with pytest.raises(OnnxfixError, match="no array for input 'x'"):
        diff(ONE, other, run=True, inputs=file)


def test_what_cannot_run_is_not_equal() -> None:
    strange = model("y = my.Unknown(x)")
    report = diff(strange, strange, run=True)
    assert report.numbers["outcome"] == "not_verified"
    assert report.numbers["reason"].startswith("the first model does not run")
    assert (report.changes, report.exit_code) == ((), 1)


def test_a_new_input_cannot_be_fed() -> None:
    report = diff(model("y = Relu(x)"), model("y = Add(x, z)", inputs="float[4] x, float[4] z"), run=True)
    assert "'z' of the second model is new" in report.numbers["reason"]


def test_random_outputs_prove_nothing() -> None:
    drawn = model("r = RandomNormalLike(x) y = Add(r, x)")
    assert diff(drawn, drawn, run=True).numbers["random"] == ["y"]


def test_values_come_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxfix.verify.layers.CHUNK_VALUES", 1)
    report = diff(ONE, _other(stored=STORED.replace("4}", "5}")), run=True)
    assert report.numbers["values"] == 3  # one, then two
    assert report.numbers["first"]["name"] == "b"
