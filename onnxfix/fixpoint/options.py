"""What the user asks of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onnxfix.actions.request import NO_REQUEST, Request
from onnxfix.rewrite.rule import Rule
from onnxfix.targets.records import Target

FixKey = tuple[str, str, str]
"""One fix: the code of its rule, the label of its scope, and its node or value."""


@dataclass(frozen=True)
class Options:
    """`select` and `ignore` hold rule codes, names, families or prefixes of codes; an empty `select` means all.

    Fixes of notes (findings that are no defect for the target) are applied only when their rule is selected by
    name.  `opset` asks for a conversion to that version.  `rule_folders` are rules of the user's own;
    `request` holds the changes to the interface that the user asks for by name.
    `taken_back` are fixes that are not applied, because the repair is wrong with them.
    """

    target: Target | None = None
    opset: int | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    unsafe_fixes: bool = False
    interface_changes: bool = False
    rule_folders: tuple[Path, ...] = ()
    request: Request = NO_REQUEST
    taken_back: frozenset[FixKey] = frozenset()

    def wants(self, rule: Rule) -> bool:
        """Whether a rule takes part."""
        if any(_names(rule, word) for word in self.ignore):
            return False
        return not self.select or any(_names(rule, word) for word in self.select)

    def asked_for(self, rule: Rule) -> bool:
        """Whether the rule was selected by its own code or name."""
        return rule.code in self.select or rule.name in self.select


def _names(rule: Rule, word: str) -> bool:
    return word in (rule.name, rule.family, "ALL") or rule.code.startswith(word.upper())
