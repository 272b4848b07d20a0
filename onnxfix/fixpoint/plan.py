"""Which findings are cured in this round: chosen, deferred to the next, or withheld."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxfix.fixpoint.diagnose import Finding
from onnxfix.fixpoint.options import Options
from onnxfix.model.scope import ScopeId


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
    taken: set[tuple[ScopeId, int | str]] = set()
    for finding in findings:
        reason = _withheld(finding, options)
        if reason:
            withheld.append((finding, reason))
        elif finding.proposal.edits and _free(finding, chosen, taken):
            chosen.append(finding)
            taken |= finding.proposal.touched()
        elif finding.proposal.edits:
            deferred.append(finding)
    return Plan(tuple(chosen), tuple(deferred), tuple(withheld))


def _withheld(finding: Finding, options: Options) -> str:
    if not finding.proposal.edits:
        return ""
    if finding.applicability == "display":
        return "shown only; it changes what the model computes"
    if finding.applicability == "unsafe" and not options.unsafe_fixes:
        return "unsafe: pass --unsafe-fixes to apply it"
    if finding.level == "note" and not options.asked_for(finding.rule):
        return f"the target takes it as it is: pass --select {finding.rule.code} to apply it"
    return ""


def _free(finding: Finding, chosen: Sequence[Finding], taken: set[tuple[ScopeId, int | str]]) -> bool:
    """Whether a proposal touches nothing that is taken, and no graph inside a node that goes or holds another edit."""
    if chosen and (finding.proposal.exclusive or chosen[0].proposal.exclusive):
        return False
    touched = finding.proposal.touched()
    if touched & taken:
        return False
    return not (_enclosing(touched) & taken or touched & _enclosing(taken))


def _enclosing(keys: set[tuple[ScopeId, int | str]]) -> set[tuple[ScopeId, int | str]]:
    """For each key inside a subgraph: the nodes that hold the subgraph, outward to the main graph."""
    return {
        (scope[:end], scope[end])
        for scope in {scope for scope, _ in keys}
        for end in range(len(scope) - 3, -1, -3)
        if isinstance(scope[end], int)
    }
