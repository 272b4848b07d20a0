"""Which findings are cured in this round: chosen, deferred to the next, or withheld."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onnxfix.fixpoint.diagnose import Finding
from onnxfix.fixpoint.options import Options
from onnxfix.model.edit import Proposal
from onnxfix.model.scope import ScopeId

Key = tuple[ScopeId, int | str]

TAKEN_BACK = "taken back: with this fix the outputs or the structure are wrong"


@dataclass(frozen=True)
class Plan:
    """`chosen` do not overlap; `deferred` overlap one of them; `withheld` come with the reason."""

    chosen: tuple[Finding, ...]
    deferred: tuple[Finding, ...]
    withheld: tuple[tuple[Finding, str], ...]


def make_plan(findings: Sequence[Finding], options: Options) -> Plan:
    """Choose greedily in the order of the findings."""
    chosen: list[Finding] = []
    deferred: list[Finding] = []
    withheld: list[tuple[Finding, str]] = []
    taken = _Taken()
    for finding in findings:
        reason = _withheld(finding, options)
        if reason:
            withheld.append((finding, reason))
        elif finding.proposal.edits:
            (chosen if taken.take(finding.proposal) else deferred).append(finding)
    return Plan(tuple(chosen), tuple(deferred), tuple(withheld))


def _withheld(finding: Finding, options: Options) -> str:
    if not finding.proposal.edits:
        return ""
    if finding.key in options.taken_back:
        return TAKEN_BACK
    if finding.applicability == "display":
        return "shown only; it changes what the model computes"
    if finding.proposal.interface and not options.interface_changes:
        return "changes the interface: pass --allow-interface-changes to apply it"
    if finding.applicability == "unsafe" and not options.unsafe_fixes:
        return "unsafe: pass --unsafe-fixes to apply it"
    if finding.level == "note" and not options.asked_for(finding.rule):
        return f"the target takes it as it is: pass --select {finding.rule.code} to apply it"
    return ""


class _Taken:
    """What the chosen proposals of a round change, and the nodes around it."""

    def __init__(self) -> None:
        self._keys: set[Key] = set()
        self._around: set[Key] = set()
        self._some = self._closed = False

    def take(self, proposal: Proposal) -> bool:
        """Take what a proposal touches; False, and nothing is taken, when some of it is taken already.

        A node that goes or changes takes the graphs inside it along.
        """
        edits = proposal.edits
        around = {key for edit in edits if edit.touched for key in _enclosing(edit.scope)}
        if self._closed or (proposal.exclusive and self._some) or not around.isdisjoint(self._keys):
            return False
        if not all(edit.touched.isdisjoint(taken) for edit in edits for taken in (self._keys, self._around)):
            return False
        self._keys.update(*(edit.touched for edit in edits))
        self._around |= around
        self._some, self._closed = True, proposal.exclusive
        return True


def _enclosing(scope: ScopeId) -> Iterator[Key]:
    """For a subgraph: the nodes that hold it, outward to the main graph."""
    for end in range(len(scope) - 3, -1, -3):
        place = scope[end]
        if isinstance(place, int):
            yield scope[:end], place
