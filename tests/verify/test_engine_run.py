"""Engine against model: what is said of it. On a CPU the engine's part is played by ONNX Runtime, or by nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from onnxfix import sandbox
from onnxfix.engine import Flavour, InputRange, run
from onnxfix.engine.cuda import ExecutionFailed
from onnxfix.engine.run import Execution, run_plan
from onnxfix.errors import OnnxfixError
from onnxfix.model import load
from onnxfix.verify import engine_run
from onnxfix.verify.baseline import choices_for
from onnxfix.verify.engine import verify_engine
from onnxfix.verify.engine_run import coarsest_type, compare_engine
from tests.played_engine import Change, play

HEAD = '<ir_version: 10, opset_import: ["" : 19]>\n'
TWO = "g (float[N,4] x, int64[N] i) => (float[N,4] y, int64[N] k) { y = Relu(x)  k = Neg(i) }"
RTX = Flavour("tensorrt_rtx", "9")


@pytest.fixture
def path(tmp_path: Path) -> Callable[[str], Path]:
    def save(text: str) -> Path:
        onnx.save(onnx.parser.parse_model(text if text.startswith("<") else HEAD + text), tmp_path / "m.onnx")
        return tmp_path / "m.onnx"

    return save


@pytest.fixture
def played(path: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A machine with a GPU whose engines give what ONNX Runtime gives, changed by a function."""

    def make(text: str, change: Change, outcome: str = "ran") -> Path:
        play(monkeypatch, change, outcome)
        return path(text)

    return make


def test_equal_engine(played: Any) -> None:
    found = compare_engine(played(TWO, lambda outputs: outputs))
    assert (found.unproven, found.failure, found.wrong, found.max_abs) == ("", "", (), 0.0)
    assert [item.name for item in found.differences] == ["y", "k"]
    assert (found.oracle, found.device) == ("ONNX Runtime", "a GPU")
    assert found.inputs["x"].shape == (1, 4)


@pytest.mark.parametrize(
    ("change", "outcome", "verdict", "words"),
    [
        (dict, "ran", "passed", "built and run on a GPU: equal to ONNX Runtime (max |diff| 0)"),
        (
            lambda outputs: {**outputs, "y": outputs["y"] + 1},
            "ran",
            "failed",
            "built, but computes something else: output 'y': 4 of 4 elements are off, the worst by 1",
        ),
        (lambda outputs: {"y": outputs["y"]}, "ran", "failed", "does not run on a GPU: the engine has no output 'k'"),
        (dict, "crashed", "failed", "built, but does not run on a GPU: it broke"),
        (dict, "failed", "failed", "built, but does not run on a GPU: it broke"),
        (dict, "timeout", "failed", "built, but does not run on a GPU: it broke"),
    ],
)
def test_verdicts(
    change: Change, outcome: str, verdict: str, words: str, played: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = played(TWO, change, outcome)
    real = engine_run.engine.build
    monkeypatch.setattr(engine_run.engine, "build", lambda *a, **k: replace(real(*a, **k), gpu=True))
    check = verify_engine(file)
    assert check.outcome == verdict
    assert check.reason.endswith(words)
    assert "network" not in check.details
    assert check.details["run"]["device"] == "a GPU"


def test_without_a_gpu_the_engine_is_built_only(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_run, "why_not", lambda: "no device")
    found = compare_engine(path(TWO))
    assert found.build.built
    assert (found.unproven, found.differences) == ("no device", ())


def test_missing_pycuda_is_said(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "gpu_present", lambda: True)
    monkeypatch.setattr(run.cuda, "installed", lambda: False)
    assert run.why_not() == "PyCUDA is not installed (pip install 'onnxfix[gpu]')"
    monkeypatch.setattr(engine_run, "why_not", run.why_not)
    real = engine_run.engine.build
    monkeypatch.setattr(engine_run.engine, "build", lambda *a, **k: replace(real(*a, **k), gpu=True))
    check = verify_engine(path(TWO))
    assert check.outcome == "passed"
    assert check.reason.endswith("built, not run: PyCUDA is not installed (pip install 'onnxfix[gpu]')")


def test_full_gpu_proves_nothing(played: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = played(TWO, dict)

    def full(*_: object, **__: object) -> Execution:
        raise OnnxfixError("the GPU has not enough memory: 2 GB more needed")

    monkeypatch.setattr(engine_run, "run_plan", full)
    found = compare_engine(file)
    assert (found.failure, found.wrong) == ("", ())
    assert found.unproven.startswith("the GPU has not enough memory")


def test_random_outputs_are_not_compared(played: Any) -> None:
    text = "g (float[4] x) => (float[4] y, float[4] r) { y = Relu(x)  r = RandomNormalLike(x) }"
    found = compare_engine(played(text, lambda outputs: outputs))
    if not found.build.built:
        pytest.skip("this release has no random operators")
    assert [item.name for item in found.differences] == ["y"]
    assert found.notes == ("random outputs are not compared: r",)


def test_inputs_fit_the_profile(path: Any) -> None:
    text = "g (float[N,3,H,W] x, int64[2] s) => (float[A,B] y, float[N,3,H,W] z) { z = Relu(x)  y = Reshape(x, s) }"
    profile = (
        InputRange("x", (1, 3, 8, 8), (2, 3, 16, 24), (4, 3, 64, 64)),
        InputRange("s", (1, 1), (6, 384), (9, 9), values=True),
    )
    choices = choices_for(load(path(text)), profile)
    assert [(item["x"].shape, item["s"].tolist()) for item in choices] == [
        ((2, 3, 16, 24), [6, 384]),
        ((1, 3, 8, 8), [1, 1]),
    ] * 2


@pytest.mark.parametrize(
    ("text", "coarsest"),
    [
        ("g (float[3] x) => (float[3] y) { y = Relu(x) }", "float32"),
        ("g (float[3] x) => (float[3] y) { h = Cast<to = 10>(x)  z = Relu(h)  y = Cast<to = 1>(z) }", "float16"),
        ("g (bfloat16[3] x) => (bfloat16[3] y) { y = Relu(x) }", "bfloat16"),
        ("g (int64[3] x) => (int64[3] y) { y = Neg(x) }", ""),
        (
            "g (float[3] x) => (float[3] y) <float s = {0.1}, int8 z = {0}>"
            "{ q = QuantizeLinear(x, s, z)  y = DequantizeLinear(q, s, z) }",
            "bfloat16",
        ),
    ],
)
def test_coarsest_type_inside_a_model(text: str, coarsest: str, path: Any) -> None:
    assert coarsest_type(load(path(text))) == coarsest


class Broken:
    """A sandbox that fails."""

    def __init__(self, failure: Exception) -> None:
        self.failure, self.closed = failure, 0

    def call(self, *_: object, **__: object) -> None:
        raise self.failure

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("failure", "outcome", "words"),
    [
        (sandbox.SandboxCrash("f", "SIGSEGV"), "crashed", "TensorRT-RTX 9 crashed while running the engine (SIGSEGV)"),
        (sandbox.SandboxTimeout("f", 3), "timeout", "TensorRT-RTX 9 ran longer than 3 s"),
        (ExecutionFailed("CUDA stopped: illegal address"), "failed", "CUDA stopped: illegal address"),
    ],
)
def test_crash_is_an_outcome(
    failure: Exception, outcome: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Broken(failure)
    monkeypatch.setattr(run, "choose", lambda _: RTX)
    done = run_plan(tmp_path / "m.plan", {"x": np.ones(1)}, timeout=3, box=box)  # type: ignore[arg-type]
    assert (done.outcome, done.reason) == (outcome, words)
    assert box.closed == (outcome == "failed"), "after an error of CUDA nothing works in that process"
