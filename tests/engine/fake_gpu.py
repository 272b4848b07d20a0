"""A make-believe GPU: stand-ins for `tensorrt` here and `pycuda.driver` in fake_driver.py, which use host memory.

They check what the real ones demand and punish on a GPU only: a context in the calling thread for every call, buffers
of the right size, all memory given back. They prove nothing about CUDA or TensorRT; tests/gpu does.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from onnxfix.engine.tensors import IoTensor, byte_count, from_bytes, numpy_dtype, to_bytes

NAMES = {"float32": "FLOAT", "float16": "HALF", "bfloat16": "BF16", "int32": "INT32", "int64": "INT64", "bool": "BOOL"}
Program = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass
class FakeEngine:
    """An engine made of a Python function. `old` gives it the calls of TensorRT 8.0 to 8.4 only."""

    tensors: tuple[IoTensor, ...]
    program: Program
    data_dependent: tuple[str, ...] = ()
    refuses: str = ""
    contexts: list[FakeContext] = field(default_factory=list)
    num_optimization_profiles: int = 1
    aliases: dict[str, str] = field(default_factory=dict)
    log: Any = None

    def create_execution_context(self) -> FakeContext:
        self.contexts.append(FakeContext(self))
        return self.contexts[-1]

    def of(self, name: str) -> IoTensor:
        return next(tensor for tensor in self.tensors if tensor.name == name)

    @property
    def num_io_tensors(self) -> int:
        return len(self.tensors)

    def get_tensor_name(self, index: int) -> str:
        return self.tensors[index].name

    def get_tensor_mode(self, name: str) -> str:
        return "in" if self.of(name).input else "out"

    def get_tensor_location(self, name: str) -> str:
        return "host" if self.of(name).host else "device"

    def is_shape_inference_io(self, name: str) -> bool:
        return self.of(name).values

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.of(name).shape

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name=NAMES[self.of(name).dtype])

    def get_aliased_input_tensor(self, name: str) -> str | None:
        return self.aliases.get(name)

    def get_tensor_vectorized_dim(self, _: str) -> int:
        return -1

    def get_tensor_profile_shape(self, name: str, profile: int) -> Any:
        return self.of(name).ranges[profile]

    def get_tensor_profile_values(self, profile: int, name: str) -> Any:
        return self.of(name).ranges[profile]


@dataclass
class FakeContext:
    engine: FakeEngine
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)
    allocators: dict[str, Any] = field(default_factory=dict)
    profiles: list[int] = field(default_factory=list)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = tuple(shape)
        return True

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def set_output_allocator(self, name: str, allocator: Any) -> bool:
        self.allocators[name] = allocator
        return True

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        assert stream == 1234
        self.profiles.append(index)
        return True

    def infer_shapes(self) -> list[str]:
        return [t.name for t in self.engine.tensors if t.input and t.name not in self.addresses]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name in self.engine.data_dependent:
            return tuple(-1 for _ in self.engine.of(name).shape)
        return tuple(self._results()[name].shape)

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 1234
        if self.engine.refuses:
            self.engine.log.errors.append(self.engine.refuses)
            return False
        for name, array in self._results().items():
            data = to_bytes(array, self.engine.of(name).dtype)
            address = self.addresses.get(name, 0)
            if name in self.allocators:
                self.allocators[name].notify_shape(name, array.shape)
                address = self.allocators[name].reallocate_output_async(name, 0, data.size, 256, stream)
                if not address:
                    return False
            assert address, "an output without an address"
            shared = self.engine.aliases.get(name)
            assert shared is None or address == self.addresses[shared], "aliased, and not at one address"
            ctypes.memmove(address, data.ctypes.data, data.size)
        return True

    def _results(self) -> dict[str, Any]:
        return self.engine.program(dict(self._inputs()))

    def _inputs(self) -> Iterator[tuple[str, Any]]:
        for tensor in self.engine.tensors:
            if tensor.input:
                shape = self.shapes[tensor.name]
                data = ctypes.string_at(self.addresses[tensor.name], byte_count(tensor.dtype, shape))
                yield tensor.name, from_bytes(np.frombuffer(data, np.uint8), tensor.dtype, shape)


def fake_tensorrt(engines: dict[bytes, FakeEngine]) -> Any:
    """The module `tensorrt` with a runtime that knows these plans."""

    class Logger:
        Severity = SimpleNamespace(ERROR=1, INTERNAL_ERROR=0)

    class Runtime:
        def __init__(self, log: Any) -> None:
            self.log = log

        def deserialize_cuda_engine(self, data: bytes) -> FakeEngine | None:
            engine = engines.get(data)
            if engine is None:
                self.log.log(1, "Serialization assertion failed: magic tag does not match")
                return None
            engine.log = self.log
            return engine

    class Module:
        """Hashable, as a module is."""

    module: Any = Module()
    module.ILogger, module.Runtime = Logger, Runtime
    module.IOutputAllocator = type("IOutputAllocator", (), {"__init__": lambda _: None})
    module.TensorIOMode = SimpleNamespace(INPUT="in", OUTPUT="out")
    module.TensorLocation = SimpleNamespace(HOST="host", DEVICE="device")
    return module


def io(name: str, dtype: str, shape: tuple[int, ...], *, output: bool = False, **more: Any) -> IoTensor:
    """One input, or one output."""
    numpy_dtype(dtype)
    return IoTensor(name, not output, dtype, shape, **more)
