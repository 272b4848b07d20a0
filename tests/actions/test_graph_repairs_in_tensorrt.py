"""What TensorRT-RTX refuses in a broken graph, it builds in the repaired one."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from broken_graphs import model, repaired

from onnxfix.engine import build

LONG = "v" * 4500
REFUSED = {
    "OFX101": "g (float[2] x) => (float[2] y) { y = Relu(x) u = Unique(x) }",
    "OFX102": "g (float[2] x) => (float[2] y) <int16[2] w = {1, 2}> { y = Relu(x) }",
    "OFX104": "g (float[2] x) => (float[2] y) { a = Relu(x) b = Exp(a) a = Neg(b) y = Add(a, b) }",
    "OFX106": f"g (float[2] x) => (float[2] y) {{ {LONG} = Relu(x) y = Neg({LONG}) }}",
    "OFX109": 'g (float[2] x) => (float[2] y) { a, "" = Dropout(x) y = Relu(a) }',
    "OFX110": "g (float[2] x) => (float[2] y) { y = Relu(x) z = Add(x, lost) }",
    "OFX112": "g (float[2] x) => (float[2] y) <float[1] w = {1}, float[1] w = {1}> { y = Mul(x, w) }",
    "OFX401": "g (float[2] x) => () { y = Relu(x) }",
    "OFX403": "g (float[2] x) => (y) { y = Relu(x) }",
}


@pytest.mark.parametrize("code", REFUSED)
def test_tensorrt_refuses_the_broken_and_builds_the_repaired(code: str, tmp_path: Path) -> None:
    broken = model(REFUSED[code])
    assert _outcome(broken, tmp_path) != "built"
    assert _outcome(repaired(broken, code).model.proto, tmp_path) == "built"


def _outcome(proto: onnx.ModelProto, folder: Path) -> str:
    path = folder / "model.onnx"
    onnx.save(proto, path)
    return build(path, "tensorrt_rtx").outcome
