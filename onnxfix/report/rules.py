"""Rules as a catalogue, as one page each, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from onnxfix.report.groups import MARKS, STYLES
from onnxfix.report.text import Line, counted, sentence, visible

if TYPE_CHECKING:
    from onnxfix.rewrite.rule import Example, PatternNode, Rewrite, Rule, TargetRange

_TEXT = 20_000
_OPEN_END = 1000
"""From this opset on, a range has no end."""


def catalogue_lines(rules: Sequence[Rule]) -> Iterator[Line]:
    """One line for each rule, under the name of its family."""
    width = max((len(rule.name) for rule in rules), default=0)
    for family in dict.fromkeys(rule.family for rule in rules):
        yield ((visible(family), "bold"),)
        yield from (_row(rule, width) for rule in rules if rule.family == family)
    yield (f"{counted(len(rules), 'rule')}. [*] safe fix, [!] needs --unsafe-fixes, [?] only shown.",)


def page_lines(rule: Rule) -> Iterator[Line]:
    """Everything about one rule."""
    yield ((f"{rule.code} {rule.name}", "bold"), f"   {visible(rule.family)}, ", (rule.level, STYLES[rule.level]))
    yield (sentence(rule.summary),)
    yield from _section("Why", rule.why)
    yield from _section(f"Fix {MARKS[rule.applicability]} {rule.applicability}", rule.safety)
    yield from _section("Applies to", applies(rule))
    if rule.action:
        parameters = ", ".join(f"{key} = {value!r}" for key, value in rule.parameters.items())
        yield from _section("Action", f"{rule.action} ({parameters})" if parameters else rule.action)
    for rewrite in rule.rewrites:
        yield from _section("Rewrite", rewrite_text(rewrite))
    for example in rule.examples:
        yield from _example(example)


def rule_json(rule: Rule) -> dict[str, Any]:
    """One rule as JSON types; patterns and replacements are ONNX text."""
    plain = ("code", "name", "family", "source", "level", "kind", "applicability", "summary", "why", "safety", "action")
    return {
        **{key: getattr(rule, key) for key in plain},
        "parameters": dict(rule.parameters),
        "opset": [rule.opset[0], rule.opset[1] if rule.opset[1] < _OPEN_END else None],
        "target": asdict(rule.target) if rule.target else None,
        "step": list(rule.step) if rule.step else None,
        "rewrites": [_rewrite_json(rewrite) for rewrite in rule.rewrites],
        "examples": [asdict(example) for example in rule.examples],
    }


def _row(rule: Rule, width: int) -> Line:
    style = "green" if rule.applicability == "safe" else "magenta"
    level = (f" {rule.level:8}", STYLES[rule.level])
    return (
        f"  {rule.code} ",
        (MARKS[rule.applicability], style),
        level,
        f"{rule.name:{width}}  {sentence(rule.summary)}",
    )


def _section(title: str, text: str) -> Iterator[Line]:
    yield ("",)
    yield ((title, "bold"),)
    yield from _block(text, "  ")


def _block(text: str, indent: str) -> Iterator[Line]:
    return ((indent, visible(line, _TEXT)) for line in text.strip("\n").splitlines())


def applies(rule: Rule) -> str:
    """For which opsets and targets the rule is, in words."""
    low, high = rule.opset
    opset = (
        f"opset {low} and later" if high >= _OPEN_END else f"opset {low}" if low == high else f"opset {low} to {high}"
    )
    if rule.step:
        opset += f", as the step of a conversion from {rule.step[0]} to {rule.step[1]}"
    return f"{'any opset' if (low, high >= _OPEN_END) == (1, True) else opset}; {_targets(rule.target)}"


def _targets(target: TargetRange | None) -> str:
    if target is None:
        return "any target"
    product = {"trt": "TensorRT", "rtx": "TensorRT-RTX", "": "TensorRT and TensorRT-RTX"}[target.track]
    return " ".join(filter(None, (product, _since(target.since), target.before and f"before {target.before}")))


def _since(release: str) -> str:
    return f"from {release}" if release else ""


def rewrite_text(rewrite: Rewrite) -> str:
    """Pattern, condition, replacement and computed values as lines."""
    parts = _rewrite_json(rewrite)
    lines = [parts["match"]]
    lines += [f"where {parts['where']}"] if parts["where"] else []
    lines += ["  ->", parts["with"]]
    lines += [f"let {name} = {source}" for name, source in parts["let"].items()]
    return "\n".join(lines)


def _rewrite_json(rewrite: Rewrite) -> dict[str, Any]:
    return {
        "match": _nodes_text(rewrite.pattern),
        "where": rewrite.where.source if rewrite.where else "",
        "with": _nodes_text(rewrite.replacement),
        "let": {name: expression.source for name, expression in rewrite.lets},
        "optional": sorted(rewrite.optional),
        "variadic": rewrite.variadic,
        "ignore": sorted(rewrite.ignore),
    }


def _nodes_text(nodes: Iterable[PatternNode]) -> str:
    from onnx import printer

    return "\n".join(" ".join(printer.to_text(node.proto).split()) for node in nodes)


def _example(example: Example) -> Iterator[Line]:
    silent = "" if example.after else " (the rule is silent)"
    asked = f" (--opset {example.opset})" if example.opset else ""
    yield ("",)
    yield (("Example", "bold"), f"{asked}{silent}   {sentence(example.note)}".rstrip())
    yield from _block(example.before, "  ")
    if example.after:
        yield ("  ->",)
        yield from _block(example.after, "  ")
