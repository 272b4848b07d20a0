"""A make-believe `pycuda.driver` on host memory; fake_gpu.py says what it is good for."""

from __future__ import annotations

import ctypes
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np


class Memory:
    """Bytes that the make-believe GPU handed out."""

    def __init__(self, gpu: FakeDriver, size: int) -> None:
        assert size > 0, "CUDA hands out no zero bytes"
        self.gpu, self.size = gpu, size
        self.data = ctypes.create_string_buffer(size)
        gpu.live[int(self)] = self

    def __int__(self) -> int:
        return ctypes.addressof(self.data)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {"shape": (self.size,), "typestr": "|u1", "data": (int(self), False), "version": 3}

    def free(self) -> None:
        self.gpu.need_context()
        del self.gpu.live[int(self)]


class FakeDriver:
    """`pycuda.driver`: contexts on a stack for each thread."""

    class Error(Exception):
        pass

    class MemoryError(Error):
        pass

    def __init__(self, capacity: int = 1 << 30) -> None:
        self.capacity, self.live = capacity, dict[int, Memory]()
        self.local = threading.local()
        self.pushes = self.pops = 0
        self.Device = type("Device", (), {"count": staticmethod(lambda: 1), "__new__": lambda _, __: self._device()})

    def _device(self) -> Any:
        context = SimpleNamespace(push=self._push, pop=self._pop)
        return SimpleNamespace(
            name=lambda: "Fake", compute_capability=lambda: (8, 9), retain_primary_context=lambda: context
        )

    @property
    def stack(self) -> list[str]:
        """The contexts of the calling thread."""
        if not hasattr(self.local, "stack"):
            self.local.stack = []
        found: list[str] = self.local.stack
        return found

    def _push(self) -> None:
        self.stack.append("primary")
        self.pushes += 1

    def _pop(self) -> None:
        self.stack.pop()
        self.pops += 1

    def need_context(self) -> None:
        if not self.stack:
            raise self.Error("invalid device context")

    def init(self) -> None:
        pass

    def mem_get_info(self) -> tuple[int, int]:
        return self.capacity - sum(memory.size for memory in self.live.values()), self.capacity

    def mem_alloc(self, size: int) -> Memory:
        self.need_context()
        if size > self.mem_get_info()[0]:
            raise self.MemoryError("cuMemAlloc failed: out of memory")
        return Memory(self, size)

    def pagelocked_empty(self, size: int, dtype: Any) -> Any:
        assert dtype is np.uint8
        return np.asarray(self.mem_alloc(size))

    def memcpy_htod_async(self, address: int, array: Any, stream: Any) -> None:
        self.need_context()
        assert stream is not None
        assert array.nbytes <= self.live[address].size
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def memcpy_dtoh_async(self, array: Any, address: int, stream: Any) -> None:
        self.need_context()
        assert stream is not None
        assert array.nbytes <= self.live[address].size
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def Stream(self) -> Any:  # noqa: N802 - PyCUDA's name
        self.need_context()
        return SimpleNamespace(handle=1234, synchronize=self.need_context)

    def Event(self) -> Any:  # noqa: N802
        self.need_context()
        return SimpleNamespace(record=lambda _: None, synchronize=self.need_context, time_till=lambda _: 0.5)
