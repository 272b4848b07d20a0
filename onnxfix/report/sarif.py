"""The reports of `check` as SARIF 2.1.0 (OASIS), which code scanning takes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from onnxfix import __version__
from onnxfix.records import CheckReport, Diagnostic
from onnxfix.report.commands import fixing_command
from onnxfix.report.merged import Merged, merged, notes

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ORIGIN = re.compile(r"(?P<file>.+):(?P<line>\d+) in ")
_CHECKER = Diagnostic("ONNX", "onnx-checker", "error", "The ONNX checker refuses the model")


def document(reports: Sequence[CheckReport], errors: Sequence[str]) -> dict[str, Any]:
    """One run: a result for each finding, a rule with its page for each code, notifications of bad files and notes."""
    complaints = {report.model: report.complaint for report in reports if report.complaint}
    found = [*merged(reports), *(_complaint(model, said) for model, said in complaints.items())]
    codes = {item.diagnostic.code: item.diagnostic for item in found}
    driver = {
        "name": "onnxfix",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(codes[code]) for code in sorted(codes)],
    }
    order = {code: index for index, code in enumerate(sorted(codes))}
    invocation = {
        "executionSuccessful": not errors,
        "toolExecutionNotifications": [
            *({"level": "error", "message": {"text": error}} for error in errors),
            *({"level": "note", "message": {"text": f"{model}: {note}"}} for model, note in notes(reports)),
        ],
    }
    results = [_result(item, order[item.diagnostic.code]) for item in found]
    run = {"tool": {"driver": driver}, "invocations": [invocation], "columnKind": "utf16CodeUnits", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _complaint(model: str, said: str) -> Merged:
    return Merged(model, Diagnostic(_CHECKER.code, _CHECKER.rule, "error", f"{_CHECKER.message}: {said}"), ())


def _rule(found: Diagnostic) -> dict[str, Any]:
    """The rule's own page where it is a built-in one; a finding of a rule of one's own tells what it can."""
    from onnxfix.fixpoint.catalogue import load_rules

    rule = next((rule for rule in load_rules() if rule.code == found.code), None)
    level = rule.level if rule else found.level
    summary = rule.summary if rule else found.message
    entry: dict[str, Any] = {
        "id": found.code,
        "name": "".join(word.capitalize() for word in found.rule.split("-")),
        "shortDescription": {"text": summary},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": [rule.family if rule else "own"], "problem.severity": _severity(level)},
    }
    if rule:
        why, safety = " ".join(rule.why.split()), " ".join(rule.safety.split())
        entry["fullDescription"] = {"text": why}
        entry["help"] = {"text": f"{why}\n\n{safety}", "markdown": f"{why}\n\n**The repair.** {safety}"}
    return entry


def _severity(level: str) -> str:
    return "recommendation" if level == "note" else level


def _result(item: Merged, index: int) -> dict[str, Any]:
    found = item.diagnostic
    place = "/".join(filter(None, (found.scope, found.node or found.value)))
    command = fixing_command(found, item.targets)
    repair = f" `{command}` fixes it." if command else ""
    targets = f" [{', '.join(item.targets)}]" if item.targets else ""
    result: dict[str, Any] = {
        "ruleId": found.code,
        "ruleIndex": index,
        "level": found.level,
        "message": {"text": f"{found.message}{targets}.{repair}"},
        "locations": [_location(item.model, place, found.op_type)],
        "partialFingerprints": {"onnxfix/v1": _print((item.model, found.code, place))},
        "properties": {"targets": list(item.targets), "kind": found.kind, "said": found.said, "source": found.source},
    }
    if origin := _ORIGIN.match(found.origin):
        line = {"startLine": int(origin["line"])}
        physical = {"artifactLocation": {"uri": _uri(origin["file"])}, "region": line}
        result["relatedLocations"] = [{"physicalLocation": physical, "message": {"text": found.origin}}]
    return result


def _location(model: str, place: str, op_type: str) -> dict[str, Any]:
    physical = {"artifactLocation": {"uri": _uri(model)}, "region": {"startLine": 1}}
    if not place:
        return {"physicalLocation": physical}
    logical = {"fullyQualifiedName": place, "name": place.rsplit("/", 1)[-1], "kind": "element"}
    if op_type:
        logical["decoratedName"] = f"{op_type} {place}"
    return {"physicalLocation": physical, "logicalLocations": [logical]}


def _uri(path: str) -> str:
    """A relative reference where the file lies below the working folder, as code scanning wants it."""
    relative = os.path.relpath(path) if Path(path).is_absolute() and not path.startswith("\\") else path
    inside = not relative.startswith("..")
    plain = Path(relative).as_posix() if inside else Path(path).absolute().as_posix()
    return quote(os.fsencode(plain), safe="/") if inside else f"file://{quote(os.fsencode(plain), safe='/')}"


def _print(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
