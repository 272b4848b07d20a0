"""Questions about one library each, for `doctor`. Inside the sandbox only: a broken install may crash."""

from __future__ import annotations

import ctypes
import importlib
import os
from dataclasses import dataclass
from typing import Any

from onnxfix.engine import cuda
from onnxfix.engine.backend import load
from onnxfix.engine.log import logger
from onnxfix.engine.options import network_flags
from onnxfix.errors import OnnxfixError

# The shared objects of each Python module, newest name first, and the function that tells their version.
_CORES = {
    "tensorrt": ("libnvinfer.so.11", "libnvinfer.so.10", "libnvinfer.so.8"),
    "tensorrt_rtx": ("libtensorrt_rtx.so.1",),
}
_PARTS = ("Major", "Minor", "Patch", "Build")


@dataclass(frozen=True, slots=True)
class Library:
    """`bindings` and `core` are the versions of the Python module and of the shared object, "" where not told.

    `refusal` says why no builder could be made, "" when one was.
    """

    bindings: str
    core: str
    refusal: str


def library(name: str) -> Library:
    """What the TensorRT module of that name says, and whether it makes a builder and a network."""
    module = load(name)
    log = logger(module)
    log.take()
    refusal = ""
    try:
        module.Builder(log).create_network(network_flags(module, False))
    except (TypeError, AttributeError) as error:
        refusal = " ".join(log.take()) or str(error)
    return Library(str(getattr(module, "__version__", "")), _core_version(name), refusal)


def _core_version(name: str) -> str:
    """The version of the shared object, which the module has loaded."""
    for file in _CORES[name]:
        try:
            core = ctypes.CDLL(file, mode=getattr(os, "RTLD_NOLOAD", 0))
        except OSError:
            continue
        if hasattr(core, "getInferLibMajorVersion"):
            return ".".join(str(getattr(core, f"getInferLib{part}Version")()) for part in _PARTS)
        number = core.getInferLibVersion()  # before 9: 8601 for 8.6.1
        return f"{number // 1000}.{number // 100 % 10}.{number % 100}"
    return ""


def onnxruntime() -> tuple[str, tuple[str, ...]]:
    """Version and execution providers of ONNX Runtime, after it has run a model."""
    import numpy as np
    import onnx

    runtime: Any = importlib.import_module("onnxruntime")
    text = '<ir_version: 8, opset_import: ["" : 13]> g (float[2] x) => (float[2] y) { y = Neg(x) }'
    model = onnx.parser.parse_model(text).SerializeToString()
    session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"x": np.array([1, 2], np.float32)})
    if answer.tolist() != [-1.0, -2.0]:
        raise OnnxfixError(f"ONNX Runtime computes -[1, 2] as {answer.tolist()}")
    return runtime.__version__, tuple(runtime.get_available_providers())


def pycuda() -> tuple[str, str, str]:
    """Version of PyCUDA, the CUDA it was compiled with, and the GPU on which a context was made and left.

    Raises OnnxfixError when it is not there, does not load, or makes no context.
    """
    device = cuda.open_device()
    with device.active():
        device.memory()
    version = importlib.import_module("pycuda").VERSION_TEXT
    return version, ".".join(map(str, device.driver.get_version())), device.title
