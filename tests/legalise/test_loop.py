"""The loop of truth on the real TensorRT-RTX: only refused nodes are rewritten, the numbers stay, the rest is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

import onnxfix
from onnxfix.legalise import known_refusals
from onnxfix.legalise.probe import refused_alone
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.records import RepairReport
from onnxfix.targets import resolve

HEAD = '<ir_version: 8, opset_import: ["" : 18]>\n'
NORMS = """g (float[2,3,4] x) => (float[2,3,4] a, float[2,3,4] b, float[2,3,1] m)
<float[4] w = {1, 2, 3, 4}>
{ [taken] a = LayerNormalization(x, w) [refused] b, m, d = LayerNormalization(x, w) }"""
UNIQUE = "g (float[6] x) => (float[N] y) { a = Relu(x) [only] y = Unique(a) }"
CROP = "g (float[4,5] x) => (float[2,3] y) <int64[2] s = {2, 3}> { y = CenterCropPad(x, s) }"
FINE = "g (float[4,5] x) => (float[4,5] y) { a = Relu(x) y = Neg(a) }"


@pytest.fixture
def repaired(tmp_path: Path) -> Any:
    def repair(text: str, **options: Any) -> tuple[RepairReport, onnx.ModelProto | None]:
        path, out = tmp_path / "m.onnx", tmp_path / "out.onnx"
        onnx.save(onnx.parser.parse_model(HEAD + text), path)
        report = onnxfix.repair(path, out, target="rtx", **options)
        return report, onnx.load(out) if out.exists() else None

    return repair


def test_a_model_that_builds_comes_back_unchanged(repaired: Any) -> None:
    report, model = repaired(FINE)
    assert report.fixes == () and report.exit_code == 0
    assert [node.op_type for node in model.graph.node] == ["Relu", "Neg"]


def test_only_the_refused_node_is_rewritten(repaired: Any) -> None:
    report, model = repaired(NORMS)
    assert report.verdict.outcome == "passed", report.unwritten
    assert {fix.node for fix in report.fixes if fix.code.startswith("OFX7")} == {"refused"}
    assert [node.name for node in model.graph.node if node.op_type == "LayerNormalization"][:1] == ["taken"]


@pytest.mark.parametrize("verify", ["none", "numeric"])
def test_without_the_engine_the_known_facts_decide(repaired: Any, verify: str) -> None:
    report, model = repaired(CROP, verify=verify)
    assert "CenterCropPad" not in {node.op_type for node in model.graph.node}
    assert report.fixes[0].code.startswith("OFX7")


def test_another_target_than_the_installed_one_is_legalised_from_the_known_facts(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + CROP), path)
    report = onnxfix.repair(path, target="trt8.6")
    assert "CenterCropPad" not in {node.op_type for node in onnx.load(report.output).graph.node}
    assert [check.outcome for check in report.verdict.checks] == ["passed", "passed", "not_verified"]


def test_what_is_left_is_told_with_node_and_words(tmp_path: Path) -> None:
    report = onnxfix.repair(onnx.parser.parse_model(HEAD + UNIQUE), tmp_path / "o.onnx", target="rtx")
    assert report.fixes == () and report.exit_code == 1 and not (tmp_path / "o.onnx").exists()
    (left,) = report.remaining
    assert (left.node, left.op_type, left.level) == ("only", "Unique", "error")
    assert "depends on the values" in left.message and "TensorRT" in report.verdict.checks[-1].reason


def test_check_tells_what_is_known_to_be_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + CROP), path)
    report = onnxfix.check(path, target="rtx")
    found = [(d.op_type, d.fix) for d in report.diagnostics if d.level == "error"]
    assert found == [("CenterCropPad", "safe")] and report.exit_code == 1
    assert onnxfix.check(path, target="rtx", ignore=["tensorrt"]).exit_code == 0


def test_a_node_of_another_domain_or_an_unknown_target_is_not_known_to_be_refused() -> None:
    text = "g (float[6] x) => (float[6] y) { y = my.Unique(x) }"
    scopes, _ = typed_scopes(load(onnx.parser.parse_model(HEAD.replace(": 18", ': 18, "my" : 1') + text)))
    assert not known_refusals(scopes, resolve("rtx"))
    assert not known_refusals(scopes, None)


def test_each_form_of_node_is_tried_alone() -> None:
    text = """g (float[1,4000] x) => (float[1,3900] v, float[1,9] u, float[1,4000] r)
    <int64[1] k = {3900}, int64[1] few = {9}>
    { [many] v, i = TopK(x, k) [some] u, j = TopK(x, few) r = Relu(x) }"""
    scopes, _ = typed_scopes(load(onnx.parser.parse_model(HEAD + text)))
    found = [(scope.nodes[index].name, "3840" in said) for scope, index, said in refused_alone(scopes, resolve("rtx"))]
    assert found == [("many", True)]
