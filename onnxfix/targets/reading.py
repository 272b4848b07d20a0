"""What can be read from a message of which no cause is known: who says it, about what, and how to find out more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

from onnxfix.errors import OnnxfixError
from onnxfix.targets.limits import onnx_schema
from onnxfix.targets.logs import Log
from onnxfix.targets.named import said_of
from onnxfix.targets.names import resolve
from onnxfix.targets.tables import table

LONGEST = 300
"""Characters of the message that are kept."""

MOST_LINES = 1000
"""Places that speak of errors that are looked at."""

MOST_NAMED = 3
"""Operators that are told of."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A message without a known cause: none of this says why it came.

    `program` says it while `phase` ("parsing", "building" ... or "working", which is not told); `fragment` is its
    line, number `line` (from 1). `operators` are those of ONNX that are named near it, `targets` the releases of
    TensorRT in the whole text, `known` what the fact base says of the operators, `command` what finds out more.
    `rules` are codes of those for the operators.
    """

    program: str
    phase: str
    fragment: str
    line: int
    operators: tuple[str, ...]
    targets: tuple[str, ...]
    known: tuple[str, ...]
    command: str
    rules: tuple[str, ...] = ()


def read_message(log: Log) -> Reading | None:
    """The first line that tells of an error of a program that is known; None where there is none."""
    for found in islice(_ERROR.finditer(log.text), MOST_LINES):
        start = log.text.rfind("\n", 0, found.start()) + 1
        end = log.text.find("\n", found.end())
        line = log.text[start : end if end >= 0 else len(log.text)]
        near = log.text[max(0, start - _NEAR) : start + len(line) + _NEAR]
        if row := _said_by(line) or _said_by(near):
            return _reading(row, line, near, log.places([start])[0], log.text)
    return None


def _reading(row: _Program, line: str, near: str, number: int, text: str) -> Reading:
    operators = tuple(dict.fromkeys(_operators(line) or _operators(near)))[:MOST_NAMED]
    targets = tuple(dict.fromkeys(_targets(text)))
    known = dict.fromkeys(said for operator in operators for said in said_of({"op": operator}))
    command = row.next
    if targets and command.startswith("onnxfix check"):
        command += f" --target {targets[0]}"
    return Reading(row.says, row.does, line.strip()[:LONGEST], number, operators, targets, tuple(known), command)


_ERROR = re.compile(
    r"error|fail|assert|exception|not supported|unsupported|invalid|cannot|could not|can't|\[E\]|terminate called",
    re.IGNORECASE,
)
_NEAR = 400
_OPERATOR = re.compile(
    r"(?:\b(?:node|op|operator|layer|op_type|running|for)\b\W{0,3}|\[|/)([A-Z][A-Za-z]*[A-Za-z0-9])(?=_\d|\b)"
    r"|\b([A-Z][A-Za-z]+)_\d+\b|\bimport([A-Z]\w+)"
)
_RELEASE = re.compile(r"\bTensorRT[ -]?(?:version:? ?|v)?(\d+)\.(\d+)|\[TensorRT v(\d{4,6})\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Program:
    says: str
    does: str
    next: str
    pattern: re.Pattern[str]


def _said_by(text: str) -> _Program | None:
    return next((program for program in _programs() if program.pattern.search(text)), None)


@cache
def _programs() -> tuple[_Program, ...]:
    facts = table("programs")
    return tuple(
        _Program(row["says"], row["does"], row.get("next", facts["next"][row["does"]]), re.compile(row["match"], re.I))
        for row in facts["programs"]
    )


def _operators(text: str) -> list[str]:
    """The operators of ONNX that a text names as such, or as exporters name their nodes (Conv_12, /layer/Conv)."""
    words = (next(filter(None, found.groups()), "") for found in _OPERATOR.finditer(text))
    return [word for word in words if onnx_schema(word, None) is not None]


def _targets(text: str) -> Iterator[str]:
    """The releases of TensorRT that a text names: 10.9.0.34, or v8503 for 8.5.3."""
    for found in _RELEASE.finditer(text):
        major, minor, joined = found.groups()
        if joined:
            head = len(joined) - (3 if len(joined) < 6 else 4)
            major, minor = joined[:head], str(int(joined[head : head + (1 if len(joined) < 6 else 2)]))
        try:
            yield resolve(f"trt{major}.{minor}").name
        except OnnxfixError:
            continue
