"""The reports of `check` as one JSON document, and as Markdown for a comment on a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from onnxfix.records import CheckReport
from onnxfix.report.commands import fixing_command
from onnxfix.report.merged import Merged, merged, name_of, notes
from onnxfix.report.text import sentence, visible

MOST = 50
"""So many findings of one model are listed in Markdown; the rest is counted."""


def document(reports: Sequence[CheckReport], errors: Sequence[str]) -> dict[str, Any]:
    """All reports, the files that cannot be read, and how often each rule finds something."""
    worst = max([report.exit_code for report in reports], default=0)
    counts = Counter(item.diagnostic.code for item in merged(reports))
    return {
        "models": [report.to_json() for report in reports],
        "errors": list(errors),
        "statistics": dict(sorted(counts.items())),
        "exit_code": 2 if errors else worst,
    }


def markdown(reports: Sequence[CheckReport], errors: Sequence[str]) -> str:
    """The table of models and targets, a list of findings for each model, and notes."""
    rest = [*(f"{model}: {note}" for model, note in notes(reports)), *errors]
    return "\n".join([*_table(reports), "", *_models(reports), *(f"* {_safe(line)}" for line in rest)]) + "\n"


def _table(reports: Sequence[CheckReport]) -> Iterator[str]:
    targets = list(dict.fromkeys(map(name_of, reports)))
    states = {(report.model, name_of(report)): report.state for report in reports}
    yield f"| model | {' | '.join(map(_safe, targets))} |"
    yield f"|{'---|' * (len(targets) + 1)}"
    for model in dict.fromkeys(report.model for report in reports):
        yield f"| {_safe(model)} | {' | '.join(states.get((model, target), '') for target in targets)} |"


def _models(reports: Sequence[CheckReport]) -> Iterator[str]:
    by_model: dict[str, list[Merged]] = {}
    for item in merged(reports):
        if item.diagnostic.level != "note":
            by_model.setdefault(item.model, []).append(item)
    for model, items in by_model.items():
        yield f"**{_safe(model)}**\n"
        yield from map(_finding, items[:MOST])
        if len(items) > MOST:
            yield f"* and {len(items) - MOST} more"
        yield ""


def _finding(item: Merged) -> str:
    found = item.diagnostic
    place = "/".join(filter(None, (found.scope, found.node or found.value)))
    where = f" at {_safe(place)}" if place else ""
    command = fixing_command(found, item.targets)
    repair = f", repaired by `{command}`" if command else ""
    return f"* {found.level} {_safe(found.code)}{where}: {_safe(found.message)} ({', '.join(item.targets)}){repair}"


def _safe(text: str) -> str:
    """One visible line that no Markdown reads as markup."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#!" else letter for letter in sentence(visible(text, 500)))
