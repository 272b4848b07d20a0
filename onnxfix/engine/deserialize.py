"""From the bytes of a plan to an engine with its execution context. Needs the GPU's context."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from onnxfix.engine.backend import load
from onnxfix.engine.calls import Calls, calls_of
from onnxfix.engine.cuda import ExecutionFailed, out_of_memory
from onnxfix.engine.log import logger
from onnxfix.engine.records import Flavour
from onnxfix.errors import OnnxfixError

_FULL = re.compile(r"out of memory|OutOfMemory|cudaErrorMemoryAllocation", re.IGNORECASE)


@dataclass
class Deserialized:
    """A loaded engine. `captures` says that the caller must capture CUDA graphs: the library does not."""

    flavour: Flavour
    module: Any
    log: Any
    calls: Calls
    owned: list[Any]
    captures: bool

    def free(self) -> None:
        """Let TensorRT's objects go, in the order that it wants: context, engine, runtime."""
        del self.calls
        while self.owned:
            del self.owned[0]

    def refusal(self, what: str) -> OnnxfixError:
        """The error for what TensorRT has just refused, with its own words."""
        return _refusal(self.flavour, self.log, what)


def deserialize(data: bytes, flavour: Flavour, *, cuda_graph: bool) -> Deserialized:
    """The engine in a plan. Raises OnnxfixError when TensorRT does not load it, or the GPU is full."""
    module = load(flavour.name)
    log = logger(module)
    log.take()
    if hasattr(module, "init_libnvinfer_plugins"):  # TensorRT-RTX has no plugin library
        module.init_libnvinfer_plugins(log, "")
    runtime = module.Runtime(log)
    engine = runtime.deserialize_cuda_engine(data)
    if engine is None:
        raise OnnxfixError(str(_refusal(flavour, log, "does not load the plan")))  # of another machine, mostly
    # TensorRT-RTX captures graphs itself, also when sizes change.
    itself = cuda_graph and hasattr(module, "CudaGraphStrategy")
    context = _capturing(module, engine) if itself else engine.create_execution_context()
    if context is None:
        raise _refusal(flavour, log, "makes no execution context")
    calls = calls_of(module, engine, context)
    return Deserialized(flavour, module, log, calls, [context, engine, runtime], cuda_graph and not itself)


def _capturing(module: Any, engine: Any) -> Any:
    config = engine.create_runtime_config()
    config.cuda_graph_strategy = module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    return engine.create_execution_context(config)


def _refusal(flavour: Flavour, log: Any, what: str) -> OnnxfixError:
    reason = " ".join(log.take()) or "it gave no reason"
    if _FULL.search(reason):
        return out_of_memory(reason)
    return ExecutionFailed(f"{flavour.title} {what}: {reason}")
