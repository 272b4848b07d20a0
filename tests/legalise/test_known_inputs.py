"""Facts about inputs, outputs and types against the real TensorRT-RTX: refused forms, and neighbours that build."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from onnxfix.legalise import known_refusals
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.targets import resolve
from onnxfix.verify.engine import verify_engine

pytest.importorskip("tensorrt_rtx")
RTX = resolve("rtx1.7")

FORMS = {
    "axes-fed": (
        "g (float[2,3] x, int64[1] a) => (float[N,M] y) { y = ReduceSum (x, a) }",
        "g (float[2,3] x) => (float[2,1] y) <int64[1] a = {1}> { y = ReduceSum (x, a) }",
    ),
    "axes-sized": (
        "g (float[2,3] x) => (float[N,M] y) <int64 one = {1}, int64[1] z = {0}> "
        "{ s = Shape (x) r = Size (s) q = Sub (r, one) a = Unsqueeze (q, z) y = ReduceSum (x, a) }",
        "g (float[2,3] x) => (float[1,3] y) <int64[1] z = {0}> { y = ReduceSum (x, z) }",
    ),
    "zero-point": (
        "g (float[2,3] x) => (int8[2,3] y) <float s = {0.5}, int8 z = {3}> { y = QuantizeLinear (x, s, z) }",
        "g (float[2,3] x) => (float[2,3] y) <float s = {0.5}, int8 z = {0}> "
        "{ q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z) }",
    ),
    "large-k": (
        "g (float[4000] x) => (float[3841] y, int64[3841] i) <int64[1] k = {3841}> { y, i = TopK (x, k) }",
        "g (float[4000] x) => (float[3840] y, int64[3840] i) <int64[1] k = {3840}> { y, i = TopK (x, k) }",
    ),
    "second-output": (
        "g (float[1,1,4,4] x) => (float[1,1,2,2] y, int64[1,1,2,2] i) "
        "{ y, i = MaxPool <kernel_shape = [2,2], strides = [2,2]> (x) }",
        "g (float[1,1,4,4] x) => (float[1,1,2,2] y) { y = MaxPool <kernel_shape = [2,2], strides = [2,2]> (x) }",
    ),
    "spatial-axes": (
        "g (float[1,1,2,2,2,2] x) => (float[1,1,1,1,1,1] y) { y = AveragePool <kernel_shape = [2,2,2,2]> (x) }",
        "g (float[1,1,2,2,2] x) => (float[1,1,1,1,1] y) { y = AveragePool <kernel_shape = [2,2,2]> (x) }",
    ),
    "nine-dimensions": (
        "g (float[1,1,1,1,1,1,1,1,2] x) => (float[1,1,1,1,1,1,1,1,2] y) { y = Relu (x) }",
        "g (float[1,1,1,1,1,1,1,2] x) => (float[1,1,1,1,1,1,1,2] y) { y = Relu (x) }",
    ),
    "unnamed-type": (
        "g (int16[3] x) => (float[3] y) { y = Cast <to = 1> (x) }",
        "g (int32[3] x) => (float[3] y) { y = Cast <to = 1> (x) }",
    ),
    "uint8-inside": (
        "g (float[3] x) => (float[3] y) { u = Cast <to = 2> (x) y = Cast <to = 1> (u) }",
        "g (float[3] x) => (uint8[3] y) { y = Cast <to = 2> (x) }",
    ),
    "float-remainder": (
        "g (float[3] x, float[3] z) => (float[3] y) { y = Mod (x, z) }",
        "g (float[3] x, float[3] z) => (float[3] y) { y = Mod <fmod = 1> (x, z) }",
    ),
    "sequence": (
        "g (seq(float[3]) x) => (seq(float[3]) y) { y = Identity (x) }",
        "g (float[3] x) => (float[3] y) { y = Identity (x) }",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_is_known_is_true(name: str, tmp_path: Path) -> None:
    for text, taken in zip(FORMS[name], (False, True), strict=True):
        model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18]> {text}')
        known = known_refusals(typed_scopes(load(model))[0], RTX)
        onnx.save(model, tmp_path / "m.onnx")
        real = verify_engine(tmp_path / "m.onnx", RTX)
        assert (real.outcome == "passed") == taken, real.reason
        assert bool(known) != taken, known.wide


def test_operands_of_old_opsets(tmp_path: Path) -> None:
    text = "g (float[2,3] x, float[3] z) => (float[2,3] y) { y = Add <broadcast = 1> (x, z) }"
    for opset, said in ((6, True), (7, False)):
        body = text if said else text.replace("<broadcast = 1> ", "")
        model = onnx.parser.parse_model(f'<ir_version: 3, opset_import: ["" : {opset}]> {body}')
        assert bool(known_refusals(typed_scopes(load(model))[0], RTX)) == said
        onnx.save(model, tmp_path / "m.onnx")
        assert (verify_engine(tmp_path / "m.onnx", RTX).outcome == "failed") == said


def test_what_the_model_does_not_tell_is_no_refusal() -> None:
    text = "g (float[N] x, int64 k) => (float[M] y) { r = Range (k, k, k) y = my.What (x, r) z = Relu (y) }"
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18, "my" : 1]> {text}')
    assert not known_refusals(typed_scopes(load(model))[0], RTX)
