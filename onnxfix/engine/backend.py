"""Which TensorRT libraries there are, and the few facts about the machine that they depend on."""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import importlib.util
from contextlib import suppress
from typing import Any

from onnxfix.engine.records import Flavour
from onnxfix.errors import OnnxfixError

FLAVOURS = ("tensorrt", "tensorrt_rtx")
# One library ships under several package names; the first that is installed tells the version.
_PACKAGES = ("", "-cu13", "-cu12", "-cu11", "-cu13-bindings", "-cu12-bindings", "-bindings")


def installed() -> list[Flavour]:
    """The libraries that can be imported, TensorRT before TensorRT-RTX; nothing is imported to find out."""
    return [Flavour(name, *_version(name)) for name in FLAVOURS if importlib.util.find_spec(name)]


def choose(name: str | None) -> Flavour:
    """The library of that name, or the first usable one: TensorRT where a GPU is, else TensorRT-RTX.

    Raises OnnxfixError when it is not installed.
    """
    flavours = {flavour.name: flavour for flavour in installed()}
    order = [name] if name else FLAVOURS if gpu_present() else FLAVOURS[::-1]
    for wanted in order:
        if wanted in flavours:
            return flavours[wanted]
    raise OnnxfixError(
        f"{name or 'neither tensorrt nor tensorrt_rtx'} is {'not ' if name else ''}installed",
        hint="pip install 'onnxfix[rtx]' builds engines without a GPU",
    )


def load(name: str) -> Any:
    """The library's Python module. Call it only inside the sandbox: importing may crash on a broken install."""
    return importlib.import_module(name)


def gpu_present() -> bool:
    """Whether the CUDA driver is there and sees a device."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    return False


def _version(name: str) -> tuple[str, str]:
    """Version of the package, and the CUDA that its name tells; "" for what is not known."""
    found: dict[str, str] = {}
    for suffix in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[suffix] = importlib.metadata.version(name.replace("_", "-") + suffix)
    cuda = next((suffix.split("-")[1].removeprefix("cu") for suffix in found if suffix.startswith("-cu")), "")
    return next(iter(found.values()), ""), cuda
