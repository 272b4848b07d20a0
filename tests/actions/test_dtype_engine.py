"""The dtype rules that hold for TensorRT-RTX, asked of the real library: it refuses the model before, not after."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from onnxfix.engine import build
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.rewrite.rule import Example

CODES = ("OFX202", "OFX203", "OFX205", "OFX206", "OFX207", "OFX208", "OFX209", "OFX210")
LEFT_OUT = (
    "OFX202-4",  # ONNX forbids an int32 shape, TensorRT-RTX takes it
    "OFX208-2",  # TensorRT-RTX reads no uint8 input inside a branch, cast or not
)
CASES = [
    pytest.param(example, id=f"{rule.code}-{number}")
    for rule in load_rules()
    if rule.code in CODES
    for number, example in enumerate(rule.examples, 1)
    if example.after is not None and f"{rule.code}-{number}" not in LEFT_OUT
]


@pytest.mark.parametrize("example", CASES)
def test_the_engine_refuses_before_and_builds_after(example: Example, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    before, after = (tmp_path / name for name in ("before.onnx", "after.onnx"))
    onnx.save(onnx.parser.parse_model(example.before), before)
    onnx.save(onnx.parser.parse_model(example.after or ""), after)
    assert not build(before, "tensorrt_rtx").built
    assert build(after, "tensorrt_rtx").built
