"""What the fact base says of a model, and what the real TensorRT-RTX says."""

from __future__ import annotations

from pathlib import Path

import onnx

from onnxfix.legalise import known_refusals
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.targets import resolve
from onnxfix.verify.engine import verify_engine

RTX = resolve("rtx1.7")


def told_and_true(text: str, folder: Path, opset: int = 24) -> tuple[bool, bool]:
    """(whether the fact base says that a model is refused, whether it is)."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> {text}')
    onnx.save(model, folder / "m.onnx")
    known = known_refusals(typed_scopes(load(model))[0], RTX)
    return bool(known), verify_engine(folder / "m.onnx", RTX, run=False).outcome == "failed"
