"""What others build on: the names of the package and the arguments of its functions."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

import pytest

import onnxfix

NAMES = [
    *("AppliedFix", "BugReport", "BuildOptions", "BuildReport", "Change", "Check", "CheckReport"),
    *("CompareReport", "Culprit", "Diagnostic", "DiffReport", "DoctorReport", "Engine", "ExtractReport"),
    *("InterfaceChange", "ModelFileError", "NotConverged", "OnnxfixError", "Options", "PlanReport"),
    *("RangeReport", "ReduceReport", "RepairReport", "RuleError", "RunReport", "Verdict", "Withheld"),
    *("bug_report", "build", "check", "compare", "convert_opset", "diff", "doctor", "extract", "inspect", "opsets"),
    *("reduce", "repair", "run", "watch"),
]

SIGNATURES = {
    "check": (
        "(model, *, target=None, select=(), ignore=(), rules=(), ask_target=True, ask_limit=300.0, "
        "progress=<class 'str'>)"
    ),
    "repair": (
        "(model, output=None, *, target=None, opset=None, select=(), ignore=(), unsafe_fixes=False, "
        "interface_changes=False, rules=(), verify='engine', inputs=None, freeze=None, shapes=None, "
        "dynamic_batch=False, cut='', in_place=False, external_data='auto', dry_run=False, progress=<class 'str'>)"
    ),
    "extract": "(model, output, *, inputs=(), outputs=(), around='', hops=3)",
    "reduce": (
        "(model, output, *, check='build', match='', inputs=None, timeout=300.0, repeat=1, progress=<class 'str'>)"
    ),
    "watch": "(model, inputs=None, *, timeout=600.0, progress=<class 'str'>)",
    "bug_report": (
        "(model, output, *, check='build', match='', inputs=None, weights=False, timeout=300.0, repeat=1, "
        "progress=<class 'str'>)"
    ),
    "convert_opset": "(model, opset, output=None, *, verify='numeric', external_data='auto')",
    "opsets": "(model)",
    "build": "(model, output, options=None, *, target=None, runtime_cache=None, timeout=3600.0, progress=None)",
    "inspect": "(plan)",
    "doctor": "()",
    "run": (
        "(model, inputs=None, *, output=None, iterations=0, warmup=10, cuda_graph=False, tf32=False, timeout=600.0, "
        "progress=<class 'str'>)"
    ),
    "compare": "(model, inputs=None, *, layers=False, tf32=False, timeout=600.0, progress=<class 'str'>)",
    "Engine": "(plan, flavour=None, *, device=0, cuda_graph=False)",
    "BuildOptions": (
        "(compute_capabilities=(), shapes=(), workspace=0, precision=(), tf32=False, timing_cache='', stripped=False, "
        "hardware_compatible=False, version_compatible=False, described=False, strongly_typed=False)"
    ),
    "Options": (
        "(target=None, opset=None, select=(), ignore=(), unsafe_fixes=False, interface_changes=False, rule_folders=(), "
        "request=Request(freeze={}, shapes={}, dynamic_batch=False, cut='', recorded={}, has_recording=False), "
        "taken_back=frozenset())"
    ),
}

FIELDS = {
    "Diagnostic": [
        *("code", "rule", "level", "message", "scope", "node", "op_type", "value", "fix", "kind", "said", "source"),
        "origin",
    ],
    "AppliedFix": [
        *("code", "rule", "applicability", "message", "round", "scope", "node", "before", "after", "renamed"),
    ],
    "BuildReport": ["model", "library", "result", "errors", "output", "sidecar", "notes"],
    "PlanReport": [
        *("plan", "bytes", "library", "compute_capabilities", "obstacle", "tensors", "layers_from", "layers"),
        *("device_memory", "weights", "sidecar", "notes"),
    ],
    "DoctorReport": ["findings", "summary"],
    "RunReport": [
        *(
            "model",
            "library",
            "outcome",
            "device",
            "seeded",
            "inputs",
            "outputs",
            "timing",
            "output",
            "notes",
            "reason",
        ),
    ],
    "CompareReport": [
        *(
            "model",
            "library",
            "outcome",
            "reason",
            "advice",
            "device",
            "oracle",
            "tf32",
            "outputs",
            "layers",
            "skipped",
        ),
        "notes",
    ],
    "Change": ["kind", "subject", "message", "scope", "before", "after", "old", "new", "rule", "details"],
    "DiffReport": ["before", "after", "changes", "nodes", "matched", "numbers", "seconds"],
    "InterfaceChange": ["kind", "name", "before", "after"],
    "Withheld": ["diagnostic", "reason"],
    "Culprit": ["code", "rule", "scope", "node", "difference", "example"],
    "ExtractReport": ["model", "output", "nodes", "inputs", "outputs", "complaint"],
    "ReduceReport": [
        *(
            "model",
            "check",
            "failure",
            "before",
            "nodes",
            "checks",
            "recalled",
            "output",
            "origin",
            "inputs",
            "seconds",
            "complaint",
            "figures",
        ),
    ],
    "RangeReport": ["model", "seeded", "watch"],
    "BugReport": [
        *("model", "output", "doctor", "check", "library", "errors", "reduced", "nodes", "notes", "asked", "failure"),
        *("figures", "before", "origin", "reduced_failure", "reduced_figures", "files", "commands"),
    ],
    "Check": ["kind", "outcome", "reason", "details"],
    "Verdict": ["checks"],
    "CheckReport": [
        *("model", "target", "summary", "diagnostics", "complaint", "target_name", "state", "asked", "notes"),
    ],
    "RepairReport": [
        *("model", "target", "before", "after", "fixes", "remaining", "withheld", "verdict", "output", "unwritten"),
        *("notes", "seconds", "interface", "rest", "culprits"),
    ],
}


def test_names() -> None:
    assert onnxfix.__all__ == NAMES
    assert all(hasattr(onnxfix, name) for name in NAMES)
    with pytest.raises(AttributeError, match="module 'onnxfix' has no attribute 'fix'"):
        _ = onnxfix.fix


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    signature = inspect.signature(getattr(onnxfix, name))
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    assert str(inspect.Signature(bare)) == SIGNATURES[name]


@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_records(name: str) -> None:
    assert [field.name for field in dataclasses.fields(getattr(onnxfix, name))] == FIELDS[name]


def test_errors_are_one_family() -> None:
    for name in ("ModelFileError", "NotConverged", "RuleError"):
        assert issubclass(getattr(onnxfix, name), onnxfix.OnnxfixError)


def test_importing_costs_nothing() -> None:
    code = "import sys, onnxfix; print([name for name in ('onnx', 'numpy', 'onnxruntime') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
