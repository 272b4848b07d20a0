"""Models against targets as a table, and what stands behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from onnxfix.records import CheckReport, Diagnostic
from onnxfix.report.console import FINDINGS
from onnxfix.report.groups import grouped, of_diagnostic
from onnxfix.report.merged import merged, name_of, notes
from onnxfix.report.text import Line, counted, sentence, visible

_PATH = 400
_STYLES = {"ready": "green", "repairable": "yellow", "blocked": "bold red"}


def matrix_lines(reports: Sequence[CheckReport], width: int | None = None) -> Iterator[Line]:
    """The findings of each model by the targets they are for, and then the table.

    A table that is wider than `width` characters (None: no limit) is cut into several below each other.
    """
    for model in dict.fromkeys(report.model for report in reports):
        own = [report for report in reports if report.model == model]
        yield (
            (visible(model, _PATH), "bold"),
            f"   opset {own[0].summary.opset}, {counted(own[0].summary.nodes, 'node')}",
        )
        yield from _findings(own)
    yield from _table(reports, width)
    asked = sorted({report.asked for report in reports if report.asked})
    here = f"{', '.join(asked)} asked itself; " if asked else ""
    yield (
        (
            f"{here}the others by the fact base. The numbers count errors."
            if asked
            else "By the fact base; the numbers count errors.",
            "dim",
        ),
    )
    if any(map(_unknown, reports)):
        yield (("? marks a model with operators of which no source says whether the target takes them.", "dim"),)


def _findings(own: Sequence[CheckReport]) -> Iterator[Line]:
    groups: dict[tuple[str, ...], list[Diagnostic]] = {}
    for item in merged(own):
        groups.setdefault(item.targets, []).append(item.diagnostic)
    for targets, found in groups.items():
        everywhere = len(targets) == len(own)
        yield ((f"for {'every target' if everywhere else ', '.join(map(visible, targets))}:", "dim"),)
        yield from grouped(map(of_diagnostic, found), FINDINGS)
    if own[0].complaint:
        yield (("The ONNX checker refuses the model: ", "red"), sentence(own[0].complaint))
    yield from (("note: ", sentence(note)) for _, note in notes(own))


def _table(reports: Sequence[CheckReport], limit: int | None) -> Iterator[Line]:
    models = list(dict.fromkeys(report.model for report in reports))
    targets = list(dict.fromkeys(map(name_of, reports)))
    if not targets:
        return
    cells = {(report.model, name_of(report)): report for report in reports}
    first = max([len(visible(model)) for model in models], default=0)
    width = max(len("repairable (99)"), *(len(visible(target)) for target in targets)) + 2
    across = len(targets) if limit is None else max(1, (limit - first) // width)
    for start in range(0, len(targets), across):
        shown = targets[start : start + across]
        yield (" " * (first + 2), ("".join(f"{visible(target):{width}}" for target in shown).rstrip(), "bold"))
        for model in models:
            own = [cells.get((model, target)) for target in shown]
            parts = [(f"{_cell(report):{width}}", _STYLES[report.state] if report else "") for report in own]
            last, style = parts[-1]
            yield (f"{visible(model):{first}}  ", *parts[:-1], (last.rstrip(), style))


def _cell(report: CheckReport | None) -> str:
    if report is None:
        return ""
    errors = sum(item.level == "error" for item in report.diagnostics)
    return report.state + (f" ({errors})" if errors else "") + (" ?" if _unknown(report) else "")


def _unknown(report: CheckReport) -> bool:
    return any(item.kind == "unknown" for item in report.diagnostics)


def statistics_lines(reports: Iterable[CheckReport]) -> Iterator[Line]:
    """How often each rule finds something, the most frequent first."""
    every = merged(reports)
    counts = Counter((item.diagnostic.code, item.diagnostic.rule, item.diagnostic.level) for item in every)
    for (code, rule, level), count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        yield (f"{count:6} ", (visible(code), "bold"), f" {level} {visible(rule)}")
    yield (f"{counted(len(every), 'finding')} of {counted(len(counts), 'rule')}.",)
