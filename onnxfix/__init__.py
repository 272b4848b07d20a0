"""onnxfix repairs ONNX models that TensorRT refuses, and proves the repair by numbers.

    import onnxfix
    report = onnxfix.repair("yolov3.onnx", "yolov3.fixed.onnx")
    print(report.verdict.outcome)

The public names load on first use, so that `import onnxfix` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxfix.api import Options, check, convert_opset, opsets, repair
    from onnxfix.errors import ModelFileError, NotConverged, OnnxfixError, RuleError
    from onnxfix.records import AppliedFix, Check, CheckReport, Diagnostic, RepairReport, Verdict, Withheld

__version__ = "0.1.0"

_HOME = {
    **dict.fromkeys(("Options", "check", "convert_opset", "opsets", "repair"), "onnxfix.api"),
    **dict.fromkeys(("ModelFileError", "NotConverged", "OnnxfixError", "RuleError"), "onnxfix.errors"),
    **dict.fromkeys(
        ("AppliedFix", "Check", "CheckReport", "Diagnostic", "RepairReport", "Verdict", "Withheld"), "onnxfix.records"
    ),
}

__all__ = [
    "AppliedFix",
    "Check",
    "CheckReport",
    "Diagnostic",
    "ModelFileError",
    "NotConverged",
    "OnnxfixError",
    "Options",
    "RepairReport",
    "RuleError",
    "Verdict",
    "Withheld",
    "check",
    "convert_opset",
    "opsets",
    "repair",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'onnxfix' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
