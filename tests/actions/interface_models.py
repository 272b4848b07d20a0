"""What the tests of interface changes share: a model from text, repaired on request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnxruntime

import onnxfix
from onnxfix.records import RepairReport

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'


def model(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(text if text.startswith("<") else HEAD + text)


def repaired(text: str, folder: Path, **asked: Any) -> RepairReport:
    onnx.save(model(text), folder / "m.onnx")
    return onnxfix.repair(folder / "m.onnx", folder / "out.onnx", target="rtx1.7", verify="numeric", **asked)


def changes(report: RepairReport) -> list[tuple[str, str, str, str]]:
    return [(change.kind, change.name, change.before, change.after) for change in report.interface]


def run(path: Path, **feeds: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))
