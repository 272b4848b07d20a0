"""Explanations as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from onnxfix.report.rules import page_lines
from onnxfix.report.text import Line, counted, sentence, visible

if TYPE_CHECKING:
    from onnxfix.api.explain import ExplainReport
    from onnxfix.rewrite.rule import Rule
    from onnxfix.targets import Advice, Reading

_FRAGMENT = 120
_RULES = 8


def explain_lines(report: ExplainReport) -> Iterator[Line]:
    """The page of a rule, or each cause with its versions, repair and command."""
    if report.rule:
        yield from page_lines(report.rule)
        if report.rule.applicability == "safe" and not report.rule.step:
            yield (("command   ", "dim"), f"onnxfix repair MODEL --select {report.rule.code}{_target_of(report.rule)}")
        return
    follows = any(not advice.harmless and not advice.follows for advice in report.advice)
    for advice in report.advice:
        yield from _advice(advice, report.lines, follows)
    yield from (("note: ", sentence(note)) for note in report.notes)
    if report.reading:
        yield from _reading(report.reading, report.lines)
    elif not report.advice:
        yield (("Nothing known is said there.", "yellow"), " `onnxfix check MODEL` looks at the model itself.")


def _target_of(rule: Rule) -> str:
    """The option for a rule that is for some targets only: the newest of them."""
    from onnxfix.targets.overview import releases

    if rule.target is None or not rule.target.track:
        return ""
    covered = [item for item in releases() if rule.target.covers(item.track, item.key)]
    return f" --target {covered[-1].track}{covered[-1].key}" if covered else ""


def _advice(advice: Advice, lines: int, follows: bool) -> Iterator[Line]:
    where = f"   line {advice.line}" if lines > 1 else ""
    often = f", {counted(advice.count, 'time')}" if advice.count > 1 else ""
    style = "green" if advice.harmless else "bold red"
    fragment = f": {sentence(advice.fragment, _FRAGMENT)}" if advice.fragment else ""
    yield ((advice.id, style), f"{fragment}{where}{often}")
    kind = "harmless: " if advice.harmless else "follows from another error: " if advice.follows and follows else ""
    yield _field("means", f"{kind}{advice.cause}")
    told = {True: " (the target is one of them)", False: " (the target is none of them)", None: ""}[advice.expected]
    yield _field("affects", advice.affects + told)
    for number, what in enumerate(advice.do):
        yield _field("" if number else "repair", what)
    if advice.rules:
        yield _field("rules", ", ".join(advice.rules))
    if advice.command:
        yield _field("command", advice.command)
    yield _field("source", advice.source)


def _reading(reading: Reading, lines: int) -> Iterator[Line]:
    """What a message tells by itself, so that nobody takes it for a cause."""
    where = f"   line {reading.line}" if lines > 1 else ""
    yield (("No cause is known for this message.", "yellow"), f" What can be read from it{where}:")
    yield _field("message", sentence(reading.fragment, _FRAGMENT))
    yield _field(
        "said by", f"{reading.program}, while {reading.phase}" if reading.phase != "working" else reading.program
    )
    for number, said in enumerate(reading.known):
        yield _field("" if number else "names", said)
    if reading.targets:
        yield _field("release", ", ".join(reading.targets))
    if reading.rules:
        yield _field(
            "rules", f"{', '.join(reading.rules[:_RULES])}: for the operators named, which may not be the cause"
        )
    yield _field("command", f"{reading.command}   (finds out more)")


def _field(name: str, text: str) -> Line:
    return ("  ", (f"{name:8}", "dim"), visible(text, 1000))
