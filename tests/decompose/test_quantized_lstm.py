"""DynamicQuantizeLSTM step by step gives the numbers of ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from onnxfix.model.model import Array
from tests.decompose.proving import builds, prove, reason

HIDDEN, INPUTS = 6, 5


def _model(
    directions: int, *, each: bool, states: bool, peepholes: bool, kind: str, **attributes: Any
) -> onnx.ModelProto:
    """An LSTM whose weights are 8-bit numbers with one scale for each direction, or for each column."""
    random = np.random.default_rng(directions)
    low, high = (0, 256) if kind == "uint8" else (-128, 128)
    count = (directions, 4 * HIDDEN) if each else (directions,)
    stored: dict[str, Array] = {
        "w": random.integers(low, high, (directions, INPUTS, 4 * HIDDEN)).astype(kind),
        "r": random.integers(low, high, (directions, HIDDEN, 4 * HIDDEN)).astype(kind),
        "b": random.normal(size=(directions, 8 * HIDDEN)).astype(np.float32),
        "p": random.normal(size=(directions, 3 * HIDDEN)).astype(np.float32),
        "ws": random.uniform(0.001, 0.01, count).astype(np.float32),
        "rs": random.uniform(0.001, 0.01, count).astype(np.float32),
        "wz": np.zeros(count, kind) if kind == "int8" else np.full(count, 120, kind),
        "rz": np.zeros(count, kind) if kind == "int8" else np.full(count, 130, kind),
    }
    names = ["x", "w", "r", "b", "", "h" if states else "", "c" if states else "", "p" if peepholes else ""]
    node = onnx.helper.make_node(
        "DynamicQuantizeLSTM",
        [*names, "ws", "wz", "rs", "rz"],
        ["y", "yh", "yc"],
        domain="com.microsoft",
        hidden_size=HIDDEN,
        **attributes,
    )
    info, number = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    state = [info(name, number, [directions, 1, HIDDEN]) for name in "hc"] if states else []
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [info("x", number, ["T", 1, INPUTS]), *state],
        [
            info("y", number, ["T", directions, 1, HIDDEN]),
            *(info(n, number, [directions, 1, HIDDEN]) for n in ("yh", "yc")),
        ],
        [onnx.numpy_helper.from_array(array, name) for name, array in stored.items() if name != "p" or peepholes],
    )
    imports = [onnx.helper.make_opsetid("", 13), onnx.helper.make_opsetid("com.microsoft", 1)]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)


def _feeds(directions: int, states: bool) -> dict[str, Array]:
    random = np.random.default_rng(7)
    x = {"x": random.normal(size=(4, 1, INPUTS)).astype(np.float32)}
    return x | ({n: random.normal(size=(directions, 1, HIDDEN)).astype(np.float32) for n in "hc"} if states else {})


@pytest.mark.parametrize(
    ("direction", "each", "states", "peepholes", "kind", "more"),
    [
        ("forward", False, False, False, "int8", {}),
        ("forward", True, True, False, "int8", {}),
        ("reverse", False, True, False, "uint8", {}),
        ("bidirectional", False, False, False, "int8", {}),
        ("forward", True, True, True, "int8", {}),
        ("bidirectional", True, True, False, "int8", {"clip": 0.5}),
        ("forward", False, False, False, "int8", {"activations": ["Sigmoid", "Relu", "Tanh"]}),
    ],
)
def test_numbers(direction: str, each: bool, states: bool, peepholes: bool, kind: str, more: dict[str, Any]) -> None:
    count = 2 if direction == "bidirectional" else 1
    model = _model(count, each=each, states=states, peepholes=peepholes, kind=kind, direction=direction, **more)
    result = prove(model, "OFX763", _feeds(count, states))
    assert [node.op_type for node in result.graph.node].count("Scan") == count


def test_the_engine_takes_what_it_refused() -> None:
    model = _model(1, each=False, states=False, peepholes=False, kind="int8")
    assert not builds(model) and builds(prove(model, "OFX763"))


def test_coupled_gates_are_left_alone() -> None:
    model = _model(1, each=False, states=False, peepholes=False, kind="int8", input_forget=1)
    assert "coupled gates" in reason(model, "OFX763")


def test_a_batch_is_computed_by_one_thread() -> None:
    """With more threads the kernel quantizes each one's rows apart, and the numbers depend on the machine."""
    model = _model(1, each=False, states=False, peepholes=False, kind="int8")
    for value in (*model.graph.input, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            dim.Clear()
    x = np.random.default_rng(1).normal(size=(9, 4, INPUTS)).astype(np.float32)
    x[:, 0] *= 50
    prove(model, "OFX763", {"x": x})
