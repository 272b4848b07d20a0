"""An opset that no step leads to is a target like another: what it lacks is refused, and rewritten first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onnxfix.actions.convert_opset import REQUESTED
from onnxfix.actions.refusals import NOTHING, Refusals, forms
from onnxfix.fixpoint.diagnose import Finding
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, continued, repair_model
from onnxfix.model.model import Model
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD
from onnxfix.opset.view import schema_at
from onnxfix.rewrite.rule import Rule

HELPFUL = ("fold_constants",)
"""Actions that may make a constant of what an older version wants as an attribute."""

MAX_VERSIONS = 40
"""So many versions can stand in the way one after the other."""


def converted(outcome: Outcome, rules: Sequence[Rule], options: Options, refusals: Refusals) -> Outcome:
    """The outcome brought to the opset that the user asks for, where nodes that no step converts are in the way.

    The model goes as far as the steps lead; there the nodes in the way count as refused, so that the rules that write
    them in other operators apply; and so on.  All or nothing: the given outcome comes back, with its blockers, when
    a node stays in the way.
    """
    attempt, blocked = outcome, blockers_of(outcome)
    for _ in range(MAX_VERSIONS):
        if not blocked:
            return attempt
        version = blocked[0].proposal.scope.opset
        reached = continued(attempt, rules, replace(options, opset=version), refusals)
        places = [*_places(blocked), *_missing(reached, version - 1 if _down(options, version) else version + 1)]
        known = refusals.with_nodes(forms(places, exact=False), {})
        helpful = [rule.code for rule in rules if rule.only_refused or rule.action in HELPFUL]
        select = (*options.select, *helpful) if options.select else ()
        at_home = replace(options, opset=version, select=select)
        rewritten = continued(reached, rules, at_home, known)
        if blockers_of(rewritten) or len(rewritten.journal) == len(reached.journal):
            return outcome
        attempt = continued(rewritten, rules, options, refusals)
        blocked = blockers_of(attempt)
        if blocked and blocked[0].proposal.scope.opset > version and _down(options, version):
            return outcome
    return outcome


def repaired(model: Model, rules: Sequence[Rule], options: Options, refusals: Refusals = NOTHING) -> Outcome:
    """Apply fixes until none is left, and reach the opset that the user asks for by rewriting what is in the way.

    Raises NotConverged when the rules undo each other.
    """
    outcome = repair_model(model, rules, options, refusals)
    return converted(outcome, rules, options, refusals) if options.opset is not None else outcome


def convert(model: Model, to: int, rules: Sequence[Rule]) -> Outcome:
    """The conversion alone, without any repair; blockers are in `remaining`."""
    options = Options(opset=to, select=(REQUESTED,))
    return repaired(model, rules, options)


def blockers_of(outcome: Outcome) -> list[Finding]:
    """The nodes that keep the model from the opset that was asked for."""
    found = [finding for finding in outcome.remaining if finding.rule.code == REQUESTED]
    return [finding for finding in found if finding.proposal.node is not None and not finding.proposal.edits]


def _down(options: Options, version: int) -> bool:
    return options.opset is not None and options.opset < version


def _missing(outcome: Outcome, version: int) -> list[tuple[Scope, int, str]]:
    """The nodes whose operator another version does not have: those in the way may come of the definition of one."""
    return [
        (scope, index, f"opset {version} has no operator {node.op_type}")
        for scope in outcome.scopes
        for index, node in enumerate(scope.nodes)
        if node.domain in STANDARD and schema_at(node.op_type, version) is None
    ]


def _places(blocked: Sequence[Finding]) -> list[tuple[Scope, int, str]]:
    return [(f.proposal.scope, f.proposal.node, f.proposal.message) for f in blocked if f.proposal.node is not None]
