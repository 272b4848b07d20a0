"""The opset versions that a model can reach, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from onnxfix.records import OpsetReach, OpsetReport
from onnxfix.report.text import Line, counted, sentence, visible

_BLOCKERS = 5


def opset_lines(report: OpsetReport) -> Iterator[Line]:
    """One line for each version; the blockers below the first version that they keep the model from."""
    yield ((visible(report.model, 400), "bold"), f"   opset {report.opset}")
    edges = _edges(report)
    for entry in report.reach:
        yield _line(entry)
        if entry.version in edges:
            yield from _blockers(entry)


def _edges(report: OpsetReport) -> set[int]:
    """The nearest version that is out of reach, down and up."""
    blocked = [entry.version for entry in report.reach if entry.blockers]
    below = [version for version in blocked if version < report.opset]
    above = [version for version in blocked if version > report.opset]
    return {*([max(below)] if below else []), *([min(above)] if above else [])}


def _line(entry: OpsetReach) -> Line:
    if entry.own:
        return (f"{entry.version:4}  ", ("its own", "bold"))
    if entry.blockers:
        return (f"{entry.version:4}  ", ("no", "red"))
    return (f"{entry.version:4}  ", ("yes", "green"))


def _blockers(entry: OpsetReach) -> Iterator[Line]:
    for blocker in entry.blockers[:_BLOCKERS]:
        yield (f"        {blocker.op_type} {visible(blocker.node)}: {sentence(blocker.message)}",)
    if len(entry.blockers) > _BLOCKERS:
        yield (f"        and {counted(len(entry.blockers) - _BLOCKERS, 'more node')}, in --format json",)
