"""Random arithmetic on int64 vectors, fed by inputs of few bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st

NUMBERS = st.sampled_from([0, 1, -1, 2, 3, -7, 255, 2**15, 2**16, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**62])
NARROW = ["v0", "v1", "v2", "v3"]
"""The inputs of few bits, as int64."""
BOUNDS = st.sampled_from([0, 1, 2, -1, -3, 5, 2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)])
ARITHMETIC = ["Add", "Sub", "Mul", "Div", "Mod", "Min", "Max", "Clip", "Where", "Concat", "Neg", "Abs", "Gather"]


class _Graph:
    """A random graph over int64 vectors of one length, fed by narrow inputs through Casts."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def add(self, op: str, inputs: list[str], **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(op, inputs, [name], **attributes))
        return name

    def constant(self, values: Any, *, as_node: bool) -> str:
        tensor = onnx.numpy_helper.from_array(np.asarray(values, np.int64), f"c{len(self.nodes)}_{len(self.tensors)}")
        if as_node:
            return self.add("Constant", [], value=tensor)
        self.tensors.append(tensor)
        return tensor.name


@st.composite
def graphs(draw: Any) -> onnx.ModelProto:
    graph = _Graph()
    values = [graph.add("Cast", [name], to=7) for name in ("b", "u8", "i16", "i32")]
    assert values == NARROW
    if draw(st.booleans()):
        values.append("wide")
    for _ in range(draw(st.integers(1, 8))):
        values.append(_step(draw, graph, values))
    sink = draw(st.sampled_from(["float", "bool", "int64", "gather"]))
    _finish(draw, graph, values[-1], sink)
    outputs = [onnx.helper.make_tensor_value_info("y", {"bool": 9, "int64": 7}.get(sink, 1), [None])]
    kinds = {"b": 9, "u8": 2, "i16": 5, "i32": 6, "wide": 7}
    inputs = [onnx.helper.make_tensor_value_info(name, kind, [3]) for name, kind in kinds.items()]
    proto = onnx.helper.make_graph(graph.nodes, "g", inputs, outputs, graph.tensors)
    return onnx.helper.make_model(proto, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)])


def _step(draw: Any, graph: _Graph, values: list[str]) -> str:
    op = draw(st.sampled_from([*ARITHMETIC, "Slice"]))
    left = draw(st.sampled_from(values))
    fixed = graph.constant(draw(st.lists(NUMBERS, min_size=3, max_size=3)), as_node=draw(st.booleans()))
    right = draw(st.sampled_from([*values, fixed, fixed]))
    if op in ("Neg", "Abs"):
        return graph.add(op, [left])
    if op in ("Div", "Mod"):
        number = draw(st.sampled_from([1, 2, 7, -1, -5, 2**31, 2**40]))
        if number == -1:  # the smallest int64 divided by -1 kills ONNX Runtime; of int32's smallest it is 2**31
            left = draw(st.sampled_from(NARROW))
        divisor = graph.constant(number, as_node=False)
        return graph.add(op, [left, divisor], **({"fmod": draw(st.integers(0, 1))} if op == "Mod" else {}))
    if op == "Clip":
        bounds = [graph.constant(draw(NUMBERS), as_node=False) for _ in range(2)]
        return graph.add(op, [left, *bounds])
    if op == "Where":
        return graph.add(op, ["b", left, right])
    if op == "Concat":  # keep the length: both halves, then the first three
        both = graph.add(op, [left, right], axis=0)
        return graph.add("Gather", [both, graph.constant([5, 0, -4], as_node=False)], axis=0)
    if op == "Gather":
        return graph.add(op, [left, graph.constant([2, -3, 1], as_node=draw(st.booleans()))], axis=0)
    if op == "Slice":
        step = draw(st.sampled_from([1, -1, 2]))
        bounds = [graph.constant([draw(BOUNDS)], as_node=draw(st.booleans())) for _ in range(2)]
        axes, steps = (graph.constant([number], as_node=False) for number in (0, step))
        part = graph.add(op, [left, *bounds, axes, steps])
        whole = graph.add("Concat", [part, left], axis=0)
        return graph.add("Gather", [whole, graph.constant([0, 1, 2], as_node=False)], axis=0)
    return graph.add(op, [left, right])


def _finish(draw: Any, graph: _Graph, last: str, sink: str) -> None:
    if sink == "float":
        graph.nodes.append(onnx.helper.make_node("Cast", [last], ["y"], to=1))
    elif sink == "bool":
        graph.nodes.append(onnx.helper.make_node(draw(st.sampled_from(["Less", "Equal"])), [last, "v0"], ["y"]))
    elif sink == "int64":
        graph.nodes.append(onnx.helper.make_node("Identity", [last], ["y"]))
    else:
        low = graph.add("Clip", [last, *(graph.constant(number, as_node=False) for number in (-3, 2))])
        weights = graph.add("Cast", ["i16"], to=1)
        graph.nodes.append(onnx.helper.make_node("Gather", [weights, low], ["y"]))


FEEDS = {
    "b": np.array([True, False, True]),
    "u8": np.array([0, 255, 17], np.uint8),
    "i16": np.array([-(2**15), 2**15 - 1, 3], np.int16),
    "i32": np.array([-(2**31), 2**31 - 1, -1], np.int32),
    "wide": np.array([-(2**63), 2**63 - 1, 5]),
}
