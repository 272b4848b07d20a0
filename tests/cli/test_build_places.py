"""`onnxfix build` names the node behind an error of the builder, whose text mentions layers only."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from onnxfix import engine
from onnxfix.cli.app import main
from onnxfix.engine import EngineError, EngineResult, Flavour

pytest.importorskip("tensorrt_rtx")
HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
TOP = """g (float[1,6000] x) => (float[1,5000] y) <int64[1] k = {5000}>
{ a = Relu(x) [top] v, i = TopK(a, k) y = Neg(v) }"""
QUANTIZE = """g (float[4] x, float s, int8 z) => (float[4] y)
{ a = Relu(x) q = QuantizeLinear(a, s, z) y = DequantizeLinear(q, s, z) }"""


@pytest.mark.parametrize(("text", "place"), [(TOP, ("top", "TopK", 1)), (QUANTIZE, ("q", "QuantizeLinear", 1))])
def test_the_node_is_named(
    text: str, place: tuple[str, str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(onnx.parser.parse_model(HEAD + text), tmp_path / "m.onnx")
    assert main(["build", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.plan"), "--format", "json"]) == 1
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert (error["node"], error["op_type"], error["index"]) == place
    assert error["stage"] == "build" and error["causes"]


@pytest.mark.parametrize("message", ["out of memory", "layers a and b do not go together: n0, n1"])
def test_a_text_about_none_or_several_names_nobody(
    message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object, **__: object) -> EngineResult:
        error = EngineError("BUILDER", message, stage="build")
        return EngineResult("build_failed", Flavour("tensorrt_rtx", "1.7.1"), errors=(error,))

    text = "g (float[2] x) => (float[2] y) { [n0] a = Relu(x) [n1] y = Neg(a) }"
    onnx.save(onnx.parser.parse_model(HEAD + text), tmp_path / "m.onnx")
    monkeypatch.setattr(engine, "build", refused)
    assert main(["build", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.plan"), "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["errors"][0]["node"], report["errors"][0]["index"]) == ("", -1)
    assert any("tries them one by one" in note for note in report["notes"])
