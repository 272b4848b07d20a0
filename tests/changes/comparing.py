"""Models as a few lines of ONNX text, and their comparison in short."""

from __future__ import annotations

import onnx

from onnxfix.changes.models import compare_models
from onnxfix.changes.records import Change, DiffReport
from onnxfix.model import load

HEAD = '<ir_version: 8, opset_import: ["" : 17, "my" : 1]>'


def model(nodes: str, *, inputs: str = "float[4] x", outputs: str = "float[4] y", stored: str = "") -> onnx.ModelProto:
    """A model of one graph; functions may follow the nodes, after "}"."""
    closed = nodes if "}" in nodes and "<domain" in nodes else nodes + " }"
    return onnx.parser.parse_model(f"{HEAD} g ({inputs}) => ({outputs}) {stored} {{ {closed}")


def report(one: onnx.ModelProto, two: onnx.ModelProto, *ignore: str, placement: bool = False) -> DiffReport:
    """The report on two models."""
    return compare_models(load(one), load(two), ignore if placement else (*ignore, "initializer-placement"))


def changes(one: onnx.ModelProto, two: onnx.ModelProto, *ignore: str, placement: bool = False) -> list[Change]:
    """The changes from one model to the other."""
    return list(report(one, two, *ignore, placement=placement).changes)


def told(one: onnx.ModelProto, two: onnx.ModelProto, *ignore: str, placement: bool = False) -> list[tuple[str, str]]:
    """(kind, message) of every change."""
    return [(change.kind, change.message) for change in changes(one, two, *ignore, placement=placement)]
