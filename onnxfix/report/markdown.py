"""The catalogue of rules as one Markdown page: docs/rules.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from onnxfix.report.rules import applies, rewrite_text

if TYPE_CHECKING:
    from onnxfix.rewrite.rule import Rule

_HEAD = """# The rules

Made by `onnxfix rules --format markdown` from the files in `rules/`; do not edit.

A rule is an `error` (a target, the ONNX checker or ONNX Runtime refuses the model or computes something else), a
`warning` (worth repairing, repaired by default), or a `note` (no defect for the target; repaired when the rule is
selected by its code). A `safe` fix keeps numbers and interface and runs unasked, an `unsafe` one needs
`--unsafe-fixes`, a `display` one is only shown."""


def catalogue(rules: Sequence[Rule]) -> str:
    """The whole page."""
    return "\n\n".join([_HEAD, *_families(rules)]) + "\n"


def _families(rules: Sequence[Rule]) -> Iterator[str]:
    for family in sorted({rule.family for rule in rules}):
        members = [rule for rule in rules if rule.family == family]
        head = [f"## {family}\n", "| code | name | level | fix | |", "|---|---|---|---|---|"]
        yield "\n".join([*head, *map(_row, members)])
        yield from map(_page, members)


def _row(rule: Rule) -> str:
    return f"| [{rule.code}](#{_anchor(rule)}) | {rule.name} | {rule.level} | {rule.applicability} | {rule.summary} |"


def _page(rule: Rule) -> str:
    parts = [f"### {rule.code} {rule.name}", rule.why.strip()]
    parts.append(f"*Why the fix is {rule.applicability}:* {rule.safety.strip()}")
    parts.append(f"*Applies to:* {applies(rule)}.")
    if rule.action:
        parts.append(f"*Action:* `{rule.action}`")
    parts += [_fenced(rewrite_text(rewrite)) for rewrite in rule.rewrites]
    example = next((example for example in rule.examples if example.after), None)
    if example and example.after:
        parts.append("*Example*")
        parts.append(_fenced(f"{example.before.strip()}\n->\n{example.after.strip()}"))
    return "\n\n".join(parts)


def _anchor(rule: Rule) -> str:
    return f"{rule.code.lower()}-{rule.name}"


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"
