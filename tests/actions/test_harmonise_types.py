"""Mixed operand types: a valid int64 model whose constants and inputs were narrowed by hand comes back equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, repair_model
from onnxfix.model import load
from onnxfix.targets import resolve
from tests.actions.test_narrow_integers import run, text

RULES = load_rules()


def harmonised(model: onnx.ModelProto, code: str = "OFX202", *, unsafe: bool = False) -> Outcome:
    return repair_model(load(model), RULES, Options(select=(code,), unsafe_fixes=unsafe))


@st.composite
def spoilt(draw: Any) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """(a valid int64 model, the same with some constants and inputs as int32)"""
    nodes, names, tensors = [], ["a", "b"], []
    for number in range(draw(st.integers(1, 7))):
        op = draw(st.sampled_from(["Add", "Sub", "Mul", "Min", "Where", "Clip", "Equal"]))
        values = draw(st.lists(st.integers(-5, 5), min_size=3, max_size=3))
        shape: list[int] = [] if op == "Clip" else [3]
        tensors.append(onnx.helper.make_tensor(f"c{number}", 7, shape, values[:1] if op == "Clip" else values))
        data, other = draw(st.sampled_from(names)), draw(st.sampled_from([*names, f"c{number}"]))
        inputs = {"Where": ["k", data, other], "Clip": [data, f"c{number}"]}.get(op, [data, other])
        made = f"v{number}"
        nodes.append(onnx.helper.make_node(op, inputs, [f"q{number}" if op == "Equal" else made]))
        if op == "Equal":
            nodes.append(onnx.helper.make_node("Where", [f"q{number}", data, f"c{number}"], [made]))
        names.append(made)
    nodes.append(onnx.helper.make_node("Concat", [names[-1], draw(st.sampled_from(names))], ["y"], axis=0))
    inputs = [onnx.helper.make_tensor_value_info(*item) for item in (("a", 7, [3]), ("b", 7, [3]), ("k", 9, [3]))]
    outputs = [onnx.helper.make_tensor_value_info("y", 7, [6])]
    graph = onnx.helper.make_graph(nodes, "g", inputs, outputs, tensors)
    valid = onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)])
    return valid, _narrowed_by_hand(draw, valid)


def _narrowed_by_hand(draw: Any, valid: onnx.ModelProto) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.CopyFrom(valid)
    for tensor in model.graph.initializer:
        if draw(st.booleans()):
            array = onnx.numpy_helper.to_array(tensor).astype(np.int32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    if draw(st.booleans()):
        model.graph.input[1].type.tensor_type.elem_type = 6
    if draw(st.booleans()):
        model.graph.output[0].type.tensor_type.elem_type = 6
    return model


@settings(max_examples=80, deadline=None)
@given(spoilt())
def test_a_model_narrowed_by_hand_computes_the_same_again(models: tuple[onnx.ModelProto, onnx.ModelProto]) -> None:
    valid, model = models
    a, b, k = np.array([1, -2, 3]), np.array([-4, 5, 6]), np.array([True, False, True])
    outcome = harmonised(model)
    after = outcome.model.proto
    onnx.checker.check_model(after, full_check=True)
    kind = np.int32 if after.graph.input[1].type.tensor_type.elem_type == 6 else np.int64
    result = run(after, {"a": a, "b": b.astype(kind), "k": k})[0]
    assert result.dtype == (np.int32 if model.graph.output[0].type.tensor_type.elem_type == 6 else np.int64)
    np.testing.assert_array_equal(result, run(valid, {"a": a, "b": b, "k": k})[0].astype(result.dtype))
    assert harmonised(after).journal == []


def test_a_long_chain_needs_one_round() -> None:
    steps = "\n".join(f"v{i + 1} = Add(v{i}, c)" for i in range(60))
    model = text(f"(int64[3] v0) => (int64[3] v60) {{ {steps} }}", "<int32 c = {1}>")
    outcome = harmonised(model)
    assert {entry.round for entry in outcome.journal} == {1}
    assert run(outcome.model.proto, {"v0": np.zeros(3, np.int64)})[0].tolist() == [60, 60, 60]


def test_narrowing_and_harmonising_do_not_fight() -> None:
    model = text(
        "(bool[3] x) => (float[3] y) { w = Cast <to = 7> (x) d = Add(w, c) e = Mul(d, k) y = Cast <to = 1> (e) }",
        "<int32 c = {1}, int64 k = {3}>",
    )
    options = Options(target=resolve("trt8.6"), select=("OFX201", "OFX202"))
    outcome = repair_model(load(model), RULES, options)
    onnx.checker.check_model(outcome.model.proto, full_check=True)
    assert run(outcome.model.proto, {"x": np.array([True, False, True])})[0].tolist() == [6.0, 3.0, 6.0]
    assert 7 not in {tensor.data_type for tensor in outcome.model.proto.graph.initializer}


@pytest.mark.parametrize(("value", "fix"), [("0.5", "safe"), ("0.1", "unsafe"), ("1e9", "unsafe")])
def test_a_float_constant_beside_half_data_is_safe_only_when_half_holds_it(value: str, fix: str) -> None:
    model = text("(float16[4] x) => (float16[4] y) { y = Mul(x, c) }", f"<float c = {{{value}}}>")
    outcome = harmonised(model, "OFX203")
    assert len(outcome.journal) == (fix == "safe")
    assert len(outcome.withheld) == (fix == "unsafe")
    after = harmonised(model, "OFX203", unsafe=True).model.proto
    onnx.checker.check_model(after, full_check=True)


def test_half_and_bfloat16_meet_in_float() -> None:
    model = text("(float16[4] x, bfloat16[4] z) => (float[4] y) { y = Mul(x, z) }")
    outcome = harmonised(model, "OFX203")
    onnx.checker.check_model(outcome.model.proto, full_check=True)
    assert [node.op_type for node in outcome.model.proto.graph.node] == ["Cast", "Cast", "Mul"]


def test_inside_a_function_constants_are_known() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "l" : 1]>
        g (float[2,3] x) => (int64[3] y) { y = l.f(x) }
        <domain: "l", opset_import: ["" : 17]>
        f (a) => (b) { s = Shape(a) k = Constant <value = int32[1] {9}> () b = Concat <axis = 0> (s, k) }"""
    )
    after = harmonised(model).model.proto
    onnx.checker.check_model(after, full_check=True)
    assert run(after, {"x": np.zeros((2, 3), np.float32)})[0].tolist() == [2, 3, 9]
