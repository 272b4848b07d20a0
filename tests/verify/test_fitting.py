"""Models whose free sizes few sizes fit: asked of the builder with those, and the sizes told."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxfix
from onnxfix.engine import EngineError, EngineResult, Flavour, InputRange, build
from onnxfix.engine.options import BuildOptions
from onnxfix.model import load
from onnxfix.report.console import check_lines
from onnxfix.verify.fitting import build_fitting, for_these_only, on_sizes
from onnxfix.verify.fitting_sizes import fitting_sizes
from onnxfix.verify.inputs import input_specs

HEAD = '<ir_version: 10, opset_import: ["" : 24]>\n'
RTX = Flavour("tensorrt_rtx", "1.7.1.116")
rtx = pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="needs TensorRT-RTX")
FITTING = {
    "shape": ("g (float[2,3,4] x, int64[2] s) => (float[6,4] y) { y = Reshape (x, s) }", "s = [6, 4]"),
    "free-shape": ("g (float[2,3,4] x, int64[2] s) => (float[a,b] y) { y = Reshape (x, s) }", "s = [1, -1]"),
    "empty": (
        "g (float[0,3] x, int64[2] s) => (float[3,0] y) { y = Reshape <allowzero = 1> (x, s) }",
        "s = [3, 0]",
    ),
    "axis": ("g (float[5] x, int64 a) => (float[5] y) { y = CumSum (x, a) }", "a = 0"),
    "axes": ("g (float[3,4] x, int64[4] p, int64[2] a) => (float[b,c] y) { y = Pad (x, p, , a) }", ""),
    "bounds": (
        "g (float[3,4] x, int64[2] s, int64[2] e, int64[2] a) => (float[b,c] y) { y = Slice (x, s, e, a) }",
        "s = [0, 0], e = [2, 2], a = [0, 1]",
    ),
    "no-parts": ("g (float[0] x, int64[2] s) => (float[a] y, float[b] z) { y, z = Split (x, s) }", "s = [0, 0]"),
    "one-batch": ("g (float[N,3] x) => (float[N,3] y) { y = Hardmax <axis = 0> (x) }", "x of 1x3"),
    "rows-of-keys": (
        "g (float16[1,8,32,64] q, float16[1,8,L,64] k, float16[1,8,32,64] v) => (float16[a,b,c,d] y) "
        "{ y = Attention (q, k, v) }",
        "k of 1x8x32x64",
    ),
    "keys-as-values": (
        "g (float16[2,4,3,d] q, float16[n,h,t,d] k, float16[n,h,5,d] v) => (float16[e,f,i,j] y) "
        "{ y = Attention (q, k, v) }",
        "k of 2x4x5x",
    ),
    "inner": ("g (float[1,1,2,N] x, float[1,1,5,3] w) => (float[1,1,2,3] y) { y = MatMul (x, w) }", "x of 1x1x2x5"),
}
"""A model that the builder refuses for all sizes that are made up, and what it is built for."""


def saved(folder: Path, text: str) -> Path:
    onnx.save(onnx.parser.parse_model(HEAD + text), folder / "m.onnx")
    return folder / "m.onnx"


@rtx
@pytest.mark.parametrize("name", FITTING)
def test_sizes_that_fit(name: str, tmp_path: Path) -> None:
    text, only = FITTING[name]
    path = saved(tmp_path, text)
    assert not build(path, "tensorrt_rtx", "8.9").built
    result = build_fitting(path, "tensorrt_rtx", "8.9")
    assert result.built
    assert only in for_these_only(result.profile)


@rtx
def test_what_the_caller_says_counts(tmp_path: Path) -> None:
    path = saved(tmp_path, FITTING["axis"][0])
    wrong = {"x": np.zeros(5, np.float32), "a": np.array(7)}
    assert not build_fitting(path, "tensorrt_rtx", "8.9", sample=wrong).built
    options = BuildOptions(shapes=(("a", ((7,), (7,), (7,))),), compute_capabilities=("8.9",))
    assert not build_fitting(path, "tensorrt_rtx", options=options).built


@rtx
def test_a_refusal_for_another_reason_stays(tmp_path: Path) -> None:
    path = saved(tmp_path, "g (float[N,3] x, int64 k) => (float[N,3] y) { y = CumSum (x, k) z = Foo (x) }")
    first, result = (make(path, "tensorrt_rtx", "8.9") for make in (build, build_fitting))
    assert not result.built and result.errors == first.errors


def test_sizes_come_from_alike_inputs_and_weights(tmp_path: Path) -> None:
    text = (
        "g (float[B,N,4] x, float[2,7,4] z, float[B,K] u) => (float[2,7,3] y) "
        "<float[4,3] w = {1,2,3,4,5,6,7,8,9,1,2,3}> { a = Add (x, z) y = MatMul (a, w) c = MatMul (u, w) }"
    )
    model = load(saved(tmp_path, text))
    profile = (InputRange("x", (1, 1, 4), (1, 64, 4), (4, 256, 4)), InputRange("u", (1, 1), (1, 64), (4, 256)))
    assert fitting_sizes(model, input_specs(model), profile) == {"B": 2, "N": 7, "K": 4}


def test_the_sizes_are_told() -> None:
    axis, data = InputRange("a", (0,), (0,), (0,), values=True), InputRange("x", (1, 3), (1, 3), (4, 3))
    built = EngineResult("built", RTX, profile=(axis, data))
    assert for_these_only(built.profile) == "a = 0"
    assert "built for a = 0 only" in on_sizes(built) and "--shapes a=..." in on_sizes(built)
    assert on_sizes(EngineResult("built", RTX, profile=(data,))) == ""
    sizes = EngineError("BUILDER", "dimensions must be conformable In op at /_src/shape/x.cpp:7", stage="build")
    said = on_sizes(EngineResult("build_failed", RTX, errors=(sizes,), profile=(axis, data)))
    assert "a = 0, x of 1x3 to 4x3" in said and "--freeze a=... --shape x=..." in said
    other = EngineError("BUILDER", "no kernel In op at /_src/shape/x.cpp:7", stage="build")
    assert on_sizes(EngineResult("build_failed", RTX, errors=(other,), profile=(axis, data))) == ""


@rtx
def test_a_repair_comes_first(tmp_path: Path) -> None:
    """CumSum is written out for every axis rather than built for one; what nothing mends is built for what fits."""
    path = saved(tmp_path, FITTING["axis"][0])
    assert onnxfix.check(path, target="rtx1.7").state == "repairable"
    report = onnxfix.repair(path, tmp_path / "out.onnx", target="rtx1.7")
    assert report.verdict.outcome == "passed" and report.fixes
    path = saved(tmp_path, FITTING["bounds"][0])
    report = onnxfix.repair(path, tmp_path / "out.onnx", target="rtx1.7")
    engine = report.verdict.of("engine")
    assert engine is not None and engine.outcome == "passed" and not report.fixes and not report.exit_code
    assert "with s = [0, 0], e = [2, 2], a = [0, 1] only" in engine.reason


@rtx
def test_a_repaired_model_is_asked_for_sizes_that_fit_too(tmp_path: Path) -> None:
    path = saved(tmp_path, "g (float[3,4] x, int64[n] s) => (float[a,b] y) { y = Reshape (x, s) }")
    assert onnxfix.check(path, target="rtx1.7").state == "repairable"
    report = onnxfix.repair(path, tmp_path / "out.onnx", target="rtx1.7")
    engine = report.verdict.of("engine")
    assert engine is not None and "with s = [1, -1] only" in engine.reason
    assert [fix.code for fix in report.fixes] == ["OFX414"] and not report.exit_code


@rtx
def test_check_tells_what_its_verdict_rests_on(tmp_path: Path) -> None:
    report = onnxfix.check(saved(tmp_path, FITTING["bounds"][0]), target="rtx1.7")
    assert report.state == "ready" and report.asked
    shown = "\n".join(
        "".join(part if isinstance(part, str) else part[0] for part in line) for line in check_lines(report)
    )
    assert "sizes chosen by onnxfix: it was built for s = [0, 0], e = [2, 2], a = [0, 1] only" in shown
    assert "no GPU here" not in shown
