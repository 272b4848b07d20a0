"""Findings that a repository has agreed to live with: a file that lists them, so that only new ones count."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnxfix.errors import OnnxfixError
from onnxfix.files import write_whole
from onnxfix.records import CheckReport, Diagnostic

_FORM = 1
_CHECKER = "the ONNX checker"
_WRITER = "`onnxfix check ... --write-baseline FILE` writes one"


def read_baseline(path: Path) -> dict[str, list[str]]:
    """The findings by model; model paths are relative to the file.  Raises OnnxfixError for any other file."""
    try:
        table = json.loads(path.read_bytes())
    except OSError as error:
        raise OnnxfixError(f"cannot be read: {error.strerror or error}", where=str(path), hint=_WRITER) from None
    except ValueError as error:
        raise OnnxfixError(f"is no baseline: {error}", where=str(path), hint=_WRITER) from None
    if not isinstance(table, dict) or table.get("version") != _FORM or not _is_listing(table.get("findings")):
        raise OnnxfixError(f"is no baseline of form {_FORM}", where=str(path), hint=_WRITER)
    findings: dict[str, list[str]] = table["findings"]
    return findings


def write_baseline(path: Path, reports: Iterable[CheckReport]) -> int:
    """Write the findings of all reports; returns how many they are."""
    found: dict[str, set[str]] = {}
    for report in reports:
        names = [_name(item) for item in report.diagnostics if item.level != "note"]
        if names or report.complaint:
            found.setdefault(_relative(report.model, path), set()).update(names, [_CHECKER] * bool(report.complaint))
    table = {"version": _FORM, "findings": {model: sorted(found[model]) for model in sorted(found)}}
    write_whole(path, (json.dumps(table, indent=1) + "\n").encode())
    return sum(map(len, found.values()))


def without_known(report: CheckReport, path: Path, known: dict[str, list[str]]) -> tuple[CheckReport, int]:
    """The report without what the baseline lists, and how many findings that leaves out."""
    listed = set(known.get(_relative(report.model, path), ()))
    kept = tuple(item for item in report.diagnostics if _name(item) not in listed)
    complaint = "" if _CHECKER in listed else report.complaint
    gone = len(report.diagnostics) - len(kept) + (complaint != report.complaint)
    return replace(report, diagnostics=kept, complaint=complaint), gone


def _name(item: Diagnostic) -> str:
    """What a finding is known by: its rule and its place, so that an edit elsewhere in the model changes nothing."""
    return " ".join((item.code, "/".join(filter(None, (item.scope, item.node or item.value))))).strip()


def _relative(model: str, path: Path) -> str:
    return Path(os.path.relpath(model, path.parent)).as_posix()


def _is_listing(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(items, list) and all(isinstance(item, str) for item in items) for items in value.values()
    )
