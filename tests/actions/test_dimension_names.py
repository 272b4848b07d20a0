"""Dimension names that say too much, Squeeze and Reshape of unknown sizes, and long names inside loops."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxfix
from onnxfix import engine

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
rtx = pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="needs TensorRT-RTX")


def saved(text: str, folder: Path) -> Path:
    path = folder / "m.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + text), path)
    return path


def dims(path: Path, number: int = 0) -> list[int | str]:
    shape = onnx.load(path).graph.input[number].type.tensor_type.shape
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in shape.dim]


@pytest.mark.parametrize("name", ["?", "-1", "None", "unknown"])
def test_placeholders_are_no_names(name: str, tmp_path: Path) -> None:
    values = [onnx.helper.make_tensor_value_info(n, 1, [name, 3, name]) for n in ("x", "y")]
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", values[:1], values[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    report = onnxfix.repair(path, tmp_path / "out.onnx", target="rtx1.7", verify="numeric")
    assert [fix.rule for fix in report.fixes] == ["shared-dimension-name"]
    assert report.verdict.outcome == "passed"
    assert dims(tmp_path / "out.onnx") == ["", 3, ""]


@pytest.mark.parametrize(("group", "weights"), [(1, "1,4,1"), (2, "2,2,1"), (4, "4,1,1")])
def test_channels_that_the_weights_fix(group: int, weights: str, tmp_path: Path) -> None:
    values = ",".join("1" for _ in range(4))
    text = f"""g (float[N,N,L] x) => (float[N,C,L] y) <float[{weights}] w = {{{values}}}>
    {{ y = Conv <group = {group}> (x, w) }}"""
    report = onnxfix.repair(saved(text, tmp_path), tmp_path / "out.onnx", target="rtx1.7", verify="numeric")
    assert report.verdict.outcome == "passed", [check.reason for check in report.verdict.checks]
    assert dims(tmp_path / "out.onnx") == ["N", 4, "L"]


def test_names_that_are_shared_for_a_reason_stay(tmp_path: Path) -> None:
    text = "g (float[N,3,L] x, float[N,3,L] z) => (float[N,3,L] y) { y = Add(x, z) }"
    assert not onnxfix.repair(saved(text, tmp_path), target="rtx1.7", verify="none", dry_run=True).fixes


SQUEEZE = "g (float[N,1,4] x) => (float[N,4] y) { y = Squeeze(x) }"


@rtx
def test_squeeze_without_axes(tmp_path: Path) -> None:
    """A size of 1 that is free is squeezed too, so the repair is proven on recorded inputs only."""
    path = saved(SQUEEZE, tmp_path)
    held = onnxfix.repair(path, tmp_path / "held.onnx", target="rtx1.7")
    reasons = {item.diagnostic.rule: item.reason for item in held.withheld}
    assert reasons["squeeze-without-axes"] == "unsafe: pass --unsafe-fixes to apply it"
    assert onnxfix.repair(path, tmp_path / "no.onnx", target="rtx1.7", unsafe_fixes=True).verdict.outcome == "failed"
    np.savez(tmp_path / "in.npz", x=np.ones((3, 1, 4), np.float32))
    arguments = {"target": "rtx1.7", "inputs": tmp_path / "in.npz"}
    assert engine.build(path, "tensorrt_rtx", "8.9").outcome == "build_failed"
    fixed = onnxfix.repair(path, tmp_path / "f.onnx", target="rtx1.7", shapes={"x": (3, 1, 4)})
    assert fixed.verdict.outcome == "passed"
    assert onnxfix.repair(path, tmp_path / "out.onnx", **arguments).verdict.outcome == "passed"  # type: ignore[arg-type]


@rtx
@pytest.mark.parametrize("shape", ["0, -1", "0, 3, -1", "0, -1, 2", "-1"])
def test_reshapes_of_nothing(shape: str, tmp_path: Path) -> None:
    """ONNX Runtime refuses the -1 as TensorRT does; what it must be is told by the sizes that are not 0."""
    count = shape.count(",") + 1
    out = ",".join("abc"[:count])
    text = f"g (float[0,3,4] x) => (float[{out}] y) <int64[{count}] s = {{{shape}}}> {{ y = Reshape(x, s) }}"
    path = saved(text, tmp_path)
    if engine.build(path, "tensorrt_rtx", "8.9").built:
        assert "0" not in shape.split(", ")
        return
    report = onnxfix.repair(path, tmp_path / "out.onnx", target="rtx1.7", dry_run=True)
    engine_check = report.verdict.of("engine")
    assert [fix.rule for fix in report.fixes if fix.code != "OFX102"] == ["empty-reshape"]
    assert engine_check is not None
    assert engine_check.outcome == "passed"


@rtx
def test_a_long_name_inside_a_loop(tmp_path: Path) -> None:
    name = "v" * 4200
    text = f"""g (float[3] x) => (float[3] y) <bool t = {{1}}, int64 M = {{2}}>
    {{ y = Loop(M, t, x) <body = b (int64 i, bool c, float[3] {name}) => (bool d, float[3] w) {{
        d = Identity(c) w = Add({name}, {name}) }}> }}"""
    path = saved(text, tmp_path)
    assert not engine.build(path, "tensorrt_rtx", "8.9").built
    report = onnxfix.repair(path, tmp_path / "out.onnx", target="rtx1.7")
    assert [fix.rule for fix in report.fixes] == ["long-name"]
    assert report.verdict.outcome == "passed"


@rtx
def test_a_long_name_of_a_dimension(tmp_path: Path) -> None:
    name = "d" * 4200
    path = saved(f"g (float[{name},3] x) => (float[{name},3] y) {{ y = Relu(x) }}", tmp_path)
    assert not engine.build(path, "tensorrt_rtx", "8.9").built
    report = onnxfix.repair(path, tmp_path / "out.onnx", target="rtx1.7")
    assert [fix.rule for fix in report.fixes] == ["long-name"]
    assert report.verdict.outcome == "passed"
    (batch, _) = dims(tmp_path / "out.onnx")
    assert len(str(batch)) == 64
    assert onnx.load(tmp_path / "out.onnx").graph.output[0].type.tensor_type.shape.dim[0].dim_param == batch
