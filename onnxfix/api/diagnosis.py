"""What is wrong with a model for one target: rules, fact base and the target's own answer, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Literal

from onnxfix.actions import Context
from onnxfix.actions.refusals import NOTHING, Refusals
from onnxfix.api.asking import ASK_LIMIT, Library
from onnxfix.errors import NotConverged
from onnxfix.fixpoint.conversion import repaired
from onnxfix.fixpoint.diagnose import Finding
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, answered, look
from onnxfix.legalise import Answer, answer_of, known_refusals, legalise
from onnxfix.model import Model
from onnxfix.model.inference import DEADLY
from onnxfix.model.origin import origin_of
from onnxfix.records import Check, Diagnostic, State
from onnxfix.rewrite.rule import Rule
from onnxfix.targets import operator_source

WHOLE = "OFX798"
"""The rule about a refusal that no node accounts for: told where no other error explains it."""

UNREPAIRED = "OFX799"
"""The rule about a refused node that no rule rewrites: told where the repair leaves the node as it is."""


@dataclass(frozen=True)
class Checked:
    """The findings about one model, what the ONNX checker says, the state, and the target's own answer."""

    diagnostics: tuple[Diagnostic, ...]
    complaint: str
    state: State
    answer: Answer


def checked(
    model: Model,
    rules: Sequence[Rule],
    options: Options,
    *,
    ask_limit: float = ASK_LIMIT,
    progress: Callable[[str], object] = str,
) -> Checked:
    """One look at a model for `options.target`.

    The target's own parser and builder are asked where they are installed, for `ask_limit` seconds (0: not at all).  A
    model that they take has no refused node, whatever the fact base says; of one that they refuse both tell, since a
    builder names one node at a time.  One that no rewrite helps is asked about for sizes that fit it, the last resort.
    Elsewhere, and where they do not answer in time, the fact base answers alone.
    """
    seen = look(model, rules, options)
    context, library = seen[0], Library(options, ask_limit, progress)
    if context.complaint.startswith(DEADLY) or not library.present:
        return _judged(model, rules, seen, Answer(), library)
    check = library.says(Outcome(model))
    fitting = cache(partial(library.fits, Outcome(model), check))

    def fitted(made: Outcome, refused: Check) -> Check:
        """The word on a rewritten model for sizes that fit it, where none fit the model as it came."""
        return library.fits(made, refused) if made.journal and fitting().outcome != "passed" else refused

    found = _judged(model, rules, seen, answer_of(check, context.scopes, options.target), library, fitted)
    held = any(item.level == "error" and item.fix == "unsafe" for item in found.diagnostics)
    if check.outcome == "failed" and found.state == "blocked" and not held and fitting().outcome == "passed":
        return _judged(model, rules, seen, answer_of(fitting(), context.scopes, options.target), library)
    return found


def _judged(
    model: Model,
    rules: Sequence[Rule],
    seen: tuple[Context, list[Finding]],
    answer: Answer,
    library: Library,
    fitted: Callable[[Outcome, Check], Check] = lambda _, refused: refused,
) -> Checked:
    """What was seen in the model, in the light of the target's answer; `fitted` is that of `legalise`."""
    (context, findings), options = seen, library.options
    refusals = _merged(answer, context, options)
    refused = bool(answer.asked) and not answer.taken
    if refusals or refused:
        context, findings = look(model, rules, options, replace(refusals, model=answer.said if refused else ""))
        findings = _without_doubles(answered(findings))
    findings = [finding for finding in findings if not _known(finding, refusals, answer)]
    diagnostics = [_told(finding, refusals, answer, options) for finding in findings]
    state: State = "ready"
    if context.complaint.startswith(DEADLY):
        state = "blocked"
    elif refused or any(item.level == "error" for item in diagnostics):
        state = _state(model, rules, refusals, answer, library, fitted)
    if state == "repairable":  # other fixes take care of it
        diagnostics = [item for item in diagnostics if item.code != UNREPAIRED]
    return Checked(tuple(diagnostics), context.complaint, state, answer)


def _merged(answer: Answer, context: Context, options: Options) -> Refusals:
    if answer.taken:
        return NOTHING
    known = known_refusals(context.scopes, options.target)
    return answer.refusals.with_nodes(known.wide, known.exact)


def _known(finding: Finding, refusals: Refusals, answer: Answer) -> bool:
    """Whether what a note calls unknown is known after all: the target was asked, or the node is refused."""
    scope, index = finding.proposal.scope, finding.proposal.node
    refused = index is not None and refusals.of(scope, index) is not None
    return finding.rule.kind == "unknown" and (bool(answer.asked) or refused)


def _without_doubles(findings: Sequence[Finding]) -> list[Finding]:
    """One finding for each refused node: that of a rule which would repair it anyway, else the first one with a fix."""
    best: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        if finding.level == "error" and finding.proposal.node is not None and finding.applicability:
            place = finding.proposal.scope.id, finding.proposal.node
            if place not in best or (best[place].rule.only_refused and not finding.rule.only_refused):
                best[place] = finding
    errors = {finding.rule.code for finding in findings if finding.level == "error"}
    kept = []
    for finding in findings:
        if finding.rule.code == WHOLE and len(errors) > 1:
            continue
        better = best.get((finding.proposal.scope.id, finding.proposal.node))
        if better is None or better is finding or not finding.rule.only_refused:
            kept.append(finding)
    return kept


def _told(finding: Finding, refusals: Refusals, answer: Answer, options: Options) -> Diagnostic:
    """The finding as a record, with the target's own words and whose they are."""
    plain = finding.diagnostic()
    scope, index = finding.proposal.scope, finding.proposal.node
    if index is None:
        return plain
    origin = origin_of(scope.nodes[index])
    said = (refusals.of(scope, index) or "") if plain.level == "error" else ""
    own = bool(said) and answer.refusals.of(scope, index) == said
    source = answer.asked if own else operator_source(options.target) if said and options.target else ""
    return replace(plain, said=said, source=source, origin=origin)


def _state(
    model: Model,
    rules: Sequence[Rule],
    refusals: Refusals,
    answer: Answer,
    library: Library,
    fitted: Callable[[Outcome, Check], Check],
) -> State:
    """Whether safe fixes make the target take the model: tried, and asked again where the target is here."""
    library.progress("trying the repair")
    try:
        outcome = repaired(model, rules, library.options, refusals)
    except NotConverged:
        return "blocked"
    if answer.asked:
        attempt = legalise(outcome, rules, library.options, library.says, fitted)
        outcome = attempt.outcome
        if attempt.engine is not None and attempt.engine.outcome == "failed":
            return "blocked"
    return "blocked" if any(_errors_left(outcome)) else "repairable"


def _errors_left(outcome: Outcome) -> Iterator[Literal[True]]:
    left = (*outcome.remaining, *(finding for finding, _ in outcome.withheld))
    return (True for finding in left if finding.level == "error")
