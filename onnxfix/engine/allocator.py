"""Memory for outputs whose size is known only when they have been computed (NonZero, Compress, NonMaxSuppression)."""

from __future__ import annotations

import functools
from typing import Any

from onnxfix.engine.cuda import Buffer
from onnxfix.errors import OnnxfixError


def make_allocator(module: Any, buffer: Buffer) -> Any:
    """An allocator for one output: `shape` is what the last execution gave, `error` why no memory was found.

    TensorRT 8.5 to 8.6 call `reallocate_output`, later releases and TensorRT-RTX `reallocate_output_async`.
    """
    return _class(module)(module, buffer)


@functools.cache
def _class(module: Any) -> Any:
    class Allocator(module.IOutputAllocator):  # type: ignore[misc]
        def __init__(self, module: Any, buffer: Buffer) -> None:
            module.IOutputAllocator.__init__(self)
            self.buffer = buffer
            self.shape: tuple[int, ...] = ()
            self.error: OnnxfixError | None = None

        def reallocate_output(self, name: str, memory: int, size: int, alignment: int) -> int:  # noqa: ARG002
            # An exception here would be lost in TensorRT: no address stops the execution, `error` says why.
            try:
                return self.buffer.device(size)
            except OnnxfixError as error:
                self.error = error
                return 0

        def reallocate_output_async(self, name: str, memory: int, size: int, alignment: int, _stream: int) -> int:
            return self.reallocate_output(name, memory, size, alignment)

        def notify_shape(self, name: str, shape: Any) -> None:  # noqa: ARG002
            self.shape = tuple(shape)

    return Allocator
