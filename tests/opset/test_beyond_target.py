"""A model of a newer opset than a release promises to read is stepped down, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import onnx

import onnxfix

NEW = """<ir_version: 8, opset_import: ["" : 18]>
g (float[2,3] x) => (float[2,1] y) <int64[1] a = {1}> { y = ReduceMean (x, a) }"""
STUCK = """<ir_version: 8, opset_import: ["" : 18]>
g (float[2,3] x, int64[1] a) => (float[2,1] y) { y = ReduceMean (x, a) }"""


def repaired(text: str, target: str, folder: Path, **options: int) -> tuple[onnxfix.RepairReport, onnx.ModelProto]:
    path = folder / "m.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    report = onnxfix.repair(path, folder / "out.onnx", target=target, **options)  # type: ignore[arg-type]
    return report, onnx.load(folder / "out.onnx")


def test_a_newer_model_becomes_what_the_release_promises(tmp_path: Path) -> None:
    report, model = repaired(NEW, "jetson-nano", tmp_path)
    assert model.opset_import[0].version == 13 and model.ir_version == 7
    assert "axes" in {a.name for a in model.graph.node[0].attribute}
    assert report.fixes[0].code == "OFX599" and report.verdict.checks[1].outcome == "passed"


def test_a_release_that_promises_it_leaves_it(tmp_path: Path) -> None:
    report, model = repaired(NEW, "trt10.1", tmp_path)
    assert model.opset_import[0].version == 18 and report.fixes == ()


def test_the_users_own_version_wins(tmp_path: Path) -> None:
    _, model = repaired(NEW, "jetson-nano", tmp_path, opset=17)
    assert model.opset_import[0].version == 17


def test_what_stands_in_the_way_is_noted(tmp_path: Path) -> None:
    report, model = repaired(STUCK, "jetson-nano", tmp_path)
    assert model.opset_import[0].version == 18
    notes = [d for d in report.remaining if d.code == "OFX599"]
    assert [(d.level, d.op_type) for d in notes] == [("note", "ReduceMean")]
    assert "opset 18 is to become 13" in notes[0].message
