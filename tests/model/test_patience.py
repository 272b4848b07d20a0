from __future__ import annotations

import onnx
import pytest

from onnxfix.model import load
from onnxfix.model.patience import at_most, patience


@pytest.mark.parametrize(
    ("nodes", "limit", "told"), [(1, 300, ""), (20_000, 600, ", at most 10 min"), (400_000, 3600, ", at most 60 min")]
)
def test_large_models_get_more_time(nodes: int, limit: float, told: str) -> None:
    """Nodes of graphs inside nodes count."""
    body = onnx.GraphProto(node=[onnx.NodeProto(op_type="Relu")] * (nodes - 1), name="body")
    holder = onnx.helper.make_node("Loop", [], [], body=body)
    model = load(onnx.ModelProto(ir_version=8, graph=onnx.GraphProto(node=[holder])))
    assert patience(model, 300.0) == limit and at_most(model, 300.0) == told
    assert patience(model, 7200.0) == 7200.0
