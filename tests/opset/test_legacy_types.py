"""Ranks are known in models of opset 1 to 6, though the operators' first versions tell no types."""

from __future__ import annotations

from typing import Any

import onnx
import pytest

from onnxfix.model import load
from onnxfix.model.inference import typed_scopes


@pytest.mark.parametrize("opset", [5, 6])
@pytest.mark.parametrize(
    "node",
    [
        "a = Relu (x)",
        "a = Clip <min = 0.0> (x)",
        "a = BatchNormalization <is_test = 1, consumed_inputs = [0, 0, 0, 1, 1]> (x, b, b, b, b)",
        "a = Dropout <is_test = 1> (x)",
        'a = Upsample <mode = "nearest", height_scale = 1.0, width_scale = 1.0> (x)',
        "a = Mul <broadcast = 1, axis = 1> (x, b)",
    ],
)
def test_a_bias_behind_an_old_operator(convert: Any, opset: int, node: str) -> None:
    text = f"""<ir_version: 3, opset_import: ["" : {opset}]> g (float[1,3,4,4] x, float[3] b) => (float[1,3,4,4] y)
    {{ {node}
       c = Identity (a)
       y = Add <broadcast = 1, axis = 1> (c, b) }}"""
    main = typed_scopes(load(onnx.parser.parse_model(text)))[0][0]
    assert main.type_of("c").dims == (1, 3, 4, 4)
    if "consumed_inputs" not in node or opset == 5:
        assert "Unsqueeze" in [made.op_type for made in convert(text, 13).graph.node]
