"""One call: an ONNX file in, the verdict of a real TensorRT library out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from onnxfix import sandbox
from onnxfix.engine.backend import choose, gpu_present
from onnxfix.engine.options import BuildOptions
from onnxfix.engine.profile import Sizes
from onnxfix.engine.records import PARSING, EngineError, EngineResult, Stage
from onnxfix.errors import OnnxfixError

_SHAPE_ELEMENTS = 64


def build(
    path: Path,
    flavour: str | None = None,
    compute_capability: str | None = None,
    timeout: float = 300.0,
    *,
    sizes: Sizes | None = None,
    plan: Path | None = None,
    sample: Mapping[str, Any] | None = None,
    options: BuildOptions | None = None,
    runtime_cache: Path | None = None,
    progress: Callable[[tuple[str, float]], object] | None = None,
    box: sandbox.Sandbox | None = None,
) -> EngineResult:
    """Parse and build `path` in the sandbox, with `flavour` ("tensorrt" or "tensorrt_rtx") or the best installed.

    `compute_capability` is "8.9" or the like; the default is the GPU of this machine, or 8.9 where none is.
    `timeout` is in seconds. `sizes` maps a dimension name or "input[axis]" to (min, opt, max). `plan` is a file
    to write the engine to. `sample` holds recorded inputs (arrays by name);
    the profile is made for them.
    `options` has the rest; `runtime_cache` is a file for the kernels that TensorRT-RTX compiles on this GPU.
    `progress` is called with the name of a phase and the fraction that is done. `box` is the sandbox to build in.
    A model that kills or hangs the library has the outcome "crashed" or "timeout"; the stage of a timeout's error
    says whether the parser was still reading.
    Raises OnnxfixError when the library is not installed, or lacks what `options` ask for.
    """
    library = choose(flavour)
    if not path.is_file():
        raise OnnxfixError("no such file", where=str(path))
    options = options or BuildOptions()
    if compute_capability:
        options = replace(options, compute_capabilities=(compute_capability,))
    failed = EngineResult("build_failed", library, ", ".join(options.compute_capabilities), gpu_present())
    phases = [PARSING]

    def told(news: tuple[str, float]) -> None:
        phases.append(news[0])
        if progress is not None:
            progress(news)

    try:
        result = (box or sandbox.default()).call(
            "onnxfix.engine.builder:build_file",
            str(path.absolute()),  # the child may have another working folder
            library,
            options,
            sizes or {},
            {name: _shape_and_values(value) for name, value in (sample or {}).items()},
            str(plan.absolute()) if plan else "",
            str(runtime_cache.absolute()) if runtime_cache else "",
            timeout=timeout,
            progress=told,
        )
    except sandbox.SandboxCrash as crash:
        error = EngineError("CRASH", f"{library.title} crashed on this model ({crash.signal})", stage="build")
        return replace(failed, outcome="crashed", errors=(error,), signal=crash.signal)
    except sandbox.SandboxTimeout:
        stage: Stage = "parse" if phases[-1] == PARSING else "build"
        error = EngineError("TIMEOUT", f"{library.title} took longer than {timeout:g} s", stage=stage)
        return replace(failed, outcome="timeout", errors=(error,), seconds=timeout)
    assert isinstance(result, EngineResult)
    return result


def _shape_and_values(value: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What a profile needs of a recorded input; only few integers can be a shape."""
    array = np.asarray(value)
    small = array.dtype.kind in "iu" and array.size <= _SHAPE_ELEMENTS
    return array.shape, tuple(int(item) for item in array.reshape(-1)) if small else ()
