"""TensorRT and TensorRT-RTX behind one interface: what is installed, and what their parser and builder say."""

from __future__ import annotations

from onnxfix.engine.api import build
from onnxfix.engine.backend import installed
from onnxfix.engine.records import EngineError, EngineResult, Flavour, InputRange

__all__ = ["EngineError", "EngineResult", "Flavour", "InputRange", "build", "installed"]
