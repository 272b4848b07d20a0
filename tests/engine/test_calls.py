"""The calls of old releases (TensorRT 8.0 to 8.4, by index), and the real names of the new ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from onnxfix.engine.calls import Indexed, Named, calls_of
from onnxfix.engine.tensors import IoTensor
from onnxfix.errors import OnnxfixError

RANGES = ((2, 3), (4, 3), (8, 3))


class OldEngine:
    """One dynamic input, one shape input and one output, in two profiles."""

    num_bindings, num_optimization_profiles = 6, 2
    names = ("x", "s", "y")

    def get_binding_name(self, index: int) -> str:
        return self.names[index]

    def binding_is_input(self, index: int) -> bool:
        return index < 2

    def is_shape_binding(self, index: int) -> bool:
        return index == 1

    def get_location(self, index: int) -> str:
        return "host" if index == 1 else "device"

    def get_binding_shape(self, index: int) -> tuple[int, ...]:
        return ((-1, 3), (2,), (-1, -1))[index]

    def get_binding_dtype(self, index: int) -> Any:
        return SimpleNamespace(name=("FLOAT", "INT32", "HALF")[index])

    def get_profile_shape(self, profile: int, index: int) -> Any:
        assert (profile, index) == (0, 0)
        return RANGES

    def get_profile_shape_input(self, profile: int, index: int) -> Any:
        assert (profile, index) == (0, 1)
        return ([1, 1], [2, 2], [4, 4])


class OldContext:
    all_binding_shapes_specified = all_shape_inputs_specified = True

    def __init__(self) -> None:
        self.shapes: dict[int, Any] = {}
        self.values: dict[int, Any] = {}
        self.enqueued: list[tuple[list[int], int]] = []

    def set_binding_shape(self, index: int, shape: Any) -> bool:
        self.shapes[index] = shape
        return True

    def set_shape_input(self, index: int, values: Any) -> bool:
        self.values[index] = values
        return True

    def get_binding_shape(self, index: int) -> tuple[int, ...]:
        return (5, 6) if index == 2 else ()

    def execute_async_v2(self, bindings: list[int], stream: int) -> bool:
        self.enqueued.append((list(bindings), stream))
        return True


@pytest.fixture
def context() -> OldContext:
    return OldContext()


@pytest.fixture
def calls(context: OldContext) -> Any:
    module = SimpleNamespace(TensorLocation=SimpleNamespace(HOST="host", DEVICE="device"))
    return calls_of(module, OldEngine(), context)


def test_tensors_of_an_old_engine(calls: Any) -> None:
    assert isinstance(calls, Indexed)
    assert calls.tensors() == (
        IoTensor("x", True, "float32", (-1, 3), ranges=(RANGES,)),
        IoTensor("s", True, "int32", (2,), host=True, values=True, ranges=(((1, 1), (2, 2), (4, 4)),)),
        IoTensor("y", False, "float16", (-1, -1)),
    )


def test_execution_of_an_old_engine(calls: Any, context: OldContext) -> None:
    x, s, _ = calls.tensors()
    values = np.array([3, 4], np.int32)
    calls.use_profile(0, 7)
    calls.set_input(x, (4, 3), 1000)
    calls.set_input(s, (2,), values.ctypes.data)
    assert (context.shapes, context.values) == ({0: (4, 3)}, {1: [3, 4]})
    assert calls.unspecified() == []
    assert calls.output_shape("y") == (5, 6)
    assert calls.alias("y") == ""
    calls.set_output("y", 2000)
    assert calls.enqueue(7)
    assert context.enqueued == [([1000, values.ctypes.data, 2000, 0, 0, 0], 7)]
    context.all_shape_inputs_specified = False
    assert calls.unspecified() == ["an input"]


def test_output_of_unknown_size_needs_a_newer_release(calls: Any) -> None:
    with pytest.raises(OnnxfixError, match=r"'y' depends on data, which needs TensorRT 8.5 or later"):
        calls.set_allocator("y", object())


def test_the_names_are_those_of_the_real_library() -> None:
    real = pytest.importorskip("tensorrt_rtx")
    engine = (
        *("num_io_tensors", "get_tensor_name", "get_tensor_mode", "get_tensor_location", "is_shape_inference_io"),
        *("get_tensor_shape", "get_tensor_dtype", "get_tensor_vectorized_dim", "num_optimization_profiles"),
        *(
            "get_tensor_profile_shape",
            "get_tensor_profile_values",
            "create_execution_context",
            "get_aliased_input_tensor",
        ),
    )
    context = (
        *("set_input_shape", "set_tensor_address", "infer_shapes", "get_tensor_shape", "set_output_allocator"),
        *("set_optimization_profile_async", "execute_async_v3"),
    )
    assert [name for name in engine if not hasattr(real.ICudaEngine, name)] == []
    assert [name for name in context if not hasattr(real.IExecutionContext, name)] == []
    assert hasattr(real.IRuntimeConfig, "cuda_graph_strategy") and real.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    assert hasattr(real.Runtime, "deserialize_cuda_engine")
    assert real.IOutputAllocator
    assert {real.TensorIOMode.INPUT, real.TensorIOMode.OUTPUT} and real.TensorLocation.HOST
    assert isinstance(calls_of(real, real.ICudaEngine, None), Named)
