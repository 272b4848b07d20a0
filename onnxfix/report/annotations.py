"""The reports of `check` as commands of GitHub Actions, which become annotations of a change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnxfix.records import CheckReport
from onnxfix.report.commands import fixing_command
from onnxfix.report.merged import Merged, merged, notes

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def text(reports: Sequence[CheckReport], errors: Sequence[str]) -> str:
    """One line for each finding, complaint, note and unreadable file (workflow commands of GitHub Actions)."""
    return "".join(f"{line}\n" for line in (*_lines(reports), *(f"::error::{_data(error)}" for error in errors)))


def _lines(reports: Sequence[CheckReport]) -> Iterator[str]:
    yield from map(_finding, merged(reports))
    complaints = {report.model: report.complaint for report in reports if report.complaint}
    for model, complaint in complaints.items():
        yield f"::error file={_property(model)},title=onnx.checker::{_data(complaint)}"
    for model, note in notes(reports):
        yield f"::notice file={_property(model)},title=onnxfix::{_data(note)}"


def _finding(item: Merged) -> str:
    found = item.diagnostic
    place = "/".join(filter(None, (found.scope, found.node or found.value)))
    parts = [f"{place}: " if place else "", found.message, f" ({', '.join(item.targets)})"]
    parts += [f"; made by {found.origin}" if found.origin else ""]
    command = fixing_command(found, item.targets)
    parts += [f"; `{command}` fixes it" if command else ""]
    title = f"{found.code} {found.rule}"
    return f"::{_COMMANDS[found.level]} file={_property(item.model)},title={_property(title)}::{_data(''.join(parts))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
