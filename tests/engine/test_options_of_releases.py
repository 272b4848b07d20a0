"""What each release can be asked for, and the line for what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from release_builds import WEAK, build, pairs
from standin import RELEASES, has

from onnxfix.engine import builder, caches
from onnxfix.engine.driver import Driver, Gpu
from onnxfix.engine.log import logger
from onnxfix.engine.options import BuildOptions
from onnxfix.errors import OnnxfixError


@pytest.mark.parametrize(("track", "key"), RELEASES)
@pytest.mark.parametrize(
    ("options", "needs", "words"),
    [
        (BuildOptions(precision=("fp16",)), "BuilderFlag.FP16", "there is no fp16 switch"),
        (BuildOptions(precision=("bf16",)), "BuilderFlag.BF16", "no bf16 switch"),
        (BuildOptions(precision=("fp8",)), "BuilderFlag.FP8", "no fp8 switch"),
        (BuildOptions(stripped=True), "BuilderFlag.STRIP_PLAN", "has no plans without weights"),
        (BuildOptions(tf32=True), "BuilderFlag.TF32", "TF32"),
    ],
)
def test_what_a_release_lacks_is_said(
    options: BuildOptions, needs: str, words: str, track: str, key: str, library: Any, model: Path
) -> None:
    module = library(track, key)
    if has(track, key, needs) and ((track, key) in WEAK or not options.precision):
        assert build(module, model, options).built
        name = needs.partition(".")[2]
        assert name in [getattr(flag, "name", "") for flag in module.flags]
    else:
        with pytest.raises(OnnxfixError, match=words):
            build(module, model, options)


@pytest.mark.parametrize(("track", "key"), RELEASES)
def test_compatible_plans(track: str, key: str, library: Any, model: Path) -> None:
    """TensorRT from 8.6 on has both; TensorRT-RTX has the names and not the meaning."""
    module = library(track, key)
    for options, needs in (
        (BuildOptions(version_compatible=True), "BuilderFlag.VERSION_COMPATIBLE"),
        (BuildOptions(hardware_compatible=True), "IBuilderConfig.hardware_compatibility_level"),
    ):
        if track == "trt" and has(track, key, needs):
            assert build(module, model, options).built
        else:
            with pytest.raises(OnnxfixError, match=r"plans for later releases|hardware-compatible plans"):
                build(module, model, options)


@pytest.mark.parametrize(("track", "key"), RELEASES)
def test_named_compute_capability(track: str, key: str, library: Any, model: Path) -> None:
    module = library(track, key)
    options = BuildOptions(compute_capabilities=("8.6", "sm89"))
    if track == "rtx":
        assert build(module, model, options).compute_capability == "8.6, 8.9"
        assert [(getattr(a, "name", ""), b) for a, b in pairs(module)][-2:] == [("SM86", 0), ("SM89", 1)]
        assert module.config.num_compute_capabilities == 2
    else:
        with pytest.raises(OnnxfixError, match="cannot build for a named compute capability"):
            build(module, model, options)


@pytest.mark.parametrize(("track", "key"), RELEASES)
def test_timing_cache(track: str, key: str, library: Any, model: Path) -> None:
    module, cache = library(track, key), model.with_suffix(".cache")
    options = BuildOptions(timing_cache=str(cache))
    if track == "rtx":
        with pytest.raises(OnnxfixError, match="has no timing cache"):
            build(module, model, options)
        return
    assert build(module, model, options).built
    assert cache.read_bytes() == b"measured"
    cache.write_bytes(b"other")
    with pytest.raises(OnnxfixError, match=r"refuses this timing cache \(it is of another release or GPU, or damaged"):
        build(module, model, options)


@pytest.mark.parametrize(("track", "key"), RELEASES)
def test_runtime_cache(
    track: str, key: str, library: Any, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, cache = library(track, key), tmp_path / "kernels"
    with pytest.raises(OnnxfixError, match="this machine has no GPU" if track == "rtx" else "has no runtime cache"):
        build(module, model, cache=str(cache))
    monkeypatch.setattr(builder, "gpu_present", lambda: True)
    if track == "rtx":
        assert build(module, model, cache=str(cache)).built
        assert cache.read_bytes() == b"kernels"
        cache.write_bytes(b"else")
        with pytest.raises(OnnxfixError, match="is not a runtime cache for this machine"):
            caches.fill_runtime_cache(module, logger(module), b"ftrt", cache)
        with pytest.raises(OnnxfixError, match="does not load here"):
            caches.fill_runtime_cache(module, logger(module), b"else", cache)


@pytest.mark.parametrize(("track", "key"), RELEASES)
def test_strong_typing_is_asked_for_where_it_is_a_choice(track: str, key: str, library: Any, model: Path) -> None:
    module = library(track, key)
    build(module, model)
    assert module.network_flags == int(has(track, key, "NetworkDefinitionCreationFlag.EXPLICIT_BATCH"))
    options = BuildOptions(precision=("model",))
    if has(track, key, "NetworkDefinitionCreationFlag.STRONGLY_TYPED"):
        network = build(module, model, options).network
        assert network is not None
        assert network.strongly_typed
        assert module.network_flags in (1, 3)
    else:
        with pytest.raises(OnnxfixError, match="has no strong typing"):
            build(module, model, options)


@pytest.mark.parametrize(("track", "key"), RELEASES)
def test_strong_typing_for_whoever_can(track: str, key: str, library: Any, model: Path) -> None:
    module = library(track, key)
    network = build(module, model, BuildOptions(strongly_typed=True)).network
    assert network is not None
    assert network.strongly_typed is has(track, key, "NetworkDefinitionCreationFlag.STRONGLY_TYPED")


@pytest.mark.parametrize(("track", "key"), [release for release in RELEASES if release[0] == "trt"])
def test_the_compute_capability_of_this_gpu(
    track: str, key: str, library: Any, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = Driver("570.1", "12.8", (Gpu("NVIDIA L4", "8.9", 24 << 30),))
    monkeypatch.setattr(builder, "driver", lambda: ada)
    assert build(library(track, key), model, BuildOptions(compute_capabilities=("sm89",))).compute_capability == "8.9"
