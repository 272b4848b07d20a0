"""CUDA graphs, which PyCUDA does not offer: the driver's own calls through ctypes (CUDA 11.4 and later)."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

from onnxfix.errors import OnnxfixError

_THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: calls of other threads neither disturb nor are captured


class Graph:
    """Work captured from a stream, ready to be launched again. Every method needs the context."""

    def __init__(self, stream: int, work: Callable[[], bool]) -> None:
        """Capture what `work` puts on the stream. Raises OnnxfixError when that cannot be captured."""
        self._executable = ctypes.c_void_p()
        graph = ctypes.c_void_p()
        _call("cuStreamBeginCapture_v2", ctypes.c_void_p(stream), ctypes.c_int(_THREAD_LOCAL))
        try:
            started = work()
        finally:
            ended = _library().cuStreamEndCapture(ctypes.c_void_p(stream), ctypes.byref(graph))
        if not started or ended or not graph.value:
            raise OnnxfixError("this engine cannot be captured in a CUDA graph", hint="run it without --cuda-graph")
        try:
            _call("cuGraphInstantiateWithFlags", ctypes.byref(self._executable), graph, ctypes.c_ulonglong(0))
        finally:
            _call("cuGraphDestroy", graph)

    def launch(self, stream: int) -> bool:
        """Start the captured work on the stream."""
        _call("cuGraphLaunch", self._executable, ctypes.c_void_p(stream))
        return True

    def free(self) -> None:
        """Give the graph back."""
        _call("cuGraphExecDestroy", self._executable)


@functools.cache
def _library() -> Any:
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise OnnxfixError("the CUDA driver library cannot be loaded")


def _call(function: str, *arguments: Any) -> None:
    code = getattr(_library(), function)(*arguments)
    if code:
        raise OnnxfixError(f"CUDA stopped: {function} gave error {code}")
