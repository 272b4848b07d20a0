"""What the messages of TensorRT's parser, builder and runtime mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from onnxfix.targets.records import Explanation, Target
from onnxfix.targets.tables import cite, table, version_key


def explain_message(text: str, target: Target | None = None) -> list[Explanation]:
    """Every known cause for a message or a log, in the order of the fact base.

    With a target, the messages its release is known to say come first. An unknown message gives an empty list.
    """
    found = [
        explanation(entry, match[0], target) for entry in _entries() if (match := _pattern(entry["match"]).search(text))
    ]
    return sorted(found, key=lambda item: item.expected is not True) if target else found


def _entries() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = table("parser_errors")["errors"]
    return entries


def message_pattern(identifier: str) -> re.Pattern[str]:
    """What finds the message of an entry in a text."""
    return _pattern(next(entry["match"] for entry in _entries() if entry["id"] == identifier))


@cache
def _pattern(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.MULTILINE)


def explanation(entry: Mapping[str, Any], fragment: str, target: Target | None) -> Explanation:
    """One entry of parser_errors.yaml as a record; `fragment` is what was found of it in a text."""
    seen = entry["seen"]
    return Explanation(
        id=entry["id"],
        cause=entry["means"],
        stage=entry["stage"],
        severity=entry["severity"],
        trigger=entry["trigger"],
        repairs=tuple(entry["repairs"]),
        op_types=tuple(entry.get("ops", ())),
        seen=_seen(seen),
        said_by=_said_by(seen),
        expected=_expected(seen, target) if target else None,
        source=_source(seen),
        fragment=fragment,
        follows=entry.get("follows", False),
    )


def _seen(seen: Mapping[str, Any]) -> tuple[str, ...]:
    spans = []
    if "trt" in seen:
        oldest, newest = seen["trt"]
        spans.append(f"TensorRT {oldest}" if oldest == newest else f"TensorRT {oldest} to {newest}")
    if "rtx" in seen:
        spans.append(f"TensorRT-RTX {', '.join(seen['rtx'])}")
    elif seen.get("rtx_core"):
        spans.append("TensorRT-RTX 1.7")
    return tuple(spans)


def _said_by(seen: Mapping[str, Any]) -> str:
    """The newest release known to say it, where TensorRT-RTX does not."""
    if "trt" not in seen or "rtx" in seen or seen.get("rtx_core"):
        return ""
    return f"trt{seen['trt'][1].partition('-')[0]}"


def _source(seen: Mapping[str, Any]) -> str:
    """Where the text of the message was read."""
    sources = [cite(seen["src"], table("parser_errors")["sources"])] if "src" in seen else []
    if "trt" in seen:
        sources.append("source of the open-source parser, branches 5.1 to 10.1")
    if "rtx" in seen:
        sources.append("strings of the TensorRT-RTX parser libraries")
    if seen.get("rtx_core"):
        sources.append("strings of the TensorRT-RTX 1.7.1 core library")
    return "; ".join(sources)


def _expected(seen: Mapping[str, Any], target: Target) -> bool | None:
    """True when the release lies in the span read; releases after 10.1 have no readable source, so None for them."""
    if target.track == "rtx":
        core = seen.get("rtx_core") and target.release == "1.7"
        return True if core or target.release in seen.get("rtx", ()) else None
    if "trt" not in seen:
        return None
    oldest, newest = map(version_key, seen["trt"])
    if oldest <= version_key(target.release) <= newest:
        return True
    return None if version_key(target.release) > version_key("10.1") else False
