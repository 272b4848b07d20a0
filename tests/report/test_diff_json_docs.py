"""docs/json.md tells of every field of `onnxfix diff --format json`."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from page_models import edited, residual

from onnxfix.api import diff
from onnxfix.changes.records import KINDS, Change, DiffReport

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## `onnxfix diff`")[1].split("\n## ")[0]
WORDS = set(re.findall(r"`([^`]+)`", SECTION))


def test_every_field_is_told() -> None:
    fields = {field.name for record in (DiffReport, Change) for field in dataclasses.fields(record)}
    assert fields | {"exit_code"} <= WORDS


def test_every_kind_is_told() -> None:
    assert set(KINDS) <= WORDS


@pytest.mark.parametrize("kind", ["weight"])
def test_details_are_told(kind: str) -> None:
    model = residual(10)
    report = diff.diff(model, edited(model))
    details = next(change.details for change in report.changes if change.kind == kind)
    assert set(details) <= WORDS
