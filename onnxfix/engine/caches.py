"""Files that make the next build, or the first run, faster. Inside the sandbox only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnxfix.engine.records import Flavour
from onnxfix.errors import OnnxfixError
from onnxfix.files import write_whole


def use_timing_cache(module: Any, config: Any, flavour: Flavour, path: Path) -> None:
    """Give the measured times in `path` to the builder; a file that is not there yet is an empty cache.

    Raises OnnxfixError when the library has none (TensorRT-RTX measures nothing when it builds) or refuses the file.
    """
    if hasattr(module, "IRuntimeCache"):
        hint = "kernels are compiled where the engine runs: keep them with --runtime-cache"
        raise OnnxfixError(f"{flavour.title} has no timing cache", hint=hint)
    cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
    if cache is None or not config.set_timing_cache(cache, False):
        hint = "it is of another release or GPU, or damaged; delete it"
        raise OnnxfixError(f"{flavour.title} refuses this timing cache", where=str(path), hint=hint)


def keep_timing_cache(config: Any, path: Path) -> None:
    """Write what the builder has measured."""
    write_whole(path, bytes(config.get_timing_cache().serialize()))


def check_runtime_cache(module: Any, flavour: Flavour, gpu: bool) -> None:
    """Raise OnnxfixError where `fill_runtime_cache` could not work."""
    if not hasattr(module, "IRuntimeCache"):
        hint = "it compiles every kernel when it builds; --timing-cache makes the next build faster"
        raise OnnxfixError(f"{flavour.title} has no runtime cache", hint=hint)
    if not gpu:
        hint = "kernels are compiled for the GPU at hand; leave --runtime-cache away here"
        raise OnnxfixError("a runtime cache cannot be filled: this machine has no GPU", hint=hint)


def fill_runtime_cache(module: Any, log: Any, plan: Any, path: Path) -> None:
    """Compile the kernels of a plan for this machine's GPU and keep them in `path`, beside those that are there.

    Raises OnnxfixError when the engine does not load.
    """
    runtime = module.Runtime(log)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise OnnxfixError(f"the engine does not load here, so there is no runtime cache: {' '.join(log.take())}")
    config = engine.create_runtime_config()
    cache = config.create_runtime_cache()
    if path.is_file() and not cache.deserialize(path.read_bytes()):
        hint = "it is of another release, GPU or operating system; delete it"
        raise OnnxfixError("is not a runtime cache for this machine", where=str(path), hint=hint)
    config.set_runtime_cache(cache)
    config.dynamic_shapes_kernel_specialization_strategy = module.DynamicShapesKernelSpecializationStrategy.EAGER
    context = engine.create_execution_context(config)
    if context is None:
        raise OnnxfixError(f"the engine makes no context here: {' '.join(log.take())}")
    write_whole(path, bytes(cache.serialize()))
