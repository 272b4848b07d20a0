"""RNN, GRU and LSTM: layout, directions and Scans, against ONNX Runtime, onnx.reference and TensorRT-RTX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, evaluated, model_of, outcome_of, prove, reason

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
NAMED = {"RNN": 1, "GRU": 2, "LSTM": 3}
STEPS, BATCH, INPUTS, HIDDEN = 4, 3, 3, 2


@dataclass
class Node:
    """One recurrent node with everything that it may have."""

    operator: str
    attributes: str
    directions: int = 1
    optional: frozenset[str] = frozenset()
    layout: int = 0
    opset: int = 14

    def shapes(self) -> dict[str, tuple[int, ...]]:
        gates, d = GATES[self.operator] * HIDDEN, self.directions
        state = (BATCH, d, HIDDEN) if self.layout else (d, BATCH, HIDDEN)
        every = {
            "x": (BATCH, STEPS, INPUTS) if self.layout else (STEPS, BATCH, INPUTS),
            "w": (d, gates, INPUTS),
            "r": (d, gates, HIDDEN),
            "b": (d, 2 * gates),
            "lengths": (BATCH,),
            "h": state,
        }
        if self.operator == "LSTM":
            every |= {"c": state, "p": (d, 3 * HIDDEN)}
        return every

    def model(self) -> onnx.ModelProto:
        """The model; time and batch have names."""
        given = [name if self._has(name) else '""' for name in self.shapes()]
        while given[-1] == '""':
            given.pop()
        dims = {"x": ("B,T" if self.layout else "T,B") + f",{INPUTS}", "lengths": "B"}
        state = f"B,{self.directions},{HIDDEN}" if self.layout else f"{self.directions},B,{HIDDEN}"
        dims |= dict.fromkeys(("h", "c"), state)
        inputs = ", ".join(
            f"{'int32' if name == 'lengths' else 'float'}[{dims.get(name) or ','.join(map(str, shape))}] {name}"
            for name, shape in self.shapes().items()
            if self._has(name)
        )
        whole = f"B,T,{self.directions},{HIDDEN}" if self.layout else f"T,{self.directions},B,{HIDDEN}"
        last = ["yh", "yc"] if self.operator == "LSTM" else ["yh"]
        outputs = ", ".join([f"float[{whole}] y", *(f"float[{state}] {name}" for name in last)])
        node = f"{self.operator} <hidden_size = {HIDDEN}{self.attributes}> ({', '.join(given)})"
        return model_of(f"g ({inputs}) => ({outputs}) {{ {', '.join(['y', *last])} = {node} }}", self.opset)

    def feeds(self) -> dict[str, np.ndarray[Any, Any]]:
        random = np.random.default_rng(0)
        found = {
            name: random.standard_normal(shape).astype(np.float32)
            for name, shape in self.shapes().items()
            if self._has(name)
        }
        return found | ({"lengths": np.array([4, 1, 2], dtype=np.int32)} if self._has("lengths") else {})

    def _has(self, name: str) -> bool:
        return name in ("x", "w", "r") or name in self.optional


def directed(direction: str) -> tuple[str, int]:
    return f', direction = "{direction}"', 2 if direction == "bidirectional" else 1


OPERATORS = st.sampled_from(["RNN", "GRU", "LSTM"])
DIRECTIONS = st.sampled_from(["forward", "reverse", "bidirectional"]).map(directed)
OPTIONAL = st.frozensets(st.sampled_from(["b", "lengths", "h", "c", "p"]))
WITH_NUMBERS = ("Affine", "ScaledTanh", "HardSigmoid")
PLAIN = ("Relu", "Tanh", "Sigmoid", "Softsign", "Softplus")


def listed(names: list[str]) -> str:
    return ", activations = [" + ", ".join(f'"{name}"' for name in names) + "]"


@settings(max_examples=40, deadline=None)
@given(OPERATORS, DIRECTIONS, OPTIONAL, st.sampled_from(["", ", clip = 0.7"]), st.booleans(), st.data())
def test_functions_with_numbers_become_a_scan(
    operator: str, direction: tuple[str, int], optional: frozenset[str], clip: str, after: bool, data: st.DataObject
) -> None:
    text, directions = direction
    count = NAMED[operator] * directions
    names = ["Affine", *(data.draw(st.sampled_from(WITH_NUMBERS + PLAIN)) for _ in range(count - 1))]
    assume(clip or "Softplus" not in names)  # Affine grows without bounds, until the exp in the runtime's overflows
    numbered = sum(name in WITH_NUMBERS for name in names)
    alphas, betas = ([round(start + 0.1 * i, 2) for i in range(numbered)] for start in (0.3, 0.1))
    numbers = f", activation_alpha = {alphas}, activation_beta = {betas}"
    reset = ", linear_before_reset = 1" if operator == "GRU" and after else ""
    node = Node(operator, text + listed(names) + numbers + clip + reset, directions, optional)
    prove(node.model(), "OFX749", node.feeds())


@settings(max_examples=20, deadline=None)
@given(DIRECTIONS, OPTIONAL, st.sampled_from([9, 14]))
def test_coupled_gates_become_a_scan(direction: tuple[str, int], optional: frozenset[str], opset: int) -> None:
    text, directions = direction
    if opset == 9:
        optional -= {"lengths"}  # Range, which counts the steps, came with opset 11
    node = Node("LSTM", text + ", input_forget = 1", directions, optional, opset=opset)
    prove(node.model(), "OFX749", node.feeds())


@settings(max_examples=20, deadline=None)
@given(OPERATORS, OPTIONAL, st.sampled_from(["", ", clip = 0.7"]))
def test_directions_with_functions_of_their_own_part(operator: str, optional: frozenset[str], clip: str) -> None:
    count = NAMED[operator]
    names = [*["Sigmoid", "Tanh", "Softsign"][-count:], *["Sigmoid", "Relu", "Tanh"][:count]]
    node = Node(operator, ', direction = "bidirectional"' + listed(names) + clip, 2, optional)
    after = prove(node.model(), "OFX749", node.feeds())
    kinds = [made.op_type for made in after.graph.node]
    assert kinds.count(operator) == 2
    assert "Scan" not in kinds


@settings(max_examples=20, deadline=None)
@given(OPERATORS, DIRECTIONS, st.frozensets(st.sampled_from(["b", "h", "c", "p"])))
def test_batch_first(operator: str, direction: tuple[str, int], optional: frozenset[str]) -> None:
    """ONNX Runtime has no layout 1; the reference implementation has it, forward without sequence lengths."""
    text, directions = direction
    node = Node(operator, text + ", layout = 1", directions, optional, layout=1)
    before = node.model()
    after = outcome_of(before, "OFX748").model.proto
    onnx.checker.check_model(after, full_check=True)
    assert all(attribute.name != "layout" for made in after.graph.node for attribute in made.attribute)
    wanted, found = (evaluated(proto, node.feeds()) for proto in (before, after))
    for expected, value in zip(wanted, found, strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (listed(["Affine", "Tanh", "Tanh"]), "Affine needs activation_alpha"),
        (listed(["Sine", "Tanh", "Tanh"]), "Sine is no activation function"),
        (listed(["Sigmoid", "Tanh"]), "2 activations are given"),
    ],
)
def test_functions_without_a_meaning_are_refused(attributes: str, expected: str) -> None:
    assert expected in reason(Node("LSTM", attributes).model(), "OFX749")


@pytest.mark.parametrize(
    "node",
    [
        Node("LSTM", ", input_forget = 1", optional=frozenset({"lengths", "p", "h"})),
        Node("LSTM", listed(["Elu", "Tanh", "Tanh"]), optional=frozenset({"b"})),
        Node(
            "GRU",
            ", linear_before_reset = 1, activation_alpha = [0.3], activation_beta = [0.2]" + listed(["Affine", "Elu"]),
            optional=frozenset({"b", "h"}),
        ),
        Node("GRU", ', direction = "reverse"' + listed(["sigmoid", "tanh"])),
        Node("RNN", ', direction = "bidirectional"' + listed(["Relu", "Tanh"]), 2, frozenset({"lengths"})),
        Node("RNN", ', direction = "reverse", activation_alpha = [0.5], activation_beta = [0.1]' + listed(["Affine"])),
    ],
)
def test_tensorrt_takes_the_result_only(node: Node) -> None:
    after = prove(node.model(), "OFX749", node.feeds())
    assert not builds(node.model())
    assert builds(after)


@pytest.mark.parametrize("operator", ["RNN", "GRU", "LSTM"])
def test_tensorrt_takes_layout_1_without_a_word(operator: str) -> None:
    """Why the rule does not wait for a refusal."""
    node = Node(operator, ", layout = 1", layout=1)
    assert builds(node.model())
    assert builds(outcome_of(node.model(), "OFX748").model.proto)
