"""build, inspect and doctor, with a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from onnxfix.api import doctor, engines
from onnxfix.cli.app import main
from onnxfix.engine.planfile import check_plan, open_plan, this_machine
from onnxfix.engine.sidecar import read_sidecar, sidecar_path
from onnxfix.errors import OnnxfixError

Save = Callable[[str], Path]
NET = """g (float[N,3,H,W] x) => (float[N,4,H,W] y)
<float[4,3,1,1] w = {WEIGHTS}>
{ [conv1] a = Conv(x, w)  [gate] b = Sigmoid(a)  y = Mul(a, b) }""".replace("WEIGHTS", ",".join(["0.5"] * 12))


@pytest.fixture
def plan(model: Save, tmp_path: Path) -> Path:
    path = tmp_path / "made.plan"
    shapes = (("x", ((1, 3, 8, 8), (2, 3, 16, 16), (4, 3, 32, 32))),)
    assert engines.build(model(NET), path, engines.BuildOptions(shapes=shapes, described=True)).exit_code == 0
    return path


def test_the_sidecar_names_the_gpu(plan: Path) -> None:
    sidecar, gpu = read_sidecar(plan), this_machine().driver.gpus[0]
    assert sidecar is not None
    assert sidecar.gpu == gpu
    assert sidecar.compute_capabilities == (gpu.compute_capability,)
    assert sidecar.driver


def test_a_plan_built_here_loads_here(plan: Path) -> None:
    assert check_plan(plan).sidecar is not None
    sidecar_path(plan).unlink()
    assert check_plan(plan).sidecar is None


def test_inspect_shows_the_engine_itself(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(plan), "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["obstacle"], report["layers_from"]) == ("", "engine")
    assert report["device_memory"] >= 0
    ranges = {tensor["name"]: tensor["ranges"] for tensor in report["tensors"]}
    assert ranges["x"] == [[[1, 3, 8, 8], [2, 3, 16, 16], [4, 3, 32, 32]]]
    assert "conv1" in {node for layer in report["layers"] for node in layer["nodes"]}
    sidecar_path(plan).unlink()
    assert main(["inspect", str(plan)]) == 0
    shown = capsys.readouterr().out
    assert "Loads here." in shown
    assert "as the engine runs them" in shown


def test_another_release_is_refused_before_loading(plan: Path) -> None:
    sidecar_path(plan).unlink()
    data = bytearray(plan.read_bytes())
    data[25] ^= 1
    plan.write_bytes(data)
    with pytest.raises(OnnxfixError, match=r"will not load here: .* built it, and .* is installed"):
        check_plan(plan)


def test_the_library_is_asked(plan: Path) -> None:
    """What only TensorRT-RTX can tell: compute capability bits that have no name here."""
    sidecar_path(plan).unlink()
    data = bytearray(plan.read_bytes())
    data[32:40] = (1 << 6 | 1).to_bytes(8, "little")
    plan.write_bytes(data)
    here = this_machine().driver.gpus[0].compute_capability
    said = engines.library_says(open_plan(plan))
    assert said == ("it is not for this GPU's compute capability" if here == "9.0" else "")


def test_a_damaged_inside_is_no_crash(plan: Path) -> None:
    sidecar_path(plan).unlink()
    data = bytearray(plan.read_bytes())
    data[300:2000] = bytes(1700)
    plan.write_bytes(data)
    report = engines.inspect(plan)
    assert report.obstacle


def test_runtime_cache(model: Save, tmp_path: Path) -> None:
    cache = tmp_path / "kernels.cache"
    report = engines.build(model(NET), tmp_path / "c.plan", runtime_cache=cache)
    assert report.exit_code == 0
    assert cache.stat().st_size
    assert engines.build(model(NET), tmp_path / "c.plan", runtime_cache=cache).exit_code == 0
    cache.write_bytes(b"no cache")
    with pytest.raises(OnnxfixError, match="is not a runtime cache for this machine"):
        engines.build(model(NET), tmp_path / "c.plan", runtime_cache=cache)


def test_weights_stay_out(model: Save, tmp_path: Path) -> None:
    report = engines.build(model(NET), tmp_path / "s.plan", engines.BuildOptions(stripped=True))
    if report.output:
        assert open_plan(tmp_path / "s.plan").bytes == report.result.plan_bytes
    else:  # seen on compute capability 9.0, which TensorRT-RTX does not know
        assert any("leaves weights out only where a GPU is" in note for note in report.notes)


def test_doctor_finds_everything_well() -> None:
    report = doctor.doctor()
    assert report.summary == "repairs: yes; builds: yes; runs: yes"
    assert report.exit_code == 0
