"""The examples of a rule, run: the rule does what its author wrote, and more is asserted than was written.

The repaired model must be as written in `after`, the rule must be silent on it, a second run must change nothing,
the ONNX checker must accept it, and its outputs must equal those of the model before on seeded inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from onnxfix.actions.convert_opset import REQUESTED
from onnxfix.actions.refusals import EVERYTHING
from onnxfix.actions.request import requested
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, look, repair_model
from onnxfix.model import Model, load, save
from onnxfix.records import Check
from onnxfix.rewrite.pattern import PatternError
from onnxfix.rewrite.rule import Example, Rule
from onnxfix.rewrite.rulefile import example_model
from onnxfix.scratch import scratch
from onnxfix.targets import resolve
from onnxfix.targets.records import Target
from onnxfix.verify.canonical import canonical
from onnxfix.verify.numeric import verify_numeric


def problems(rule: Rule, example: Example, rules: Sequence[Rule]) -> Iterator[str]:
    """What is wrong with one example; nothing when it holds.  `rules` are all rules (a conversion needs its steps)."""
    try:
        before = load(example_model(example.before))
        after = None if example.after is None else example_model(example.after)
    except PatternError as error:
        yield f"the text is no model: {error}"
        return
    options = replace(_options(rule, example), request=requested(before, **example.request))
    outcome = repair_model(before, rules, options, EVERYTHING)
    if after is None:
        yield from _left_alone(rule, example, outcome)
        return
    if canonical(outcome.model.proto) != canonical(after):
        text = onnx.printer.to_text(outcome.model.proto)
        yield f"the result is not the model of `after`, but:\n{text}"
    yield from _properties(rule, example, before, outcome, rules, options)


def _left_alone(rule: Rule, example: Example, outcome: Outcome) -> Iterator[str]:
    """The rule changed nothing; it says what `reports` says, or else has nothing to offer."""
    findings = [*outcome.remaining, *(finding for finding, _ in outcome.withheld)]
    found = [finding.proposal for finding in findings if finding.rule.code == rule.code]
    fired = any(entry.code == rule.code for entry in outcome.journal)
    if fired or (not example.reports and any(proposal.edits for proposal in found)):
        yield "the rule should be silent and is not"
    if example.reports and not any(example.reports in proposal.message for proposal in found):
        yield f"no finding says {example.reports!r}, but: {[proposal.message for proposal in found]}"


def _options(rule: Rule, example: Example) -> Options:
    convert = rule.step[1] if rule.step else example.opset
    select = (REQUESTED,) if rule.step else (rule.code,)
    target = resolve(example.target) if example.target else _a_target(rule)
    return Options(target=target, opset=convert, select=select, unsafe_fixes=True, interface_changes=True)


def _a_target(rule: Rule) -> Target | None:
    """Some target that the rule is for."""
    if rule.target is None:
        return None
    if rule.target.track == "rtx":
        return resolve("rtx")
    return resolve(
        next(name for name in ("trt", "trt8.6", "trt7.0") if rule.target.covers("trt", resolve(name).release))
    )


def _properties(
    rule: Rule, example: Example, before: Model, outcome: Outcome, rules: Sequence[Rule], options: Options
) -> Iterator[str]:
    if outcome.complaint:
        yield f"the ONNX checker refuses the result: {outcome.complaint}"
    _, findings = look(outcome.model, rules, options, EVERYTHING)
    if any(finding.rule.code == rule.code for finding in findings):
        yield "the rule is not silent on its own result"
    again = repair_model(outcome.model, rules, options, EVERYTHING)
    if again.journal:
        yield "a second run changes the result again"
    numbers = _compare(before, outcome, options)
    if numbers.outcome != ("passed" if example.baseline else "not_verified"):
        yield f"the outputs are {numbers.outcome.replace('_', ' ')}: {numbers.reason}"


def _compare(before: Model, outcome: Outcome, options: Options) -> Check:
    with scratch() as folder:
        original, candidate, rest = (Path(folder, f"{name}.onnx") for name in ("before", "after", "rest"))
        save(before, original)
        save(outcome.model, candidate)
        if outcome.rest:
            save(outcome.rest, rest)
        tail = rest if outcome.rest else None
        return verify_numeric(load(original), candidate, interface_changes=True, request=options.request, rest=tail)
