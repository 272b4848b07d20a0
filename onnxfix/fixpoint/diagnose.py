"""What the rules find in a model: one walk over the nodes, looking only at rules whose root operator fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from onnxfix.actions import ACTIONS, ASKED, Context
from onnxfix.actions.definitions import made_twice
from onnxfix.fixpoint.options import FixKey
from onnxfix.model.edit import Proposal
from onnxfix.model.operators import Operator, by_operator
from onnxfix.model.scope import Scope
from onnxfix.records import Applicability, Diagnostic, Level
from onnxfix.rewrite.match import match, may_match
from onnxfix.rewrite.replace import replacement
from onnxfix.rewrite.rule import Match, Rewrite, Rule

Index = dict[Operator, list[tuple[Rule, Rewrite]]]

FIRST = "unique_values"
"""The action that gives values made twice names of their own."""


@dataclass(frozen=True)
class Finding:
    """A proposal and the rule that made it."""

    rule: Rule
    proposal: Proposal

    @property
    def level(self) -> Level:
        """How bad it is."""
        return self.proposal.level or self.rule.level

    @property
    def applicability(self) -> Applicability | None:
        """Whether the fix may run; None when there is none."""
        if not self.proposal.edits:
            return None
        return self.proposal.applicability or self.rule.applicability

    @property
    def key(self) -> FixKey:
        """Which fix of the journal it would become."""
        node = self.proposal.subject
        name = "" if node is None else node.name or next(iter(node.output), "")
        return self.rule.code, self.proposal.scope.label, name or self.proposal.value

    def diagnostic(self) -> Diagnostic:
        """The finding as a record."""
        node = self.proposal.subject
        name = "" if node is None else node.name or next(iter(node.output), "")
        return Diagnostic(
            code=self.rule.code,
            rule=self.rule.name,
            level=self.level,
            message=self.proposal.message,
            scope=self.proposal.scope.label,
            node=name,
            op_type="" if node is None else node.op_type,
            value=self.proposal.value,
            fix=self.applicability,
            kind=self.rule.kind if self.level == "error" or self.rule.kind in ("precision", "unknown") else "defect",
        )


def diagnose(context: Context, rules: Sequence[Rule]) -> list[Finding]:
    """The findings of all rules that apply to the context's target, in the order of the rules.

    While a value is made twice, who makes what is not clear, and only the rule that repairs that is asked.  Changes to
    the interface that the user asks for come before all repairs.
    """
    wanted = [rule for rule in rules if rule.step is None and _for_target(rule, context)]
    if not context.refusals:
        wanted = [rule for rule in wanted if not rule.only_refused]
    if any(made_twice(scope) for scope in context.scopes):
        wanted = [rule for rule in wanted if rule.action == FIRST]
    asked = [rule for rule in wanted if rule.action in ASKED] if context.request else []
    first = [finding for rule in asked for finding in _proposed(context, rule)]
    if any(finding.proposal.edits for finding in first):
        return first
    rank = {rule.code: number for number, rule in enumerate(wanted)}
    findings = list(_rewrites(context, _index(wanted)))
    refused = replace(context, only_refused=True)
    for rule in wanted:
        if rule.action:
            view = refused if rule.only_refused else context
            findings += _attempt(context, rule, context.main, None, partial(_proposed, view, rule))
    return sorted(findings, key=lambda finding: rank[finding.rule.code])


def _proposed(context: Context, rule: Rule) -> Iterator[Finding]:
    assert rule.action
    proposals = ACTIONS[rule.action](context, **rule.parameters)
    return (Finding(rule, proposal) for proposal in proposals if _in_range(rule, proposal.scope))


def _attempt(
    context: Context, rule: Rule, scope: Scope, node: int | None, find: Callable[[], Iterable[Finding]]
) -> list[Finding]:
    """What `find` finds; a note when the rule stumbles over a model that the ONNX checker refuses too.

    Rules may take for granted what the checker demands, such as the inputs of a node.
    """
    try:
        return list(find())
    except _STUMBLES as error:
        if not context.complaint:
            raise
        message = f"the rule cannot look at this invalid model ({type(error).__name__}: {error})"
        return [Finding(rule, Proposal(message, scope, node, level="note"))]


def _for_target(rule: Rule, context: Context) -> bool:
    if rule.target is None:
        return True
    return context.target is not None and rule.target.covers(context.target.track, context.target.release)


def _in_range(rule: Rule, scope: Scope) -> bool:
    return rule.opset[0] <= scope.opset <= rule.opset[1]


def _index(rules: Iterable[Rule]) -> Index:
    index: Index = {}
    for rule in rules:
        for rewrite in rule.rewrites:
            index.setdefault((rewrite.root.domain, rewrite.root.op_type), []).append((rule, rewrite))
    return index


def _rewrites(context: Context, index: Index) -> Iterator[Finding]:
    for scope in context.scopes:
        operators = {number: operator for operator in index for number in by_operator(scope).get(operator, ())}
        for number in sorted(operators):
            found: set[str] = set()
            for rule, rewrite in index[operators[number]]:
                if rule.code in found or not _in_range(rule, scope) or not may_match(scope, rewrite, number):
                    continue
                matched = _attempt(
                    context, rule, scope, number, partial(_matched, context, scope, rule, rewrite, number)
                )
                found.update(finding.rule.code for finding in matched)
                yield from matched


def _matched(context: Context, scope: Scope, rule: Rule, rewrite: Rewrite, number: int) -> Iterator[Finding]:
    result = match(scope, rewrite, number)
    if isinstance(result, Match) and _refused(context, scope, rule, result):
        edit = replacement(scope, rewrite, result, context.names)
        yield Finding(rule, Proposal(rule.summary, scope, number, edits=(edit,)))


def _refused(context: Context, scope: Scope, rule: Rule, found: Match) -> bool:
    """Whether the target refuses a node of the match, for a rule that wants that."""
    return not rule.only_refused or any(context.refusals.of(scope, index) for index in found.nodes.values())


_STUMBLES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
