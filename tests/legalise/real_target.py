"""What the fact base says of a model, and what the real TensorRT-RTX says."""

from __future__ import annotations

from pathlib import Path

import onnx

from onnxfix.legalise import known_refusals
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.targets import resolve
from onnxfix.verify.engine import verify_engine, verify_fitting

RTX = resolve("rtx1.7")


def told_and_true(text: str, folder: Path, opset: int = 24) -> tuple[bool, bool]:
    """(whether the fact base says that a model is refused, whether it is, whatever the sizes that fit it)."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> {text}')
    onnx.save(model, folder / "m.onnx")
    known = known_refusals(typed_scopes(load(model))[0], RTX)
    check = verify_engine(folder / "m.onnx", RTX, run=False)
    if check.outcome == "failed":
        check = verify_fitting(folder / "m.onnx", check, RTX, run=False)
    return bool(known), check.outcome == "failed"
