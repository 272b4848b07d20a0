from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from onnxfix.model import load
from onnxfix.records import Check
from onnxfix.verify.numeric import verify_numeric

Verify = Callable[..., Check]


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    """Compares two models given as ONNX text, without the line of versions when it is opset 17."""

    def run(before: str, after: str, **options: object) -> Check:
        for name, text in (("before", before), ("after", after)):
            head = "" if text.startswith("<") else '<ir_version: 8, opset_import: ["" : 17]>\n'
            onnx.save(onnx.parser.parse_model(head + text), tmp_path / f"{name}.onnx")
        return verify_numeric(load(tmp_path / "before.onnx"), tmp_path / "after.onnx", **options)  # type: ignore[arg-type]

    return run
