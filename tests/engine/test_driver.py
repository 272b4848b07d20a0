"""What is made of a driver's answers, and of the package lists that doctor reads."""

from __future__ import annotations

import importlib.metadata
from types import SimpleNamespace
from typing import Any

import pytest

from onnxfix.api import doctor
from onnxfix.engine import driver
from onnxfix.engine.driver import Driver, Gpu


class Cuda:
    """libcuda with one GPU of compute capability 8.9; pointers come as ctypes.byref gives them."""

    def __init__(self, error: int = 0, count: int = 1) -> None:
        self.error, self.count = error, count

    def cuInit(self, _: int) -> int:  # noqa: N802
        return self.error

    def cuDriverGetVersion(self, number: Any) -> int:  # noqa: N802
        number._obj.value = 12080
        return 0

    def cuDeviceGetCount(self, number: Any) -> int:  # noqa: N802
        number._obj.value = self.count
        return 0

    def cuDeviceGet(self, device: Any, index: int) -> int:  # noqa: N802
        device._obj.value = index
        return 0

    def cuDeviceGetName(self, text: Any, _: int, __: Any) -> int:  # noqa: N802
        text.value = b"NVIDIA L4"
        return 0

    def cuDeviceTotalMem_v2(self, number: Any, _: Any) -> int:  # noqa: N802
        number._obj.value = 24 << 30
        return 0

    def cuDeviceGetAttribute(self, number: Any, which: int, _: Any) -> int:  # noqa: N802
        number._obj.value = {75: 8, 76: 9}[which]
        return 0


def asked(monkeypatch: pytest.MonkeyPatch, cuda: Cuda | None) -> Driver:
    monkeypatch.setattr(driver, "_load", lambda *names: cuda if "libcuda.so.1" in names else None)
    return driver.driver()


def test_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, Cuda()) == Driver("", "12.8", (Gpu("NVIDIA L4", "8.9", 24 << 30),))


@pytest.mark.parametrize(
    ("cuda", "words"),
    [
        (None, "no NVIDIA driver is installed"),
        (Cuda(100), "the driver sees no device"),
        (Cuda(0, 0), "the driver sees no device"),
        (Cuda(803), "are of different versions: reboot"),
        (Cuda(12345), "the driver gave error 12345"),
    ],
)
def test_why_there_is_no_gpu(cuda: Cuda | None, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(monkeypatch, cuda)
    assert found.gpus == ()
    assert words in found.problem


@pytest.mark.parametrize(
    ("packages", "mixed"),
    [
        ({"tensorrt": "10.13.3.9", "tensorrt-cu12-libs": "10.13.3.9", "tensorrt_cu12_bindings": "10.13.3.9.post1"}, ""),
        ({"tensorrt-cu12-libs": "10.1.0", "tensorrt-cu12-bindings": "10.3.0"}, "tensorrt-cu12-bindings 10.3.0, "),
        ({"tensorrt-cu12": "10.1.0", "tensorrt-rtx-cu12": "1.7.1.116", "tensorrt-llm": "0.9", "tensorrtx": "3"}, ""),
    ],
)
def test_packages_of_different_versions(packages: dict[str, str], mixed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [SimpleNamespace(name=name, version=version) for name, version in packages.items()]
    found.append(SimpleNamespace(name=None, version=None))  # what a broken install leaves behind
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: found)
    said = doctor._mixed("tensorrt")
    assert said.startswith(mixed) if mixed else said == ""
