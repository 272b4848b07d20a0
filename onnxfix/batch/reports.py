"""The records behind the lines of a batch, for those who render them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from onnxfix.api.cache import report_from
from onnxfix.batch.task import Line
from onnxfix.records import (
    AppliedFix,
    Check,
    CheckReport,
    Culprit,
    Diagnostic,
    InterfaceChange,
    ModelSummary,
    RepairReport,
    Verdict,
    Withheld,
)


def check_reports(line: Line) -> list[CheckReport]:
    """The reports of a check, one for each target; none for a model that failed."""
    return [report_from(table, line["place"]) for table in line.get("reports", ())]


def repair_report(line: Line) -> RepairReport | None:
    """The report of a repair; None for a model that failed."""
    if "report" not in line:
        return None
    table = line["report"]
    values: dict[str, Any] = {field.name: table[field.name] for field in fields(RepairReport) if field.name in table}
    return RepairReport(
        **{
            **values,
            "before": _summary(table["before"]),
            "after": _summary(table["after"]),
            "fixes": tuple(_fix(item) for item in table["fixes"]),
            "remaining": tuple(Diagnostic(**item) for item in table["remaining"]),
            "withheld": tuple(Withheld(Diagnostic(**item["diagnostic"]), item["reason"]) for item in table["withheld"]),
            "verdict": Verdict(tuple(Check(**item) for item in table["verdict"]["checks"])),
            "notes": tuple(table["notes"]),
            "interface": tuple(InterfaceChange(**item) for item in table["interface"]),
            "culprits": tuple(Culprit(**item) for item in table["culprits"]),
        }
    )


def _fix(table: dict[str, Any]) -> AppliedFix:
    return AppliedFix(**{**table, "before": tuple(table["before"]), "after": tuple(table["after"])})


def _summary(table: dict[str, Any]) -> ModelSummary:
    return ModelSummary(**{**table, "inputs": tuple(table["inputs"]), "outputs": tuple(table["outputs"])})
