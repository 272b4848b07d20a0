"""Which rule made a change: the nodes that a fix took away or made are those of the change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from onnxfix.changes.records import DiffReport
from onnxfix.records import AppliedFix


def blamed(report: DiffReport, fixes: Iterable[AppliedFix]) -> DiffReport:
    """The report with the code of a rule at every change that shows a node as one of the fixes does.

    The journal in the metadata names one node of each fix; the journal of a repair just made has all their texts.
    """
    old: dict[str, str] = {}
    new: dict[str, str] = {}
    for fix in fixes:
        old |= dict.fromkeys(fix.before, fix.code)
        new |= dict.fromkeys(fix.after, fix.code)
    changes = []
    for change in report.changes:
        codes = [old[line] for line in change.before if line in old] + [
            new[line] for line in change.after if line in new
        ]
        changes.append(change if change.rule or not codes else replace(change, rule=codes[0]))
    return replace(report, changes=tuple(changes))
