"""From what users see, a message, a log or a symptom in words, to its cause and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from onnxfix.targets.messages import explain_message, explanation
from onnxfix.targets.records import Explanation, Target
from onnxfix.targets.tables import table

REPAIR = "onnxfix repair MODEL"


@dataclass(frozen=True, slots=True)
class Advice:
    """One cause.

    `line` (from 1) is where the text has `fragment` first, `count` in how many lines.  `affects` says which
    versions, `expected` whether the target that was asked about is one (None: not known).  `do` are sentences, `rules`
    codes of the rules that repair it, `command` what to run ("" for none).  `harmless` messages change no result.
    """

    id: str
    cause: str
    affects: str
    do: tuple[str, ...]
    rules: tuple[str, ...]
    command: str
    source: str
    fragment: str
    line: int
    count: int = 1
    stage: str = ""
    harmless: bool = False
    expected: bool | None = None


def advise(text: str, target: Target | None = None) -> list[Advice]:
    """Every known cause for what the text says, in the order in which it says so.

    A message of which an entry of advice.yaml says more is not told twice.  An unknown text gives an empty list.
    """
    matches = [(entry, match) for entry in _entries() if (match := _pattern(entry["match"]).search(text))]
    covered = {name for entry, _ in matches for name in entry.get("covers", ())}
    found = [_of_entry(entry, match, text, target) for entry, match in matches]
    found += [_of_message(item, text, target) for item in explain_message(text, target) if item.id not in covered]
    return sorted(found, key=lambda advice: advice.line)


def advice_ids() -> tuple[str, ...]:
    """The names of all causes."""
    return (*(entry["id"] for entry in _entries()), *(entry["id"] for entry in table("parser_errors")["errors"]))


def advice_named(name: str) -> Advice | None:
    """What is known of a cause by its name ("no-outputs"), without a text; None for an unknown name."""
    for entry in _entries():
        if entry["id"] == name:
            return _advice(entry, fragment="", line=0, count=0)
    for entry in table("parser_errors")["errors"]:
        if entry["id"] == name:
            return _of_message(explanation(entry, "", None), "", None)
    return None


def _entries() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = table("advice")["entries"]
    return entries


def _of_entry(entry: Mapping[str, Any], match: re.Match[str], text: str, target: Target | None) -> Advice:
    lines = {_line(text, found.start()) for found in _pattern(entry["match"]).finditer(text)}
    found = _advice(entry, fragment=match[0], line=_line(text, match.start()), count=len(lines))
    return replace(found, command=_for_target(found.command, target.name)) if target else found


def _advice(entry: Mapping[str, Any], *, fragment: str, line: int, count: int) -> Advice:
    rules = tuple(entry.get("rules", ()))
    return Advice(
        id=entry["id"],
        cause=entry["means"],
        affects=entry["affects"],
        do=tuple(entry["do"]),
        rules=rules,
        command=entry.get("command", REPAIR if rules else ""),
        source=entry["source"],
        fragment=fragment,
        line=line,
        count=count,
        harmless=entry.get("harmless", False),
    )


def _of_message(found: Explanation, text: str, target: Target | None) -> Advice:
    """A message of TensorRT, with what its repairs do."""
    known: Mapping[str, Mapping[str, Any]] = table("repairs")["repairs"]
    repairs = [known[word] for word in found.repairs]
    rules = tuple(dict.fromkeys(code for repair in repairs for code in repair.get("rules", ())))
    said = [repair["command"] for repair in repairs if "command" in repair]
    operators = f" ({', '.join(found.op_types)})" if found.op_types else ""
    return Advice(
        id=found.id,
        cause=f"{found.cause}{operators}",
        affects="; ".join(found.seen) or "not stated by a source",
        do=tuple(dict.fromkeys(repair["do"] for repair in repairs)),
        rules=rules,
        command=_for_target(next(iter(said), REPAIR if rules else ""), target.name if target else found.said_by),
        source=found.source,
        fragment=found.fragment,
        line=_line(text, text.find(found.fragment)) if found.fragment else 0,
        count=sum(found.fragment.splitlines()[0] in line for line in text.splitlines()) if found.fragment else 0,
        stage=found.stage,
        expected=found.expected,
    )


def _for_target(command: str, name: str) -> str:
    """A repair for the target that was named, else for one that the cause is known of; other commands as they are."""
    if not name or not command.startswith(REPAIR):
        return command
    return f"{command.partition(' --target ')[0]} --target {name}"


@cache
def _pattern(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE | re.MULTILINE)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
