"""The GPU through PyCUDA: the primary context, buffers, a stream and events.

PyCUDA is imported when the first GPU is opened, and never its `autoinit`. The context is the primary one, which CUDA's
runtime API uses too, so TensorRT and PyTorch in the same process share it. It is pushed around every use and popped
after it: no thread is left with a context that it did not have before.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfix.errors import OnnxfixError

NO_DEVICE = "no device"
"""What is said wherever an engine cannot run for want of a GPU."""

_INSTALL = "pip install 'onnxfix[gpu]' compiles PyCUDA; it needs the CUDA toolkit (nvcc and its headers)"
_devices: dict[int, Device] = {}
_opening = threading.Lock()


def installed() -> bool:
    """Whether PyCUDA is there; nothing is imported to find out."""
    return importlib.util.find_spec("pycuda") is not None


def open_device(index: int = 0) -> Device:
    """GPU number `index`, opened once for the whole process.

    Raises OnnxfixError when PyCUDA is missing or broken, when there is no GPU of that number, and in a process that
    was forked from one that had initialised CUDA.
    """
    with _opening:
        if index not in _devices:
            _devices[index] = Device(index)
    _devices[index].check_process()
    return _devices[index]


class ExecutionFailed(OnnxfixError):
    """TensorRT or CUDA began to run an engine and failed."""


class Device:
    """One GPU with its primary context, retained until the process ends."""

    def __init__(self, index: int) -> None:
        self.driver = _driver()
        self._process = os.getpid()
        count = self.driver.Device.count()
        if index >= count:
            raise OnnxfixError(f"there is no GPU number {index}", hint=f"the first is 0; this machine has {count}")
        self._gpu = self.driver.Device(index)
        self._context = self._gpu.retain_primary_context()

    @property
    def title(self) -> str:
        """Name and compute capability: "NVIDIA H200 (compute capability 9.0)"."""
        return f"{self._gpu.name()} (compute capability {'.'.join(map(str, self._gpu.compute_capability()))})"

    @contextmanager
    def active(self) -> Iterator[None]:
        """The context is current in this thread inside the block; errors of CUDA become OnnxfixError."""
        self.check_process()
        with self._translated():
            self._context.push()
            try:
                yield
            finally:
                self._context.pop()

    def memory(self) -> tuple[int, int]:
        """Free and total memory of the GPU in bytes. Needs the context."""
        free, total = self.driver.mem_get_info()
        return int(free), int(total)

    def check_process(self) -> None:
        """Raise OnnxfixError in a process that was forked after CUDA was initialised: nothing works there."""
        if os.getpid() != self._process:
            raise _forked()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self.driver.MemoryError as error:
            raise out_of_memory(str(error)) from None
        except self.driver.Error as error:
            raise ExecutionFailed(f"CUDA stopped: {error}") from None


class Buffer:
    """Memory of one tensor: page-locked on the host and, when asked for, as much on the GPU. It grows, never shrinks.

    Every method needs the context.
    """

    def __init__(self, device: Device) -> None:
        self._device, self._size = device, 0
        self._host: NDArray[np.uint8] | None = None
        self._memory: Any = None
        self._memory_size = 0

    def host(self, size: int) -> NDArray[np.uint8]:
        """`size` bytes of host memory."""
        if self._host is None or self._size < size:
            self._free_host()
            try:  # CUDA hands out no zero bytes
                self._host = self._device.driver.pagelocked_empty(max(size, 1), np.uint8)
            except self._device.driver.MemoryError:
                what = f"{_size(size)} of this machine's memory cannot be page-locked for the GPU"
                raise OnnxfixError(what, hint="use smaller inputs") from None
            self._size = size
        assert self._host is not None
        return self._host[:size]

    def device(self, size: int) -> int:
        """The address of `size` bytes on the GPU (of one byte at least: an empty tensor needs an address too)."""
        if self._memory is None or self._memory_size < size:
            self._free_memory()
            self._memory = allocate(self._device, max(size, 1))
            self._memory_size = size
        return int(self._memory)

    @property
    def host_address(self) -> int:
        """Where the host memory lies."""
        assert self._host is not None
        return int(self._host.ctypes.data)

    @property
    def addresses(self) -> tuple[int, int]:
        """Both addresses, 0 for memory that was not asked for."""
        return (self.host_address if self._host is not None else 0, int(self._memory or 0))

    def free(self) -> None:
        """Give all memory back."""
        self._free_host()
        self._free_memory()

    def _free_host(self) -> None:
        if self._host is not None:
            self._host.base.free()  # type: ignore[union-attr]
        self._host, self._size = None, 0

    def _free_memory(self) -> None:
        if self._memory is not None:
            self._memory.free()
        self._memory, self._memory_size = None, 0


def allocate(device: Device, size: int) -> Any:
    """PyCUDA's allocation of `size` bytes on the GPU. Needs the context; raises OnnxfixError when the GPU is full."""
    try:
        return device.driver.mem_alloc(size)
    except device.driver.MemoryError:
        free, total = device.memory()
        raise out_of_memory(f"{_size(size)} more needed, {_size(free)} of {_size(total)} free") from None


def out_of_memory(detail: str) -> OnnxfixError:
    """The error for a full GPU."""
    hint = "use smaller inputs, or free the memory that other processes hold (nvidia-smi lists them)"
    return OnnxfixError(f"the GPU has not enough memory: {detail}", hint=hint)


def _driver() -> Any:
    """pycuda.driver, initialised. Raises OnnxfixError."""
    if not installed():
        raise OnnxfixError("PyCUDA is not installed", hint=_INSTALL)
    try:
        driver = importlib.import_module("pycuda.driver")
    except ImportError as error:
        raise OnnxfixError(f"PyCUDA cannot be loaded: {error}", hint=f"is there an NVIDIA driver? {_INSTALL}") from None
    try:
        driver.init()
    except driver.Error as error:
        # What cuInit says in a child of a process that had initialised CUDA.
        if "initialization error" in str(error):
            raise _forked() from None
        raise OnnxfixError(f"{NO_DEVICE}: {error}", hint="an NVIDIA GPU and its driver are needed") from None
    return driver


def _forked() -> OnnxfixError:
    return OnnxfixError(
        "this process was forked after CUDA was initialised, so it cannot use the GPU",
        hint="start it with multiprocessing's 'spawn' method, or open the engine only after the fork",
    )


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.2f} MB"
