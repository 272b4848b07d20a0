"""run, compare and the engine check of repair, with a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from onnxfix.cli.app import main
from onnxfix.engine import build
from onnxfix.verify import engine_run
from onnxfix.verify.engine import verify_engine
from onnxfix.verify.engine_run import compare_engine

Save = Callable[[str], Path]
NET = """g (float[N,3,8,8] x) => (float[N,4,8,8] y, int64[N,1,8,8] best)
<float[4,3,3,3] w = {%s}>
{ a = Conv<pads = [1,1,1,1]>(x, w)  b = Relu(a)  y = Sigmoid(b)  best = ArgMax<axis = 1>(a) }"""
NET %= ",".join(str(((i * 7) % 11 - 5) / 10) for i in range(108))


def test_run_with_timing_and_output(model: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "in.npz", x=np.ones((2, 3, 8, 8), np.float32))
    out = tmp_path / "out.npz"
    arguments = ["run", str(model(NET)), "--inputs", str(tmp_path / "in.npz"), "-o", str(out), "--iterations", "20"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "latency  median" in text and f"Wrote {out}" in text
    assert {name: array.shape for name, array in np.load(out).items()} == {"y": (2, 4, 8, 8), "best": (2, 1, 8, 8)}


def test_run_of_a_plan_with_seeded_inputs(model: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "m.plan"
    assert build(model(NET), plan=plan, sizes={"N": (1, 2, 4)}).built
    assert main(["run", str(plan), "--format", "json", "--iterations", "5", "--cuda-graph"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["outcome"], report["seeded"], report["inputs"][0]["shape"]) == ("ran", True, [2, 3, 8, 8])
    assert report["timing"]["cuda_graph"]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.ones((9, 3, 8, 8), np.float32)}, "'x' has the shape [9, 3, 8, 8] and the engine takes [1, 3, 8, 8]"),
        ({"x": np.ones((1, 3, 8, 8))}, "'x' is float64 and the engine takes float32"),
        ({"z": np.ones(1)}, "there is no array for the input 'x'"),
        ({"x": np.ones((1, 3, 8, 8), np.float32), "z": np.ones(1)}, "the array 'z' is no input"),
    ],
)
def test_inputs_that_a_plan_does_not_take(
    arrays: dict[str, object], words: str, model: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "m.plan"
    assert build(model(NET), plan=plan, sizes={"N": (1, 2, 4)}).built
    np.savez(tmp_path / "in.npz", **arrays)  # type: ignore[arg-type]
    code = main(["run", str(plan), "--inputs", str(tmp_path / "in.npz")])
    assert code == 2
    assert words in capsys.readouterr().err


def test_full_gpu_is_one_line(model: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "g (float[N] x) => (float[N,M] y) <int64[1] a = {1}, int64[1] b = {0}>"
    path = model(text + "{ u = Unsqueeze(x, a)  v = Unsqueeze(x, b)  y = Add(u, v) }")
    plan = tmp_path / "m.plan"
    assert build(path, plan=plan, sizes={"N": (1, 8, 1 << 20)}).built
    np.savez(tmp_path / "in.npz", x=np.ones(1 << 20, np.float32))
    assert main(["run", str(plan), "--inputs", str(tmp_path / "in.npz")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("onnxfix: the GPU has not enough memory: 4398.05 GB more needed")
    assert error.count("\n") == 1


def test_nan_is_noted(model: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.ones((1, 3, 8, 8), np.float32)
    x[0, 0, 0, 0] = np.nan
    np.savez(tmp_path / "in.npz", x=x)
    assert main(["run", str(model(NET)), "--inputs", str(tmp_path / "in.npz")]) == 0
    assert "input 'x' holds NaN in 1 of 192 places" in capsys.readouterr().out


def test_compare_says_where_to_look(model: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert main(["compare", str(model(NET)), "--layers", "--html", str(page)]) == 0
    text = capsys.readouterr().out
    assert "equal: the engine computes what the model computes" in text
    assert "pre- and post-processing" in text
    assert "values inside the model compared, 0 differ" in text
    assert page.read_text().count("<svg") == 3


def test_compare_names_the_first_layer(
    model: Save, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault put into the model's own side: everything from the Sigmoid on differs."""
    real = engine_run.baseline

    def wrong(*arguments: object, **more: object) -> object:
        from dataclasses import replace

        found = real(*arguments, **more)  # type: ignore[arg-type]
        return replace(found, outputs={n: a + 1 if n in ("b", "y") else a for n, a in found.outputs.items()})

    monkeypatch.setattr(engine_run, "baseline", wrong)
    assert main(["compare", str(model(NET)), "--layers"]) == 1
    text = capsys.readouterr().out
    assert "different: the engine computes something else in 1 of 2 outputs: 'y'" in text
    assert "The first value that differs is 'b', which Relu" in text


def test_engine_check_of_repair_runs_the_engine(model: Save) -> None:
    check = verify_engine(model(NET))
    assert check.outcome == "passed", check.reason
    assert "built and run on NVIDIA" in check.reason and "equal to ONNX Runtime (max |diff| " in check.reason
    assert check.details["run"]["differences"][0]["elements"] > 0


def test_engine_check_notices_another_result(model: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    real = engine_run.run_plan

    def wrong(*arguments: object, **more: object) -> object:
        from dataclasses import replace

        ran = real(*arguments, **more)  # type: ignore[arg-type]
        return replace(ran, outputs={name: array + 1 for name, array in ran.outputs.items()})

    monkeypatch.setattr(engine_run, "run_plan", wrong)
    check = verify_engine(model(NET))
    assert check.outcome == "failed"
    assert "built, but computes something else: output 'y': 256 of 256 elements are off" in check.reason


def test_double_runs_as_float(model: Save) -> None:
    found = compare_engine(model("g (double[3] x) => (double[3] y) { y = Exp(x) }"))
    assert not found.build.built or (found.differences and not found.wrong), found


def test_tf32_is_off_unless_asked(model: Save) -> None:
    weights = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)
    path = model("g (float[256,256] x) => (float[256,256] y) { y = MatMul(x, w) }")
    proto = onnx.load(path)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    onnx.save(proto, path)
    exact, rounded = compare_engine(path), compare_engine(path, tf32=True)
    print(f"TF32 off: {exact.max_abs:.3g}, on: {rounded.max_abs:.3g}")
    assert not exact.wrong and not rounded.wrong
    assert exact.max_abs < 1e-3 < rounded.max_abs
