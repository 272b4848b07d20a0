"""The journal that a repair leaves in the metadata of a model: which rule is behind a change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import onnx

from onnxfix.changes.records import Change

KEY = "onnxfix"
"""Key of the metadata entry."""


def blamed(proto: onnx.ModelProto) -> dict[str, str]:
    """For each node or value that the journal names: the code of the rule."""
    text = next((entry.value for entry in proto.metadata_props if entry.key == KEY), "")
    fixes = _read(text).get("fixes", ())
    return {node: fix["code"] for fix in fixes for node in fix["nodes"]}


def in_words(text: str) -> str:
    """The journal as a sentence; a text that is none stays as it is."""
    document = _read(text)
    if not document:
        return text
    fixes = [
        f"{fix['code']} {fix['rule']}" + (f" {fix['count']} times" if fix["count"] > 1 else "")
        for fix in document["fixes"]
    ]
    return f"repaired by onnxfix {document['version']}: {', '.join(fixes) or 'nothing to fix'}"


def explained(change: Change, journal: dict[str, str], nodes: Sequence[str] = ()) -> Change:
    """The change with the rule that the journal has for one of its values or `nodes`."""
    names = (change.subject, *change.new, *change.old, *nodes)
    rule = next((journal[name] for name in names if name in journal), "")
    return replace(change, rule=rule) if rule and not change.rule else change


def _read(text: str) -> dict[str, Any]:
    """The journal as onnxfix writes it, or {} for what somebody else wrote."""
    try:
        document = json.loads(text) if text else {}
        fixes = [
            {
                "code": str(fix["code"]),
                "rule": str(fix["rule"]),
                "count": int(fix["count"]),
                "nodes": [str(node) for node in fix["nodes"] if node],
            }
            for fix in document["fixes"]
        ]
        return {"version": str(document["version"]), "fixes": fixes}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
