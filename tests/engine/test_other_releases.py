"""Our code paths against the API of every release: a call that a release does not have fails here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from release_builds import STRONG, build, pairs
from standin import RELEASES, has

from onnxfix.engine import EngineError, Flavour, backend, inspector
from onnxfix.engine.log import causes
from onnxfix.engine.options import BuildOptions
from onnxfix.errors import OnnxfixError


@pytest.mark.parametrize(("track", "key"), RELEASES)
def test_every_release_builds(track: str, key: str, library: Any, model: Path) -> None:
    module = library(track, key)
    result = build(module, model, BuildOptions(described=True, workspace=16))
    assert result.built
    assert result.profile[0].largest == (4, 3)
    assert result.network is not None
    assert [(layer.kind, layer.nodes, layer.dtypes) for layer in result.network.layers] == [
        ("ACTIVATION", ("relu",), ("float32",))
    ]
    assert Path(str(model) + ".plan").read_bytes() == b"ftrt plan"
    assert result.network.strongly_typed is ((track, key) in STRONG)
    assert ("IBuilderConfig.progress_monitor" in module.used) is has(track, key, "IBuilderConfig.progress_monitor")
    assert (16 << 20) in (module.config._members.get("max_workspace_size"), *(flag[1] for flag in pairs(module)))


@pytest.mark.parametrize(("track", "key"), RELEASES)
def test_parser_errors(track: str, key: str, library: Any, model: Path) -> None:
    module = library(track, key)
    module.bad_model = True
    result = build(module, model)
    assert result.outcome == "parse_failed"
    named = has(track, key, "ParserError.node_name")
    expected = EngineError("UNSUPPORTED_NODE", "no importer for operator Det", "det", "Det", index=3)
    unnamed = EngineError("UNSUPPORTED_NODE", "no importer for operator of this node", index=3)
    assert result.errors == (expected if named else unnamed,)


@pytest.mark.parametrize(("track", "key"), RELEASES)
def test_no_builder(track: str, key: str, library: Any, model: Path) -> None:
    module = library(track, key)
    module.refuse_builder = True
    (error,) = build(module, model).errors
    assert error.message == "the library made no builder (this machine has no GPU): no device"


@pytest.mark.parametrize(("track", "key"), RELEASES)
def test_inspecting_an_engine(track: str, key: str, library: Any, tmp_path: Path) -> None:
    module, plan = library(track, key), tmp_path / "m.plan"
    plan.write_bytes(b"ftrt plan")
    found = inspector.loaded(str(plan), module.__name__)
    assert [(t.name, t.input, t.dtype, t.ranges) for t in found.tensors] == [
        ("x", True, "float32", (((1, 3), (2, 3), (4, 3)),)),
        ("y", False, "float32", ()),
    ]
    assert found.device_memory == (200 if has(track, key, "ICudaEngine.device_memory_size_v2") else 100)
    assert found.weights == (300 if has(track, key, "ICudaEngine.get_engine_stat") else -1)
    assert [(layer.name, layer.nodes, layer.dtypes) for layer in found.layers] == [("relu", ("relu",), ("float32",))]
    plan.write_bytes(b"else")
    with pytest.raises(OnnxfixError, match="does not load"):
        inspector.loaded(str(plan), module.__name__)


@pytest.mark.parametrize(("track", "key"), RELEASES)
def test_asking_the_library_about_a_plan(track: str, key: str, library: Any, tmp_path: Path) -> None:
    module, plan = library(track, key), tmp_path / "m.plan"
    plan.write_bytes(b"vtrt")
    module.validity = 33
    said = inspector.invalidity(str(plan), module.__name__, nameless=True)
    assert said == ("another release of TensorRT-RTX built it; it is damaged" if track == "rtx" else "")


def test_a_plan_for_a_gpu_that_rtx_does_not_name(library: Any, tmp_path: Path) -> None:
    module, plan = library("rtx", "1.6"), tmp_path / "m.plan"
    plan.write_bytes(b"vtrt")
    module.validity = 2
    assert inspector.invalidity(str(plan), module.__name__) == "it is not for this GPU's compute capability"
    assert inspector.invalidity(str(plan), module.__name__, nameless=True) == ""


def test_the_stand_in_is_like_the_installed_library(library: Any, model: Path) -> None:
    """Every name that a build asked the stand-in of 1.7 for is one of the real TensorRT-RTX."""
    module = library("rtx", "1.7")
    options = BuildOptions(described=True, workspace=16, stripped=True, tf32=True, compute_capabilities=("8.9",))
    build(module, model, options)
    code = (
        "import sys, tensorrt_rtx\nfrom functools import reduce\n"
        "for name in sys.argv[1:]: reduce(getattr, name.split('.'), tensorrt_rtx)"
    )
    names = sorted(module.used)
    assert len(names) > 30
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_driver_complaint_is_dropped_when_there_is_a_cause() -> None:
    driver = "createInferRuntime: Error Code 6: CUDA initialization failure with error: 35"
    assert causes(["K is too large", driver], gpu=False) == ["K is too large"]
    assert causes(["K is too large", driver], gpu=True) == ["K is too large", driver]
    assert causes([driver], gpu=False) == [driver]
    assert causes([], gpu=False) == ["the builder gave no reason"]


@pytest.mark.parametrize(("gpu", "chosen"), [(True, "tensorrt"), (False, "tensorrt_rtx")])
def test_the_best_library_depends_on_the_gpu(gpu: bool, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    flavours = [Flavour("tensorrt", "10.1"), Flavour("tensorrt_rtx", "1.7")]
    monkeypatch.setattr(backend, "installed", lambda: flavours)
    monkeypatch.setattr(backend, "gpu_present", lambda: gpu)
    assert backend.choose(None).name == chosen
    monkeypatch.setattr(backend, "installed", list)
    with pytest.raises(OnnxfixError, match="neither tensorrt nor tensorrt_rtx is installed"):
        backend.choose(None)
