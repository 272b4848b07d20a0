"""`reduce --check numeric` with a GPU: operators that an engine computes otherwise than the model (docs/gpu.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

import onnxfix
from onnxfix.cli.app import main
from onnxfix.verify.engine_run import compare_engine

Save = Callable[[str], Path]
PLANTED = {
    "Trilu": """g (float[6,8] x) => (float[6,8] y, float[6,8] z) { a = Abs(x) b = Exp(a) c = Add(b, a)
      [wrong] t = Trilu(c) d = Relu(t) e = Add(d, a) y = Neg(e) z = Sigmoid(b) }""",
    "RNN": """g (float[3,1,2] x) => (float[3,1,1,4] y) <float[1,4,2] w = {%s}, float[1,4,4] r = {%s}>
    { a = Abs(x) b = Exp(a) [wrong] t = RNN <hidden_size = 4, layout = 1>(b, w, r) d = Relu(t) y = Neg(d) }""",
    "MaxPool": """<ir_version: 10, opset_import: ["" : 22]>
    g (float[1,1,2,2] x) => (float[1,1,N,M] y) { a = Abs(x) b = Exp(a)
      [wrong] y = MaxPool<kernel_shape = [1,1], strides = [2,2], ceil_mode = 1>(b) }""",
}
PLANTED["RNN"] %= ", ".join("0.1" for _ in range(8)), ", ".join(str((n % 5 - 2) / 10) for n in range(16))


@pytest.mark.parametrize("operator", list(PLANTED))
def test_the_node_that_the_engine_computes_wrongly(operator: str, model: Save, tmp_path: Path) -> None:
    path = model(PLANTED[operator])
    found = compare_engine(path)
    if found.build.built and not found.wrong:
        pytest.skip(f"{found.build.flavour.title} computes {operator} as ONNX says")
    assert found.build.built, found.build.errors
    report = onnxfix.reduce(path, tmp_path / "small.onnx", check="numeric")
    print(f"{operator}: {report.before} nodes -> {report.nodes}, {report.checks} checks: {report.failure}")
    assert [item.op_type for item in report.origin] == [operator]
    assert report.failure.startswith("output 'y': ")
    assert compare_engine(tmp_path / "small.onnx").wrong
    onnx.checker.check_model(onnx.load(tmp_path / "small.onnx"), full_check=True)


def test_an_engine_that_is_right_gives_nothing_to_reduce(
    model: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = model("g (float[6,8] x) => (float[6,8] y) { a = Abs(x) t = Trilu<upper = 1>(a) y = Neg(t) }")
    assert main(["reduce", str(path), "--check", "numeric", "-o", str(tmp_path / "small.onnx")]) == 2
    assert "does not fail the check `numeric`" in capsys.readouterr().err


def test_repair_and_reduce_agree(model: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `repair` writes in place of the planted node gives `reduce` nothing to find any more."""
    path = model(PLANTED["Trilu"])
    assert main(["repair", str(path), "-o", str(tmp_path / "good.onnx"), "--format", "json"]) == 0
    assert "OFX731" in {fix["code"] for fix in json.loads(capsys.readouterr().out)["fixes"]}
    assert not compare_engine(tmp_path / "good.onnx").wrong
