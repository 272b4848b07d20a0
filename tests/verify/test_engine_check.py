from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from onnxfix.engine import Flavour
from onnxfix.targets import resolve, target_of_version
from onnxfix.verify import engine as engine_check
from onnxfix.verify.engine import verify_engine

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
RELU = "g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }"


def saved(folder: Path, text: str) -> Path:
    onnx.save(onnx.parser.parse_model(HEAD + text), folder / "m.onnx")
    return folder / "m.onnx"


def rtx() -> Flavour:
    return next(flavour for flavour in engine_check.engine.installed() if flavour.name == "tensorrt_rtx")


def test_engine_that_builds(tmp_path: Path) -> None:
    check = verify_engine(saved(tmp_path, RELU), target_of_version("rtx", rtx().version))
    assert (check.kind, check.outcome) == ("engine", "passed")
    assert check.reason.startswith(f"{rtx().title} built it")
    assert check.reason.endswith("not run")
    assert check.details["plan_bytes"] > 0


def test_refusal_names_node_and_cause(tmp_path: Path) -> None:
    check = verify_engine(saved(tmp_path, "g (float[3] x) => (float[3] y) { y = Foo(x) }"))
    assert check.outcome == "failed"
    assert check.reason.startswith(f"{rtx().title} refuses it: Foo: ")
    assert "neither importer nor plugin" in check.reason


def test_another_release_proves_nothing(tmp_path: Path) -> None:
    check = verify_engine(saved(tmp_path, RELU), resolve("trt8.6"))
    assert check.outcome == "not_verified"
    assert check.reason.startswith(f"TensorRT 8.6 is not installed; {rtx().title} built it")


def test_device_of_another_release_does_not_stop_the_build(tmp_path: Path) -> None:
    check = verify_engine(saved(tmp_path, RELU), resolve("jetson-agx-orin"))
    assert check.outcome == "not_verified"
    assert f"is not installed; {rtx().title} built it" in check.reason


def test_capability_that_the_library_lacks_is_not_verified(tmp_path: Path) -> None:
    target = target_of_version("rtx", rtx().version)
    assert target is not None
    check = verify_engine(saved(tmp_path, RELU), replace(target, compute_capability="70"))
    assert check.outcome == "not_verified"
    assert "cannot build for compute capability '70' (it can for 7.5" in check.reason


def test_without_any_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_check.engine, "installed", list)
    check = verify_engine(saved(tmp_path, RELU))
    assert (check.outcome, check.reason) == (
        "not_verified",
        "no TensorRT is installed (pip install 'onnxfix[rtx]')",
    )
