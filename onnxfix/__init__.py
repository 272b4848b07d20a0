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
    from onnxfix.api.bugpage import BugReport
    from onnxfix.api.bugreport import bug_report
    from onnxfix.api.check import check
    from onnxfix.api.compare import compare
    from onnxfix.api.cutting import ExtractReport, ReduceReport, extract, reduce
    from onnxfix.api.diff import diff
    from onnxfix.api.doctor import DoctorReport, doctor
    from onnxfix.api.engines import BuildOptions, build, inspect
    from onnxfix.api.repair import convert_opset, opsets, repair
    from onnxfix.api.run import run
    from onnxfix.api.watch import RangeReport, watch
    from onnxfix.changes.records import Change, DiffReport
    from onnxfix.engine.execute import Engine
    from onnxfix.engine_records import BuildReport, CompareReport, PlanReport, RunReport
    from onnxfix.errors import ModelFileError, NotConverged, OnnxfixError, RuleError
    from onnxfix.fixpoint.options import Options
    from onnxfix.records import (
        AppliedFix,
        Check,
        CheckReport,
        Culprit,
        Diagnostic,
        InterfaceChange,
        RepairReport,
        Verdict,
        Withheld,
    )

__version__ = "0.1.0"

_HOME = {
    **dict.fromkeys(("convert_opset", "opsets", "repair"), "onnxfix.api.repair"),
    "Options": "onnxfix.fixpoint.options",
    "check": "onnxfix.api.check",
    **dict.fromkeys(("BuildReport", "PlanReport"), "onnxfix.engine_records"),
    **dict.fromkeys(("BuildOptions", "build", "inspect"), "onnxfix.api.engines"),
    **dict.fromkeys(("CompareReport", "RunReport"), "onnxfix.engine_records"),
    "Engine": "onnxfix.engine.execute",
    "compare": "onnxfix.api.compare",
    "diff": "onnxfix.api.diff",
    **dict.fromkeys(("ExtractReport", "ReduceReport", "extract", "reduce"), "onnxfix.api.cutting"),
    "BugReport": "onnxfix.api.bugpage",
    "bug_report": "onnxfix.api.bugreport",
    **dict.fromkeys(("RangeReport", "watch"), "onnxfix.api.watch"),
    "Culprit": "onnxfix.records",
    **dict.fromkeys(("Change", "DiffReport"), "onnxfix.changes.records"),
    "run": "onnxfix.api.run",
    **dict.fromkeys(("DoctorReport", "doctor"), "onnxfix.api.doctor"),
    **dict.fromkeys(("ModelFileError", "NotConverged", "OnnxfixError", "RuleError"), "onnxfix.errors"),
    **dict.fromkeys(("AppliedFix", "Check", "CheckReport", "Diagnostic", "InterfaceChange"), "onnxfix.records"),
    **dict.fromkeys(("RepairReport", "Verdict", "Withheld"), "onnxfix.records"),
}

__all__ = [
    "AppliedFix",
    "BugReport",
    "BuildOptions",
    "BuildReport",
    "Change",
    "Check",
    "CheckReport",
    "CompareReport",
    "Culprit",
    "Diagnostic",
    "DiffReport",
    "DoctorReport",
    "Engine",
    "ExtractReport",
    "InterfaceChange",
    "ModelFileError",
    "NotConverged",
    "OnnxfixError",
    "Options",
    "PlanReport",
    "RangeReport",
    "ReduceReport",
    "RepairReport",
    "RuleError",
    "RunReport",
    "Verdict",
    "Withheld",
    "bug_report",
    "build",
    "check",
    "compare",
    "convert_opset",
    "diff",
    "doctor",
    "extract",
    "inspect",
    "opsets",
    "reduce",
    "repair",
    "run",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'onnxfix' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
