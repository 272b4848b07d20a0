"""What the page adds to the changes: who made them, and what both models compute."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from page_models import edited, residual

from onnxfix.changes.models import Compared, matched_models, report_of
from onnxfix.changes.records import DiffReport
from onnxfix.model import load
from onnxfix.records import AppliedFix
from onnxfix.report.page.blame import blamed
from onnxfix.report.page.document import diff_document


@pytest.fixture
def models() -> Compared:
    model = residual(10)
    return matched_models(load(model), load(edited(model)))


@pytest.fixture
def report(models: Compared) -> DiffReport:
    return report_of(models, (), time.perf_counter())


@pytest.mark.parametrize("lines", ["before", "after"])
def test_a_fix_is_blamed_for_its_nodes(lines: str, report: DiffReport) -> None:
    change = next(change for change in report.changes if change.kind == "replaced")
    fix = AppliedFix("OFX999", "a-rule", "safe", "replaced", 1, **{lines: getattr(change, lines)})
    rules = {change.kind: change.rule for change in blamed(report, [fix]).changes}
    assert rules == {"replaced": "OFX999", "attribute": "", "weight": ""}


def test_the_journal_of_the_model_comes_first(report: DiffReport) -> None:
    known = replace(report, changes=tuple(replace(change, rule="USR001") for change in report.changes))
    fixes = [AppliedFix("OFX999", "a-rule", "safe", "", 1, before=change.before) for change in known.changes]
    assert {change.rule for change in blamed(known, fixes).changes} == {"USR001"}


def test_changes_are_grouped_by_rule(models: Compared, report: DiffReport) -> None:
    known = replace(report, changes=(replace(report.changes[0], rule="OFX001"), *report.changes[1:]))
    groups = [item["group"] for item in diff_document(models, known)["items"]]
    assert groups.count("repaired by OFX001") == 1


FIRST = {"name": "r1", "node": "relu_1", "op_type": "LeakyRelu", "why": "7 of 9 elements differ"}
NUMBERS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"outcome": "failed", "reason": "1 of 1 outputs differ", "first": FIRST}, "error", ["LeakyRelu"]),
    ({"outcome": "failed", "reason": "1 of 1 outputs differ", "first": None}, "error", []),
    ({"outcome": "not_verified", "reason": "it crashes", "first": None}, "warning", []),
    ({"outcome": "passed", "reason": "the outputs are equal", "first": None}, "note", []),
]


@pytest.mark.parametrize("numbers, level, titles", NUMBERS)
def test_numbers_are_told_where_the_models_part(
    numbers: dict[str, Any], level: str, titles: list[str], models: Compared, report: DiffReport
) -> None:
    document = diff_document(models, replace(report, numbers=numbers))
    items = [item for item in document["items"] if item["kind"] == "finding"]
    assert [item["level"] for item in items] == [level]
    assert items[0]["message"].startswith(numbers["reason"])
    assert [document["scopes"][0]["parts"][part]["title"] for part in items[0]["parts"]] == titles


def test_names_come_last_and_not_all_of_them() -> None:
    one, two = residual(1000), edited(residual(1000))
    for node in two.graph.node:
        node.name = f"new_{node.name}"
    models = matched_models(load(one), load(two))
    items = diff_document(models, report_of(models, (), time.perf_counter()))["items"]
    kinds = list(dict.fromkeys(item["kind"] for item in items))
    assert kinds == ["replaced", "attribute", "weight", "renamed"]
    renamed = [item for item in items if item["kind"] == "renamed"]
    assert len(renamed) == 300 and renamed[0]["total"] >= len(two.graph.node) - 1
