"""A model that computes in float16 inside is compared as such, one that only stores float16 is not."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from onnxfix.model import load
from onnxfix.verify.compare import TOLERANCES, tolerance_of
from onnxfix.verify.numeric import verify_numeric
from onnxfix.verify.rounding import coarsest_rounding

HEAD = '<ir_version: 8, opset_import: ["" : 17]> g (float[4] x) => (float[4] y) '
INSIDE = HEAD + "{ a = Cast <to = 10> (x) b = Mul (a, a) y = Cast <to = 1> (b) }"
BRAIN = HEAD + "{ a = Cast <to = 16> (x) y = Cast <to = 1> (a) }"
STORED = '<ir_version: 8, opset_import: ["" : 17]> g (float16[4] h) => (float[4] y) { y = Cast <to = 1> (h) }'
PLAIN = HEAD + "{ y = Mul (x, x) }"


@pytest.mark.parametrize(("text", "coarsest"), [(INSIDE, "float16"), (BRAIN, "bfloat16"), (STORED, ""), (PLAIN, "")])
def test_coarsest_rounding(text: str, coarsest: str) -> None:
    assert coarsest_rounding(load(onnx.parser.parse_model(text))) == coarsest


@pytest.mark.parametrize(("off", "outcome"), [(1.001, "passed"), (1.01, "failed")])
def test_a_rounding_inside_passes_and_a_wrong_factor_does_not(off: float, outcome: str, tmp_path: Path) -> None:
    scaled = (
        HEAD + f"<float k = {{{off}}}> {{ a = Cast <to = 10> (x) b = Mul (a, a) c = Cast <to = 1> (b) y = Mul (c, k) }}"
    )
    onnx.save(onnx.parser.parse_model(scaled), tmp_path / "scaled.onnx")
    check = verify_numeric(load(onnx.parser.parse_model(INSIDE)), tmp_path / "scaled.onnx")
    assert check.outcome == outcome, check.reason
    assert check.details["tolerances"] == {"float32": TOLERANCES["float16"]}


def test_a_float_model_keeps_its_tolerance(tmp_path: Path) -> None:
    scaled = HEAD + "<float k = {1.0005}> { b = Mul (x, x) y = Mul (b, k) }"
    onnx.save(onnx.parser.parse_model(scaled), tmp_path / "scaled.onnx")
    assert verify_numeric(load(onnx.parser.parse_model(PLAIN)), tmp_path / "scaled.onnx").outcome == "failed"
    assert tolerance_of("float16", "bfloat16") == TOLERANCES["bfloat16"]
    assert tolerance_of("int64", "float16") == (0.0, 0.0)
