"""Whole models as ONNX Runtime's own quantization tool writes them: repaired, equal, and built by TensorRT-RTX."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from onnxfix.api.repair import repair

IMAGE = """<ir_version: 8, opset_import: ["" : 13]>
g (float[N,3,8,8] x) => (float[N,5] y)
{ a = Conv<pads = [1,1,1,1]>(x, w1, b1)
  b = Relu(a)
  c = MaxPool<kernel_shape = [2,2], strides = [2,2]>(b)
  d = Conv<pads = [1,1,1,1]>(c, w2, b1)
  s = Add(d, c)
  q = Sigmoid(s)
  u = Mul(s, q)
  k = Concat<axis = 1>(u, c)
  p = AveragePool<kernel_shape = [2,2]>(k)
  l = LeakyRelu(p)
  m = GlobalAveragePool(l)
  f = Flatten(m)
  h = Gemm(f, w3, b3)
  y = Softmax(h) }"""
STEPS = """<ir_version: 8, opset_import: ["" : 13]>
g (float[T,1,6] x) => (float[T,1,4] y) <int64[1] one = {1}>
{ a, h, c = LSTM<hidden_size = 8>(x, w, r, b)
  s = Squeeze(a, one)
  m = MatMul(s, v)
  y = Add(m, e) }"""
WEIGHTS = {
    IMAGE: {"w1": (8, 3, 3, 3), "b1": (8,), "w2": (8, 8, 3, 3), "w3": (16, 5), "b3": (5,)},
    STEPS: {"w": (1, 32, 6), "r": (1, 32, 8), "b": (1, 64), "v": (8, 4), "e": (4,)},
}
SHAPES = {IMAGE: (2, 3, 8, 8), STEPS: (5, 1, 6)}


def _float_model(text: str, path: Path) -> None:
    model, random = onnx.parser.parse_model(text), np.random.default_rng(0)
    for name, shape in WEIGHTS[text].items():
        values = (random.normal(size=shape) * 0.3).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    onnx.save(model, path)


def _quantized(text: str, way: str, folder: Path) -> Path:
    """The model quantized: "dynamic", or format, activation type and weight type of a static quantization."""
    from onnxruntime import quantization as tool

    before, after = folder / "float.onnx", folder / "quantized.onnx"
    _float_model(text, before)
    if way.startswith("dynamic"):
        tool.quantize_dynamic(before, after, weight_type=tool.QuantType[way.split()[1]])
        return after

    class Reader(tool.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.sets: Iterator[dict[str, Any]] = iter(
                {"x": np.random.default_rng(seed).normal(size=SHAPES[text]).astype(np.float32)} for seed in range(2)
            )

        def get_next(self) -> dict[str, Any] | None:
            return next(self.sets, None)

    form, activations, weights = way.split()
    tool.quantize_static(
        before,
        after,
        Reader(),
        quant_format=tool.QuantFormat[form],
        activation_type=tool.QuantType[activations],
        weight_type=tool.QuantType[weights],
        per_channel=weights == "QInt8" and activations == "QUInt8",
    )
    return after


@pytest.mark.parametrize("text", [pytest.param(IMAGE, id="image"), pytest.param(STEPS, id="steps")])
@pytest.mark.parametrize(
    "way",
    [
        "dynamic QInt8",
        "dynamic QUInt8",
        "QDQ QUInt8 QInt8",
        "QDQ QInt8 QInt8",
        "QDQ QUInt16 QInt8",
        "QOperator QUInt8 QUInt8",
        "QOperator QInt8 QInt8",
    ],
)
def test_repaired_and_equal(text: str, way: str, tmp_path: Path) -> None:
    source, target = _quantized(text, way, tmp_path), tmp_path / "fixed.onnx"
    report = repair(source, target, target="rtx1.7")
    assert target.exists(), report.unwritten
    outcomes = {check.kind: check.outcome for check in report.verdict.checks}
    assert outcomes["numeric"] == "passed" and outcomes["engine"] == "passed"
