"""Runs crash-prone libraries in a child process with a time limit.

TensorRT, ONNX Runtime, the ONNX checker and shape inference may die by a signal or hang on some models.
Here that becomes an exception of the caller: SandboxCrash or SandboxTimeout.
"""

from __future__ import annotations

from onnxfix.sandbox.errors import SandboxCrash, SandboxError, SandboxFailure, SandboxTimeout
from onnxfix.sandbox.memory import limited_memory
from onnxfix.sandbox.process import Sandbox, checker, default, full_precision

__all__ = [
    "Sandbox",
    "SandboxCrash",
    "SandboxError",
    "SandboxFailure",
    "SandboxTimeout",
    "checker",
    "default",
    "full_precision",
    "limited_memory",
]
