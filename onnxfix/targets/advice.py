"""From what users see, a message, a log or a symptom in words, to its cause and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from onnxfix.targets.entries import advice_entries
from onnxfix.targets.logs import Log
from onnxfix.targets.messages import explain_message, explanation, message_pattern
from onnxfix.targets.named import said_of
from onnxfix.targets.records import Explanation, Target
from onnxfix.targets.tables import table

REPAIR = "onnxfix repair MODEL"


@dataclass(frozen=True, slots=True)
class Advice:
    """One cause.

    `line` (from 1) is where the text has `fragment` first, `count` in how many lines.  `affects` says which
    versions, `expected` whether the target that was asked about is one (None: not known).  `do` are sentences, `rules`
    codes of the rules that repair it, `command` what to run ("" for none).  `harmless` messages change no result;
    `follows` are said when something else went wrong before.  `operators` are those that the messages name.
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
    follows: bool = False
    expected: bool | None = None
    operators: tuple[str, ...] = ()


def advise(said: str | Log, target: Target | None = None) -> list[Advice]:
    """Every known cause for what a text says: causes first, then what follows from them, then what is harmless.

    Among themselves they stand as the text has them.  A message of which an entry of data/advice says more is not told
    twice, and what tells least (`last`) only when nothing else is known.  An unknown text gives an empty list.
    """
    log = said if isinstance(said, Log) else Log.of(said)
    matches = [(entry, match) for entry in advice_entries() if (match := _pattern(entry["match"]).search(log.text))]
    covered = {name for entry, _ in matches for name in entry.get("covers", ())}
    found = [_of_entry(entry, match, log, target) for entry, match in matches if entry["id"] not in covered]
    found += [_of_message(item, log, target) for item in explain_message(log.text, target) if item.id not in covered]
    least = min((_last(advice.id) for advice in found if not advice.harmless), default=0)
    found = [advice for advice in found if _last(advice.id) <= least]
    return sorted(found, key=lambda advice: (advice.harmless, advice.follows, advice.line))


def advice_ids() -> tuple[str, ...]:
    """The names of all causes."""
    return (*(entry["id"] for entry in advice_entries()), *(entry["id"] for entry in table("parser_errors")["errors"]))


def advice_named(name: str) -> Advice | None:
    """What is known of a cause by its name ("no-outputs"), without a text; None for an unknown name."""
    for entry in advice_entries():
        if entry["id"] == name:
            return _advice(entry, fragment="", line=0, count=0)
    for entry in table("parser_errors")["errors"]:
        if entry["id"] == name:
            return _of_message(explanation(entry, "", None), Log.of(""), None)
    return None


def _last(identifier: str) -> int:
    return _ranks().get(identifier, 0)


@cache
def _ranks() -> Mapping[str, int]:
    """The entries that are told only when nothing else is."""
    return {
        entry["id"]: entry["last"]
        for entry in (*advice_entries(), *table("parser_errors")["errors"])
        if "last" in entry
    }


def _of_entry(entry: Mapping[str, Any], match: re.Match[str], log: Log, target: Target | None) -> Advice:
    place = _found(_pattern(entry["match"]), log)
    found = _advice(entry, fragment=match[0], line=place.line, count=place.count)
    found = replace(found, do=(*place.known, *found.do), operators=place.operators)
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
        follows=entry.get("follows", False),
    )


def _of_message(found: Explanation, log: Log, target: Target | None) -> Advice:
    """A message of TensorRT, with what its repairs do."""
    known: Mapping[str, Mapping[str, Any]] = table("repairs")["repairs"]
    repairs = [known[word] for word in found.repairs]
    rules = tuple(dict.fromkeys(code for repair in repairs for code in repair.get("rules", ())))
    said = [repair["command"] for repair in repairs if "command" in repair]
    place = _found(message_pattern(found.id), log) if found.fragment else _Found()
    operators = f" ({', '.join(found.op_types)})" if found.op_types else ""
    return Advice(
        id=found.id,
        cause=f"{found.cause}{operators}",
        affects="; ".join(found.seen) or "not stated by a source",
        do=(*place.known, *dict.fromkeys(repair["do"] for repair in repairs)),
        rules=rules,
        command=_for_target(next(iter(said), REPAIR if rules else ""), target.name if target else found.said_by),
        source=found.source,
        fragment=found.fragment,
        line=place.line,
        count=place.count,
        stage=found.stage,
        follows=found.follows,
        operators=place.operators,
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


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a log has a message (first line, number of lines), and what is known of what it names there."""

    line: int = 0
    count: int = 0
    known: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()


def _found(pattern: re.Pattern[str], log: Log) -> _Found:
    matches = list(pattern.finditer(log.text))
    line, count = log.places(match.start() for match in matches)
    if not pattern.groupindex:
        return _Found(line, count)
    named = [dict(names) for names in dict.fromkeys(tuple(match.groupdict().items()) for match in matches)][:_NAMED]
    operators = (names.get(group) for names in named for group in ("op", "onnx_op"))
    known = dict.fromkeys(said for names in named for said in said_of(names))
    return _Found(line, count, tuple(known), tuple(dict.fromkeys(filter(None, operators))))


_NAMED = 5
"""Different operators and GPUs of one message that are told of."""
