"""One loaded engine behind the calls that its release has: named tensors, or bindings by index before TensorRT 8.5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from onnxfix.engine.tensors import IoTensor, Range, Shape, numpy_name
from onnxfix.errors import OnnxfixError


class Calls(Protocol):
    """What execution needs of an engine and its execution context."""

    def tensors(self) -> tuple[IoTensor, ...]:
        """All inputs and outputs, in the engine's order."""
        ...

    def use_profile(self, index: int, stream: int) -> None:
        """Make an optimization profile the active one."""
        ...

    def set_input(self, tensor: IoTensor, shape: Shape, address: int) -> None:
        """Tell shape and address of an input; the values of a host tensor are read here."""
        ...

    def unspecified(self) -> list[str]:
        """Inputs that the engine still misses."""
        ...

    def output_shape(self, name: str) -> Shape:
        """The shape for the present inputs; -1 for sizes that depend on data."""
        ...

    def set_output(self, name: str, address: int) -> None:
        """Tell the address of an output."""
        ...

    def alias(self, name: str) -> str:
        """The input whose memory an output must share (a cache that is updated in place), "" for most outputs."""
        ...

    def set_allocator(self, name: str, allocator: Any) -> None:
        """Let the allocator find memory for an output of unknown size."""
        ...

    def enqueue(self, stream: int) -> bool:
        """Start the execution. False when TensorRT refuses; its log has the reason."""
        ...


def calls_of(module: Any, engine: Any, context: Any) -> Calls:
    """The calls that this release has."""
    return Named(module, engine, context) if hasattr(engine, "num_io_tensors") else Indexed(module, engine, context)


class Named:
    """TensorRT 8.5 and later, and TensorRT-RTX: every tensor by its name."""

    def __init__(self, module: Any, engine: Any, context: Any) -> None:
        self._module, self._engine, self._context = module, engine, context
        self._profile = 0

    def tensors(self) -> tuple[IoTensor, ...]:
        names = (self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors))
        return tuple(self._tensor(name) for name in names)

    def _tensor(self, name: str) -> IoTensor:
        engine = self._engine
        is_input = engine.get_tensor_mode(name) == self._module.TensorIOMode.INPUT
        host = engine.get_tensor_location(name) == self._module.TensorLocation.HOST
        values = is_input and engine.is_shape_inference_io(name)
        shape = tuple(engine.get_tensor_shape(name))
        if engine.get_tensor_vectorized_dim(name) != -1:
            raise OnnxfixError(f"the engine keeps {name!r} in a vectorized format", hint="build it with linear formats")
        ranges: tuple[Range, ...] = ()
        if values:
            ranges = tuple(_range(engine.get_tensor_profile_values(p, name)) for p in self._profiles())
        elif is_input and -1 in shape:
            ranges = tuple(_range(engine.get_tensor_profile_shape(name, p)) for p in self._profiles())
        dtype = numpy_name(engine.get_tensor_dtype(name).name)
        return IoTensor(name, is_input, dtype, shape, host, values, ranges)

    def _profiles(self) -> range:
        return range(self._engine.num_optimization_profiles)

    def use_profile(self, index: int, stream: int) -> None:
        if index != self._profile and not self._context.set_optimization_profile_async(index, stream):
            raise OnnxfixError(f"TensorRT refuses the optimization profile {index}")
        self._profile = index

    def set_input(self, tensor: IoTensor, shape: Shape, address: int) -> None:
        if not self._context.set_input_shape(tensor.name, shape):
            raise OnnxfixError(f"TensorRT refuses the shape {list(shape)} for the input {tensor.name!r}")
        self._context.set_tensor_address(tensor.name, address)

    def unspecified(self) -> list[str]:
        return list(self._context.infer_shapes()) if hasattr(self._context, "infer_shapes") else []

    def output_shape(self, name: str) -> Shape:
        return tuple(self._context.get_tensor_shape(name))

    def set_output(self, name: str, address: int) -> None:
        self._context.set_tensor_address(name, address)

    def alias(self, name: str) -> str:
        ask = getattr(self._engine, "get_aliased_input_tensor", None)
        return (ask(name) or "") if ask else ""

    def set_allocator(self, name: str, allocator: Any) -> None:
        if not self._context.set_output_allocator(name, allocator):
            raise OnnxfixError(f"TensorRT takes no allocator for the output {name!r}")

    def enqueue(self, stream: int) -> bool:
        return bool(self._context.execute_async_v3(stream))


class Indexed:
    """TensorRT 8.0 to 8.4: bindings by index; every profile has a block of them, of which only the first is used."""

    def __init__(self, module: Any, engine: Any, context: Any) -> None:
        self._module, self._engine, self._context = module, engine, context
        count = engine.num_bindings // max(engine.num_optimization_profiles, 1)
        self._index: Mapping[str, int] = {engine.get_binding_name(index): index for index in range(count)}
        self._addresses = [0] * engine.num_bindings

    def tensors(self) -> tuple[IoTensor, ...]:
        return tuple(self._tensor(name, index) for name, index in self._index.items())

    def _tensor(self, name: str, index: int) -> IoTensor:
        engine = self._engine
        is_input = engine.binding_is_input(index)
        values = is_input and engine.is_shape_binding(index)
        host = engine.get_location(index) == self._module.TensorLocation.HOST
        shape = tuple(engine.get_binding_shape(index))
        ranges: tuple[Range, ...] = ()
        if values:
            ranges = (_range(engine.get_profile_shape_input(0, index)),)
        elif is_input and -1 in shape:
            ranges = (_range(engine.get_profile_shape(0, index)),)
        return IoTensor(name, is_input, numpy_name(engine.get_binding_dtype(index).name), shape, host, values, ranges)

    def use_profile(self, index: int, stream: int) -> None:
        """Only the first profile is offered."""

    def set_input(self, tensor: IoTensor, shape: Shape, address: int) -> None:
        index = self._index[tensor.name]
        if -1 in tensor.shape and not self._context.set_binding_shape(index, shape):
            raise OnnxfixError(f"TensorRT refuses the shape {list(shape)} for the input {tensor.name!r}")
        self._addresses[index] = address
        if tensor.values:
            values = _values_at(address, shape)
            if not self._context.set_shape_input(index, values):
                raise OnnxfixError(f"TensorRT refuses the values {values} for the input {tensor.name!r}")

    def unspecified(self) -> list[str]:
        complete = self._context.all_binding_shapes_specified and self._context.all_shape_inputs_specified
        return [] if complete else ["an input"]

    def output_shape(self, name: str) -> Shape:
        return tuple(self._context.get_binding_shape(self._index[name]))

    def set_output(self, name: str, address: int) -> None:
        self._addresses[self._index[name]] = address

    def alias(self, name: str) -> str:  # noqa: ARG002
        return ""

    def set_allocator(self, name: str, allocator: Any) -> None:  # noqa: ARG002
        raise OnnxfixError(f"the size of the output {name!r} depends on data, which needs TensorRT 8.5 or later")

    def enqueue(self, stream: int) -> bool:
        return bool(self._context.execute_async_v2(self._addresses, stream))


def _range(triple: Any) -> Range:
    smallest, best, largest = (tuple(int(size) for size in item) for item in triple)
    return smallest, best, largest


def _values_at(address: int, shape: Shape) -> list[int]:
    """The int32 values of a shape input in host memory."""
    import ctypes

    count = int(np.prod(shape, dtype=np.int64))
    return list((ctypes.c_int32 * count).from_address(address))
