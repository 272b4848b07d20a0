"""Findings about the same place for several targets, told once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from onnxfix.records import CheckReport, Diagnostic


@dataclass(frozen=True)
class Merged:
    """One finding of a model, and the names of the targets for which it stands."""

    model: str
    diagnostic: Diagnostic
    targets: tuple[str, ...]


def merged(reports: Iterable[CheckReport]) -> list[Merged]:
    """The findings of all reports, each once; the words and the fix are those of the first target."""
    found: dict[tuple[str, Diagnostic], tuple[Diagnostic, list[str]]] = {}
    for report in reports:
        for item in report.diagnostics:
            key = report.model, replace(item, said="", source="", message=_short(item, report))
            found.setdefault(key, (item, []))[1].append(name_of(report))
    return [Merged(model, item, tuple(dict.fromkeys(targets))) for (model, _), (item, targets) in found.items()]


def name_of(report: CheckReport) -> str:
    """A target as a column or a list names it."""
    return report.target_name or report.target


def _short(item: Diagnostic, report: CheckReport) -> str:
    """The message without the target's own name and words, which differ where the finding does not."""
    text = item.message.split(item.said)[0] if item.said else item.message
    return text.replace(report.target, "")


def notes(reports: Iterable[CheckReport]) -> list[tuple[str, str]]:
    """(model, what to know of how it was checked), each once."""
    told = ((report.model, note) for report in reports for note in report.told)
    return list(dict.fromkeys(told))
