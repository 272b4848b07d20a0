"""The fixpoint: diagnose, plan, apply, until nothing is left to do."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from onnxfix.actions import ASKED, Context
from onnxfix.actions.convert_opset import REQUESTED
from onnxfix.actions.refusals import NOTHING, Refusals
from onnxfix.errors import NotConverged
from onnxfix.fixpoint.diagnose import Finding, diagnose
from onnxfix.fixpoint.options import FixKey, Options
from onnxfix.fixpoint.plan import make_plan
from onnxfix.model.edit import apply_edits
from onnxfix.model.inference import typed_scopes
from onnxfix.model.model import Model
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope, ScopeId
from onnxfix.model.text import node_text
from onnxfix.records import AppliedFix
from onnxfix.rewrite.rule import Rule

BARE_REFUSAL = "report_refused"
"""The action that tells of refused nodes that no rule can help."""

MAX_ROUNDS = 40
MAX_GROWTH = 10, 1_000
"""A model may grow to so many times its nodes, plus so many."""


@dataclass
class Outcome:
    """The repaired model, the journal, and what the last look at it found.

    `complaint` is what the ONNX checker says of the result, "" when it is valid; `first_complaint` what it said of
    the original; `rest` is what a cut took off, a model with the weights of the original.  `scopes` are those of
    the result, with their types.
    """

    model: Model
    journal: list[AppliedFix] = field(default_factory=list)
    remaining: list[Finding] = field(default_factory=list)
    withheld: list[tuple[Finding, str]] = field(default_factory=list)
    complaint: str = ""
    first_complaint: str = ""
    rest: Model | None = None
    scopes: Sequence[Scope] = ()


def look(
    model: Model, rules: Sequence[Rule], options: Options, refusals: Refusals = NOTHING
) -> tuple[Context, list[Finding]]:
    """One look at a model: its context and the findings of the wanted rules."""
    scopes, complaint = typed_scopes(model)
    context = Context(
        model=model,
        scopes=scopes,
        names=Names(scopes),
        complaint=complaint,
        target=options.target,
        steps=[rule for rule in rules if rule.step],
        interface_changes=options.interface_changes,
        opset=options.opset,
        request=options.request,
        refusals=refusals,
    )
    return context, diagnose(context, [rule for rule in rules if options.wants(rule) or _requested(rule, options)])


def _requested(rule: Rule, options: Options) -> bool:
    """Whether this is a rule of `--opset` or of a change to the interface that the user asks for, selected or not."""
    opset = rule.code == REQUESTED and options.opset is not None and REQUESTED not in options.ignore
    return opset or (rule.action in ASKED and bool(options.request))


def repair_model(model: Model, rules: Sequence[Rule], options: Options, refusals: Refusals = NOTHING) -> Outcome:
    """Apply fixes round by round until none is left; `refusals` are the nodes that the target is known to refuse.

    Raises NotConverged, naming the rules, when a state comes back or the rounds run out.
    """
    journal: list[AppliedFix] = []
    seen = {_fingerprint(model): 0}
    limit = 0
    first_complaint = ""
    rest: Model | None = None
    for number in range(1, MAX_ROUNDS + 1):
        context, findings = look(model, rules, options, refusals)
        nodes = sum(len(scope.nodes) for scope in context.scopes)
        if number == 1:
            limit, first_complaint = MAX_GROWTH[0] * nodes + MAX_GROWTH[1], context.complaint
        plan = make_plan(findings, options)
        if not plan.chosen:
            held = [finding for finding, _ in plan.withheld]
            withheld = {id(finding) for finding in held}
            remaining = answered([finding for finding in findings if id(finding) not in withheld], held)
            complaints = context.complaint, first_complaint
            return Outcome(model, journal, remaining, list(plan.withheld), *complaints, rest, context.scopes)
        if nodes > limit:
            raise _endless(model, journal, number - 2)
        taken = next((finding.proposal.rest for finding in plan.chosen if finding.proposal.rest), None)
        rest = model.with_proto(taken) if taken else rest
        model = apply_edits(model, [edit for finding in plan.chosen for edit in finding.proposal.edits])
        journal += [entry for finding in plan.chosen for entry in _entries(finding, number)]
        state = _fingerprint(model)
        if state in seen:
            raise _endless(model, journal, seen[state])
        seen[state] = number
    raise _endless(model, journal, MAX_ROUNDS - 4)


def continued(before: Outcome, rules: Sequence[Rule], options: Options, refusals: Refusals) -> Outcome:
    """Repair an outcome's model further, now that the target's refusals are known; the journal goes on."""
    after = repair_model(before.model, rules, options, refusals)
    first = max((entry.round for entry in before.journal), default=0)
    journal = [*before.journal, *(replace(entry, round=entry.round + first) for entry in after.journal)]
    return replace(after, journal=journal, first_complaint=before.first_complaint, rest=after.rest or before.rest)


def answered(findings: Sequence[Finding], others: Sequence[Finding] = ()) -> list[Finding]:
    """The findings without the bare refusal of a node of which another rule (or one of `others`) has more to say.

    A note, on the node's name for one, says nothing of the refusal.
    """
    telling = (finding for finding in (*findings, *others) if finding.level != "note")
    known = {_place(finding) for finding in telling if finding.rule.action != BARE_REFUSAL}
    return [finding for finding in findings if finding.rule.action != BARE_REFUSAL or _place(finding) not in known]


def _place(finding: Finding) -> tuple[ScopeId, int | None]:
    return finding.proposal.scope.id, finding.proposal.node


def _endless(model: Model, journal: Sequence[AppliedFix], since: int) -> NotConverged:
    """Blames the rules that were applied after round `since`."""
    rules = sorted({f"{entry.code} {entry.rule}" for entry in journal if entry.round > since})
    hint = f"these rules undo each other or never end: {', '.join(rules)}; --ignore one of them"
    return NotConverged("the fixes do not come to an end, the model is left as it was", where=model.label, hint=hint)


def key_of(entry: AppliedFix) -> FixKey:
    """Which fix an entry of the journal is."""
    return entry.code, entry.scope, entry.node


def _fingerprint(model: Model) -> bytes:
    return hashlib.sha256(model.proto.SerializeToString(deterministic=True)).digest()


def _entries(finding: Finding, number: int) -> list[AppliedFix]:
    own = [replace(entry, round=number) for entry in finding.proposal.journal]
    return [_entry(finding, number), *own]


def _entry(finding: Finding, number: int) -> AppliedFix:
    proposal = finding.proposal
    diagnostic = finding.diagnostic()
    assert diagnostic.fix is not None
    return AppliedFix(
        code=diagnostic.code,
        rule=diagnostic.rule,
        applicability=diagnostic.fix,
        message=diagnostic.message,
        round=number,
        scope=diagnostic.scope,
        node=diagnostic.node or diagnostic.value,
        before=tuple(
            node_text(proposal.scope.nodes[index])
            for edit in proposal.edits
            if edit.scope == proposal.scope.id
            for index in edit.remove[:_SHOWN]
        ),
        after=tuple(node_text(node) for edit in proposal.edits for node in edit.insert[:_SHOWN]),
        renamed={old: new for edit in proposal.edits for old, new in edit.rename.items()},
    )


_SHOWN = 20
