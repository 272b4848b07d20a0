"""The NVIDIA driver and the GPUs it sees, asked through ctypes. Meant for the sandbox: asking starts CUDA."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from dataclasses import dataclass

# CUresult, by number, of what people meet.
_ERRORS = {
    34: "libcuda is a stub for building, not a driver",
    100: "the driver sees no device",
    802: "the GPU is not ready (its fabric manager does not run)",
    803: "the driver's library and its kernel module are of different versions: reboot, or install one driver",
    804: "this GPU needs a newer driver for this CUDA",
    999: "the driver gave an unknown error: reload it or reboot",
}
_MAJOR, _MINOR = 75, 76  # CUdevice_attribute: compute capability


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU: `compute_capability` is "8.9" or the like, `memory` its bytes."""

    name: str
    compute_capability: str
    memory: int


@dataclass(frozen=True, slots=True)
class Driver:
    """`version` is the driver's own ("570.86"), `cuda` the newest CUDA it serves ("12.8"); "" where there is none.

    `problem` says why no GPU is seen, "" when `gpus` is not empty.
    """

    version: str = ""
    cuda: str = ""
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""


def driver() -> Driver:
    """What the driver of this machine says."""
    library = _load("libcuda.so.1", "nvcuda.dll")
    if library is None:
        return Driver(problem="no NVIDIA driver is installed (libcuda is not there)")
    version, cuda = _version(), _cuda(library)
    error = library.cuInit(0)
    count = ctypes.c_int(0)
    error = error or library.cuDeviceGetCount(ctypes.byref(count))
    if error or not count.value:
        reason = _ERRORS.get(error or 100, f"the driver gave error {error}")
        return Driver(version, cuda, problem=reason)
    return Driver(version, cuda, tuple(_gpu(library, index) for index in range(count.value)))


def _load(*names: str) -> ctypes.CDLL | None:
    for name in names:
        with suppress(OSError):
            return ctypes.CDLL(name)
    return None


def _cuda(library: ctypes.CDLL) -> str:
    number = ctypes.c_int(0)
    library.cuDriverGetVersion(ctypes.byref(number))
    return f"{number.value // 1000}.{number.value % 1000 // 10}"


def _gpu(library: ctypes.CDLL, index: int) -> Gpu:
    device, memory, name = ctypes.c_int(), ctypes.c_size_t(), ctypes.create_string_buffer(128)
    library.cuDeviceGet(ctypes.byref(device), index)
    library.cuDeviceGetName(name, len(name), device)
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    capability = ".".join(str(_attribute(library, device, which)) for which in (_MAJOR, _MINOR))
    return Gpu(name.value.decode(errors="replace"), capability, memory.value)


def _attribute(library: ctypes.CDLL, device: ctypes.c_int, which: int) -> int:
    value = ctypes.c_int()
    library.cuDeviceGetAttribute(ctypes.byref(value), which, device)
    return value.value


def _version() -> str:
    """The driver's own version, of NVIDIA's management library; "" without it."""
    library = _load("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
    text = ctypes.create_string_buffer(96)
    if library is None or library.nvmlInit_v2() or library.nvmlSystemGetDriverVersion(text, len(text)):
        return ""
    library.nvmlShutdown()
    return text.value.decode(errors="replace")
