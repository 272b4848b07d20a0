"""Loads a plan and runs it: in this process, for callers who have threads and engines of their own.

A broken engine can end the process. `onnxfix.engine.run` is the same in a child process.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxfix.engine import tensors as io
from onnxfix.engine.allocator import make_allocator
from onnxfix.engine.backend import choose
from onnxfix.engine.cuda import Buffer, Device, open_device
from onnxfix.engine.deserialize import deserialize
from onnxfix.engine.graph import Graph
from onnxfix.engine.header import SIZE, read_header
from onnxfix.engine.tensors import Array, IoTensor
from onnxfix.engine.timing import Sample, Timing, summary
from onnxfix.errors import OnnxfixError


class Engine:
    """One loaded plan with its execution context, stream and buffers.

    It may be used from any thread; calls from several threads wait in line. Close it, or use it in a `with` block.
    Arrays have the dtypes of `inputs` and `outputs`; bfloat16 and 8-bit floats are those of ml_dtypes.
    """

    def __init__(
        self, plan: Path | bytes, flavour: str | None = None, *, device: int = 0, cuda_graph: bool = False
    ) -> None:
        """Load a plan with `flavour` ("tensorrt" or "tensorrt_rtx") or the library that it is for, on GPU
        number `device`.

        `cuda_graph` captures the execution once for given shapes and then launches the graph.
        Raises OnnxfixError when the file cannot be read, there is no GPU or no PyCUDA, or TensorRT refuses the plan.
        """
        self._lock, self._closed = threading.Lock(), True
        data = _read(plan) if isinstance(plan, Path) else plan
        header = read_header(data[:SIZE])
        self.flavour = choose(flavour or (header.flavour if header else None))
        self._gpu: Device = open_device(device)
        self._buffers: dict[str, Buffer] = {}
        self._allocators: dict[str, Any] = {}
        self._cuda_graph = cuda_graph
        self._graph: Graph | None = None
        self._captured: tuple[Any, ...] = ()
        with self._gpu.active():
            self._loaded = deserialize(data, self.flavour, cuda_graph=cuda_graph)
            self._calls = self._loaded.calls
            self._stream = self._gpu.driver.Stream()
            self._tensors = self._calls.tensors()
        self._closed = False

    @property
    def inputs(self) -> tuple[IoTensor, ...]:
        """The inputs, in the engine's order."""
        return tuple(tensor for tensor in self._tensors if tensor.input)

    @property
    def outputs(self) -> tuple[IoTensor, ...]:
        """The outputs, in the engine's order."""
        return tuple(tensor for tensor in self._tensors if not tensor.input)

    @property
    def device(self) -> str:
        """The GPU: "NVIDIA H200 (compute capability 9.0)"."""
        return self._gpu.title

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises OnnxfixError for inputs that do not fit, a full GPU and a failed execution."""
        with self._lock, self._active():
            self._prepare(inputs)
            self._copy_in()
            self._start()
            shapes = self._copy_out()
            self._stream.synchronize()
            return {t.name: self._array(t, shapes[t.name]) for t in self.outputs}

    def time(self, inputs: Mapping[str, Array], iterations: int = 100, warmup: int = 10) -> Timing:
        """How long one execution takes, copies and compute apart. Raises as `run`."""
        with self._lock, self._active():
            self._prepare(inputs)
            events = [self._gpu.driver.Event() for _ in range(4)]
            for _ in range(max(warmup, 1)):
                self._timed(events)
            started = time.perf_counter()
            samples = [self._timed(events) for _ in range(max(iterations, 1))]
            return summary(samples, time.perf_counter() - started, warmup, self._cuda_graph)

    def close(self) -> None:
        """Give everything back; closing twice does nothing."""
        with self._lock:
            if self._closed:
                return
            with self._gpu.active():
                self._closed = True
                self._stream.synchronize()
                self._drop_graph()
                for buffer in self._buffers.values():
                    buffer.free()
                self._allocators.clear()
                del self._calls, self._stream
                self._loaded.free()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            with contextlib.suppress(Exception):  # in a forked child, or at the very end of the interpreter
                self.close()

    def _active(self) -> contextlib.AbstractContextManager[None]:
        if self._closed:
            raise OnnxfixError("this engine has been closed")
        return self._gpu.active()

    def _prepare(self, arrays: Mapping[str, Array]) -> None:
        """Inputs in page-locked memory, shapes and addresses told to TensorRT."""
        self._loaded.log.take()
        io.check_inputs(self._tensors, arrays)
        self._calls.use_profile(io.choose_profile(self._tensors, arrays), self._stream.handle)
        self._in: list[tuple[Buffer, int]] = []
        for tensor in self.inputs:
            data = io.to_bytes(arrays[tensor.name], tensor.dtype)
            buffer = self._buffer(tensor.name)
            host = buffer.host(data.size)
            host[:] = data
            if not tensor.host:
                self._in.append((buffer, data.size))
            address = buffer.host_address if tensor.host else buffer.device(data.size)
            self._calls.set_input(tensor, arrays[tensor.name].shape, address)
        if missing := self._calls.unspecified():
            raise OnnxfixError(f"TensorRT still misses {', '.join(missing)}: {' '.join(self._loaded.log.take())}")
        for tensor in self.outputs:
            self._prepare_output(tensor)
        if self._loaded.captures:
            self._capture(tuple(arrays[tensor.name].shape for tensor in self.inputs))

    def _prepare_output(self, tensor: IoTensor) -> None:
        shape, buffer = self._calls.output_shape(tensor.name), self._buffer(tensor.name)
        if -1 in shape:
            if tensor.name not in self._allocators:
                self._allocators[tensor.name] = make_allocator(self._loaded.module, buffer)
                self._calls.set_allocator(tensor.name, self._allocators[tensor.name])
            return
        size = io.byte_count(tensor.dtype, shape)
        address = 0 if tensor.host else self._memory(tensor).device(size)
        buffer.host(size)
        self._calls.set_output(tensor.name, address or buffer.host_address)

    def _capture(self, shapes: tuple[io.Shape, ...]) -> None:
        addresses = tuple(buffer.addresses for buffer in self._buffers.values())
        if self._captured == (shapes, addresses):
            return
        if self._allocators:
            raise OnnxfixError("an engine whose output sizes depend on data cannot be captured in a CUDA graph")
        self._drop_graph()
        stream = self._stream.handle
        self._copy_in()
        self._enqueue()  # what the library does at the first execution only must not be captured
        self._stream.synchronize()
        self._graph = Graph(stream, lambda: self._calls.enqueue(stream))
        self._captured = (shapes, addresses)

    def _drop_graph(self) -> None:
        if self._graph is not None:
            self._graph.free()
        self._graph, self._captured = None, ()

    def _copy_in(self) -> None:
        for buffer, size in self._in:
            if size:
                self._gpu.driver.memcpy_htod_async(buffer.device(size), buffer.host(size), self._stream)

    def _start(self) -> None:
        if self._graph is not None:
            self._graph.launch(self._stream.handle)
        else:
            self._enqueue()

    def _enqueue(self) -> None:
        if not self._calls.enqueue(self._stream.handle):
            self._stream.synchronize()  # the copies of the inputs: the next run writes into those buffers
            for allocator in self._allocators.values():
                if allocator.error is not None:
                    raise allocator.error
            raise self._loaded.refusal("does not run the engine")

    def _copy_out(self) -> dict[str, io.Shape]:
        """Start the copies back; the shapes of the outputs."""
        shapes = {}
        for tensor in self.outputs:
            allocator, buffer = self._allocators.get(tensor.name), self._buffer(tensor.name)
            shapes[tensor.name] = allocator.shape if allocator else self._calls.output_shape(tensor.name)
            size = io.byte_count(tensor.dtype, shapes[tensor.name])
            host = buffer.host(size)
            if size and not tensor.host:
                self._gpu.driver.memcpy_dtoh_async(host, self._memory(tensor).device(size), self._stream)
        return shapes

    def _array(self, tensor: IoTensor, shape: io.Shape) -> Array:
        return io.from_bytes(self._buffer(tensor.name).host(io.byte_count(tensor.dtype, shape)), tensor.dtype, shape)

    def _timed(self, events: list[Any]) -> Sample:
        start, copied, computed, end = events
        start.record(self._stream)
        self._copy_in()
        copied.record(self._stream)
        self._start()
        computed.record(self._stream)
        self._copy_out()
        end.record(self._stream)
        end.synchronize()
        return Sample(start.time_till(copied), copied.time_till(computed), computed.time_till(end))

    def _memory(self, tensor: IoTensor) -> Buffer:
        """Whose memory on the GPU an output is in: its own, or that of an input which is updated in place."""
        return self._buffer(self._calls.alias(tensor.name) or tensor.name)

    def _buffer(self, name: str) -> Buffer:
        return self._buffers.setdefault(name, Buffer(self._gpu))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OnnxfixError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
