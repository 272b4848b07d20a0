"""Findings that say the same of several places, put together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from onnxfix.records import AppliedFix, Diagnostic, Withheld
from onnxfix.report.text import Line, Piece, listed, sentence, visible

MARKS = {"safe": "[*]", "unsafe": "[!]", "display": "[?]", None: "[ ]"}
"""What can be done: a safe fix, one that needs --unsafe-fixes, one that is only shown, nothing."""

_FOLDER = re.compile(r"^.*[/\\]")  # of the Python file that made a node; --format json has it

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}

MESSAGES = 3
"""How many different messages of one rule are shown."""


@dataclass(frozen=True)
class Entry:
    """One finding as the reports show it; `word` is a level, `withheld error` and so on, or "" for an applied fix."""

    code: str
    rule: str
    word: str
    mark: str
    message: str
    place: str
    reason: str = ""


def of_diagnostic(item: Diagnostic) -> Entry:
    """A finding."""
    place = _place(item.scope, item.node or item.value)
    if item.origin:
        place = f"{place} ({_FOLDER.sub('', item.origin)})".lstrip()
    word = "silent error" if item.kind == "silent_wrong" else item.level
    told = item.said and item.said not in item.message
    reason = f"{item.source}: {item.said}" if told and item.source else item.said if told else ""
    return Entry(item.code, item.rule, word, MARKS[item.fix], item.message, place, reason)


def of_withheld(item: Withheld) -> Entry:
    """A fix that was not applied, with the reason."""
    found = of_diagnostic(item.diagnostic)
    return Entry(found.code, found.rule, f"withheld {found.word}", found.mark, found.message, found.place, item.reason)


def of_fix(item: AppliedFix) -> Entry:
    """A fix that was applied."""
    return Entry(item.code, item.rule, "", MARKS[item.applicability], item.message, _place(item.scope, item.node))


def grouped(entries: Iterable[Entry], places: int) -> Iterator[Line]:
    """One line for each rule and message with the first `places` places; a rule's messages beyond the first few
    are only counted."""
    rules: dict[tuple[str, str], dict[tuple[str, str, str], list[Entry]]] = {}
    for entry in entries:
        same = rules.setdefault((entry.code, entry.word), {})
        same.setdefault((entry.message, entry.mark, entry.reason), []).append(entry)
    for messages in rules.values():
        for group in islice(messages.values(), MESSAGES):
            yield from entry_lines(group, places)
        rest = list(islice(messages.values(), MESSAGES, None))
        if rest:
            count = sum(map(len, rest))
            yield ("       ", (f"and {count} more of {visible(rest[0][0].code)}, in --format json", "dim"))


def entry_lines(group: Sequence[Entry], places: int) -> Iterator[Line]:
    """The line of entries that differ only in their places, and the line of the reason if there is one.

    A place that the message names is not said again.
    """
    first = group[0]
    word: list[Piece] = [(first.word, STYLES[first.word.split()[-1]]), " "] if first.word else []
    told = {word.strip(".,:;()'\"") for word in first.message.split()} | {""}
    where = listed([entry.place for entry in group if entry.place not in told], places)
    yield (
        (visible(first.code), "bold"),
        " ",
        *word,
        (first.mark, "green" if first.mark == MARKS["safe"] else "magenta"),
        f" {visible(first.rule)}: {sentence(first.message)}",
        (f"   {where}" if where else "", "cyan"),
    )
    if first.reason:
        yield ("       ", (sentence(first.reason), "dim"))


def _place(scope: str, name: str) -> str:
    return "/".join(filter(None, (scope, name)))
