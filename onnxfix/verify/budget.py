"""Is there memory enough to run or build a model?  Asked before anything is loaded."""

from __future__ import annotations

import os

from onnxfix.errors import OnnxfixError
from onnxfix.machine import free_memory
from onnxfix.model import Model, external_tensors
from onnxfix.model.weights import size_text

NUMERIC = 1.5
"""Bytes of memory for each byte of weights that the comparison takes (1.1 measured with ONNX Runtime 1.32, which runs
one model after the other)."""

ENGINE = 2.5
"""The same for parsing and building an engine (2.1 measured with TensorRT-RTX 1.7.1)."""

_BESIDE = 1 << 29
"""Bytes for the libraries and the values."""

_ALWAYS = 1 << 28
"""Weights of fewer bytes than this are always tried."""


def short_of_memory(model: Model, factor: float) -> str:
    """Why the weights of a model are too large to be worked with here, or "".  `factor` is NUMERIC or ENGINE."""
    weights = sum(model.extent(tensor).length for tensor in external_tensors(model.proto))
    needed, free = int(factor * weights) + _BESIDE, available_memory()
    if weights < _ALWAYS or free is None or needed <= free:
        return ""
    return (
        f"the weights ({size_text(weights)}) do not fit: about {size_text(needed)} of memory are needed, "
        f"and {size_text(free)} are available"
    )


def ensure_memory(model: Model, factor: float) -> None:
    """Raises OnnxfixError when the weights of a model are too large to be worked with here, before they are read."""
    if reason := short_of_memory(model, factor):
        hint = "run it where there is more memory, or on a part of the model: `onnxfix extract`"
        raise OnnxfixError(reason, where=model.label, hint=hint)


def available_memory() -> int | None:
    """Bytes that a new process can have without swapping; all of the machine's where the system does not tell."""
    free = free_memory()
    return _physical() if free is None else free


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
