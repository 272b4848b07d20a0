"""benchmarks.prediction: its figures, its page, and what counts as explained."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from benchmarks import prediction
from benchmarks.cases import Case, node_cases
from benchmarks.prediction_page import Verdict, lines, page
from benchmarks.prediction_peers import verdicts_of
from benchmarks.variants import variants
from fixtures import small
from onnxfix.records import CHOSEN
from onnxfix.targets import resolve

ROWS = [
    Verdict("a", "node", "Relu", "", ""),
    Verdict("b", "node", "Unique", "told", "refused"),
    Verdict("c", "node", "Unique", "", "refused"),
    Verdict("d", "node", "Relu", "told", ""),
    Verdict("e", "fixture", "fixture", "told", "refused"),
]


def test_precision_and_recall() -> None:
    """Told 3, of which 2 are refused; refused 3, of which 2 are told."""
    shown = {line[:34].strip(): line[34:].split() for line in lines(ROWS, {"a peer": ROWS[:1]})}
    assert shown["all"] == ["5", "3", "3", "66.7%", "66.7%"]
    assert shown["node cases"] == ["4", "2", "2", "50.0%", "50.0%"]
    assert shown["all, by a peer"] == ["1", "0", "0", "-", "-"]
    assert shown["Relu"] == ["2", "0", "1", "0.0%", "-"]  # operators that are told wrongly


def test_the_page() -> None:
    variants = [replace(ROWS[2], kind="variant"), replace(ROWS[0], kind="variant")]
    text = page(ROWS, variants, {}, resolve("rtx1.7"), Counter({"because": 2}))
    assert "TensorRT-RTX 1.7" in text
    assert "| all | 5 | 3 | 3 | 66.7% | 66.7% |" in text
    assert "| variants of node cases | 2 | 1 | 0 | - | 0.0% |" in text
    assert "* 2: because" in text
    assert "refused and not told:\n\n* 1 Unique: refused\n" in text
    assert "told and build: none.\n" in text
    assert "| Unique | 2 | 2 | 1 | 100.0% | 50.0% |" in text
    assert "| fixture |" not in text.split("## By operator")[1]
    kept = (Path(__file__).parent.parent / "docs" / "prediction.md").read_text(encoding="utf-8")
    assert kept.startswith(text[: text.index("(onnx")])


def test_variants_are_valid_and_new() -> None:
    """The same for a seed; other models than the official ones, with inputs for what they read."""
    found = list(variants(12, seed=7))
    assert [case.model for case in found] == [case.model for case in variants(12, seed=7)]
    assert [case.model for case in found] != [case.model for case in variants(12, seed=8)]
    official = {case.model.SerializeToString(deterministic=True) for case in node_cases()}
    for case in found:
        onnx.checker.check_model(case.model, full_check=True)
        assert case.model.SerializeToString(deterministic=True) not in official
        assert {value.name for value in case.model.graph.input} == set(case.inputs), case.name


def test_a_disagreement_needs_a_class() -> None:
    missed = Verdict("x", "node", "Reshape", "", f"refuses it: {CHOSEN}it was asked for x of 1x3")
    assert "without recorded inputs" in prediction._explanation(missed)
    assert prediction._explanation(Verdict("x", "node", "Relu", "", "some other words")) == ""
    assert (
        prediction._explanation(Verdict("x", "node", "Relu", missed.said, "")) == ""
    )  # a false alarm is another class


@pytest.mark.parametrize(("peer", "module"), [("trtcheck", "trtcheck"), ("onnx-doctor", "onnx_doctor")])
def test_peers(peer: str, module: str) -> None:
    """Both name the defect that they know, and say nothing of a model that is well."""
    pytest.importorskip(module)
    well = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 13]> g (float[3] x) => (float[3] y) { y = Relu(x) }'
    )
    sick = {"trtcheck": "no-outputs", "onnx-doctor": "unsorted"}[peer]
    cases = [Case(name, "fixture", model, {}, {}) for name, model in (("well", well), (sick, small.build(sick)))]
    said = verdicts_of(peer, cases, [Verdict(case.name, "fixture", "fixture", "", "") for case in cases])
    assert [bool(item.known) for item in said] == [False, True], said
