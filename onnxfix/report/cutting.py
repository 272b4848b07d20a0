"""The reports of extract, reduce and report as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from onnxfix.report.text import Line, counted, sentence, visible

if TYPE_CHECKING:
    from onnxfix.api.bugpage import BugReport
    from onnxfix.api.cutting import ExtractReport, ReduceReport

_PATH, _NODES = 400, 12


def extract_lines(report: ExtractReport) -> Iterator[Line]:
    """What `extract` wrote."""
    yield ((visible(report.model, _PATH), "bold"), f"   {counted(report.nodes, 'node')} extracted")
    for what, values in (("input ", report.inputs), ("output", report.outputs)):
        for name, kind in values:
            yield (f"  {what} {visible(name)}   {visible(kind)}",)
    if report.complaint:
        yield (("the ONNX checker refuses it: ", "bold red"), sentence(report.complaint))
    yield (("Wrote ", "bold"), (visible(report.output, _PATH), "bold"))


def reduce_lines(report: ReduceReport) -> Iterator[Line]:
    """What `reduce` found."""
    head = f"   {counted(report.before, 'node')} -> {report.nodes}, {counted(report.checks, 'check')}"
    yield ((visible(report.model, _PATH), "bold"), f"{head}, {report.seconds:.1f} s")
    yield (("fails ", "bold red"), f"{visible(report.check, _PATH)}: {sentence(report.failure)}")
    for item in report.origin[:_NODES]:
        place = f"   in {visible(item.scope)}" if item.scope else ""
        line = f"   {visible(item.line)}" if item.line else ""
        yield (f"  {visible(item.node)}   {visible(item.op_type)}{place}{line}",)
    if len(report.origin) > _NODES:
        yield (f"  and {len(report.origin) - _NODES} more",)
    if report.inputs:
        yield (f"Inputs that show it: {visible(report.inputs, _PATH)}",)
    if report.complaint:
        yield (("not steady: ", "bold red"), sentence(report.complaint))
    yield (("Wrote ", "bold"), (visible(report.output, _PATH), "bold"))


def bug_report_lines(found: BugReport) -> Iterator[Line]:
    """What `report` gathered."""
    said = f"   {found.library}: {counted(len(found.errors), 'error')}" if found.library else ""
    yield ((visible(found.model, _PATH), "bold"), said or f"   {visible(found.asked, _PATH)}")
    if found.failure:
        yield (("fails ", "bold red"), f"{visible(found.asked, _PATH)}: {sentence(found.failure)}")
    if found.reduced is not None:
        yield (f"The smallest model that shows it has {counted(found.nodes, 'node')}",)
    yield from (("note: ", sentence(note)) for note in found.notes)
    yield (("Wrote ", "bold"), (visible(found.output, _PATH), "bold"))
