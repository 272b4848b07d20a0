"""Which TensorRT libraries there are, and the few facts about the machine that they depend on."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from typing import Any

from onnxfix.engine.records import Flavour
from onnxfix.errors import OnnxfixError
from onnxfix.targets.local import package_version

FLAVOURS = ("tensorrt", "tensorrt_rtx")


def installed() -> list[Flavour]:
    """The libraries that can be imported, TensorRT before TensorRT-RTX; nothing is imported to find out."""
    return [Flavour(name, *package_version(name)) for name in FLAVOURS if importlib.util.find_spec(name)]


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
