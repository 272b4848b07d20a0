"""Names: every one resolves, says what it assumed, and a wrong one gets a helpful line."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from types import SimpleNamespace

import pytest

from onnxfix.errors import OnnxfixError
from onnxfix.targets import devices, local_target, release, resolve, target_names, target_of_version

UNSTATED = {"jp7.1", "jp7.2"}  # no source says which TensorRT they bring


@pytest.mark.parametrize("name", sorted(set(target_names()) - UNSTATED))
def test_every_known_name_resolves(name: str) -> None:
    target = resolve(name)
    assert resolve(target.name) == target
    assert resolve(name.upper()) == target
    assert release(target).key == target.release


@pytest.mark.parametrize(
    ("name", "canonical", "title", "capability"),
    [
        ("trt8.2", "trt8.2", "TensorRT 8.2", None),
        ("trt10.13", "trt10.13", "TensorRT 10.13", None),
        ("TensorRT-10.13.3.9", "trt10.13", "TensorRT 10.13", None),
        ("trt11.4.1", "trt11.4.1", "TensorRT 11.4.1", None),
        ("trt11.4.0.106", "trt11.4", "TensorRT 11.4", None),
        ("rtx1.7", "rtx1.7", "TensorRT-RTX 1.7", None),
        ("rtx", "rtx1.7", "TensorRT-RTX 1.7", None),
        ("trt", "trt11.5", "TensorRT 11.5", None),
        ("jetson-nano", "jetson-nano@trt8.2", "TensorRT 8.2 on jetson-nano", "53"),
        ("jetson-tx2", "jetson-tx2@trt8.2", "TensorRT 8.2 on jetson-tx2", "62"),
        ("jetson-xavier-nx", "jetson-xavier-nx@trt8.5", "TensorRT 8.5 on jetson-xavier-nx", "72"),
        ("Jetson Orin Nano @jp6.2", "jetson-orin-nano@trt10.3", "TensorRT 10.3 on jetson-orin-nano", "87"),
        ("jetson-agx-orin", "jetson-agx-orin@trt11.4.1", "TensorRT 11.4.1 on jetson-agx-orin", "87"),
        ("t4@trt8.6", "t4@trt8.6", "TensorRT 8.6 on t4", "75"),
        ("trt8.6@t4", "t4@trt8.6", "TensorRT 8.6 on t4", "75"),
        ("t4@rtx", "t4@rtx1.7", "TensorRT-RTX 1.7 on t4", "75"),
        ("h200", "h200@trt11.5", "TensorRT 11.5 on h200", "90"),
        ("v100", "v100@trt10.4", "TensorRT 10.4 on v100", "70"),
        ("rtx1.7@sm89", "rtx1.7@sm89", "TensorRT-RTX 1.7 on sm89", "89"),
        ("dgx-spark-gb10", "dgx-spark-gb10@rtx1.7", "TensorRT-RTX 1.7 on dgx-spark-gb10", "121"),
    ],
)
def test_what_a_name_means(name: str, canonical: str, title: str, capability: str | None) -> None:
    target = resolve(name)
    assert (target.name, target.title, target.compute_capability) == (canonical, title, capability)


@pytest.mark.parametrize("name", ["trt8.6", "rtx", "trt", "t4@trt8.6", "jetson-orin-nano@jp6.2", "rtx1.7@sm89"])
def test_a_complete_name_assumes_nothing(name: str) -> None:
    assert resolve(name).note == ""


@pytest.mark.parametrize("device", sorted(devices()))
def test_a_bare_device_says_which_release_was_taken(device: str) -> None:
    target = resolve(device)
    assert target.device == device
    assert target.release in target.note


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trt10", "newest 10.x"),
        ("jp6", "jp6.2.1"),
        ("jetson-orin-nano", "JetPack 7.0, 7.1, 7.2"),
        ("jetson-orin-nano@jp7.0", "not known for sure"),
        ("jetson-nano@trt8.6", "no JetPack for jetson-nano"),
        ("l4@trt8.6", "no source states"),
        ("t4", "t4@rtx"),
    ],
)
def test_an_assumption_is_told(name: str, words: str) -> None:
    assert words in resolve(name).note


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trt8.3", "closest: trt8."),
        ("rtx9", "rtx"),
        ("jetson-orin", "jetson-orin-nano"),
        ("h20", "h200"),
        ("sm42", "sm"),
        ("nonsense", "for example"),
        ("", "for example"),
        ("trt8.6@", "for example"),
        ("t4@a100", "for example"),
        ("trt8.6@rtx", "for example"),
        ("jp6.2@trt8.6", "for example"),
        ("jp6.9", "jp6."),
        ("jetson-nano@jp5.0.2", "jp4.6.2"),
        ("h200@jp6.2", "does not use JetPack"),
        ("jetson-thor-t5000@jp7.1", "not known"),
        ("jetson-nano@trt10.13", "trt8.6"),
        ("h200@trt8.4", "does not run"),
        ("h200@rtx1.7", "does not run"),
        ("h200@rtx", "trt11.5"),
    ],
)
def test_a_wrong_name_gets_one_helpful_line(name: str, words: str) -> None:
    with pytest.raises(OnnxfixError, match=r"^[^\n]+$") as caught:
        resolve(name)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("track", "version", "name", "noted"),
    [
        ("trt", "8.6.1", "trt8.6", False),
        ("trt", "10.13.3.9.post1", "trt10.13", False),
        ("rtx", "1.7.1.116", "rtx1.7", False),
        ("trt", "10.99.0", "trt10.16", True),
        ("trt", "8.3.0", "trt8.2", True),
        ("trt", "4.0", None, False),
        ("trt", "unknown", None, False),
    ],
)
def test_an_installed_version_maps_to_its_release(track: str, version: str, name: str | None, noted: bool) -> None:
    target = target_of_version(track, version)  # type: ignore[arg-type]
    assert (target and target.name) == name
    assert bool(target and target.note) == noted


@pytest.mark.parametrize(
    ("installed", "name"),
    [
        ({"tensorrt": "8.6.1", "tensorrt-rtx-cu12": "1.7.1.116"}, "trt8.6"),
        ({"tensorrt-rtx-cu12": "1.6.1.120"}, "rtx1.6"),
        ({"tensorrt-rtx-cu13-bindings": "1.6.1.120", "tensorrt-rtx-cu13-libs": "1.6.1.120"}, "rtx1.6"),
        ({"tensorrt-bindings": "10.3.0"}, "trt10.3"),
        ({}, None),
    ],
)
def test_tensorrt_comes_before_tensorrt_rtx(
    installed: dict[str, str], name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def distribution(package: str) -> SimpleNamespace:
        if package not in installed:
            raise importlib.metadata.PackageNotFoundError(package)
        return SimpleNamespace(version=installed[package])

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    modules = {"tensorrt_rtx" if name.startswith("tensorrt-rtx") else "tensorrt" for name in installed}
    monkeypatch.setattr("onnxfix.targets.local.find_spec", lambda module: module in modules or None)
    target = local_target()
    assert (target and target.name) == name
