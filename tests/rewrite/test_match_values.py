"""Attributes and constants in patterns."""

from __future__ import annotations

import numpy as np
import pytest
from rewriting import graph_lines, matched, model_of, repaired, rule_of

from onnxfix.rewrite.rule import Match, Mismatch


def test_an_absent_attribute_has_its_default_from_the_schema() -> None:
    rule = rule_of("y = Softmax<axis = -1>(x)", "y = Relu(x)")
    assert graph_lines(repaired("g (float[2] x) => (float[2] y) { y = Softmax(x) }", rule)) == ["y = Relu(x)"]
    old = '<ir_version: 6, opset_import: ["" : 11]> g (float[2] x) => (float[2] y) { y = Softmax(x) }'
    assert matched(old, rule, "y") == Mismatch("attribute axis of Softmax differs", 0)


def test_a_capture_takes_the_default_and_what_has_none_is_none() -> None:
    rule = rule_of("y = LeakyRelu<alpha: float = @a>(x)", "y = Relu(x)", where="a > 0.0099 and a < 0.0101")
    assert graph_lines(repaired("g (float[2] x) => (float[2] y) { y = LeakyRelu(x) }", rule)) == ["y = Relu(x)"]
    absent = rule_of("y = ReduceSum<keepdims = 1>(x)", "y = Neg(x)")
    assert isinstance(matched("g (float[2] x) => (float[1] y) { y = ReduceSum(x) }", absent, "y"), Match)
    transposed = rule_of(
        "y = Transpose<perm: ints = @perm>(x)", "y = Transpose<perm: ints = @perm>(x)", where="perm is None"
    )
    found = matched("g (float[2,3] x) => (float[3,2] y) { y = Transpose(x) }", transposed, "y")
    assert isinstance(found, Match)
    assert found.attributes == {"perm": None}


def test_an_attribute_given_with_its_default_value_does_not_matter() -> None:
    rule = rule_of("y = Softmax(x)", "y = Relu(x)")
    text = "g (float[2] x) => (float[2] y) { y = Softmax<axis = -1>(x) }"
    assert graph_lines(repaired(text, rule)) == ["y = Relu(x)"]


@pytest.mark.parametrize(("number", "fits"), [(1.0, True), (2.0, False)])
def test_a_tensor_attribute_is_compared_by_value(number: float, fits: bool) -> None:
    rule = rule_of("y = ConstantOfShape<value = float[1] {1.0}>(x)", "y = ConstantOfShape(x)")
    model = model_of("g (int64[1] x) => (float[N] y) { y = ConstantOfShape<value = float[1] named {5.0}>(x) }")
    stored = model.graph.node[0].attribute[0].t
    stored.ClearField("float_data")
    stored.raw_data = np.float32(number).tobytes()
    assert isinstance(matched(model, rule, "y"), Match) == fits


def test_an_attribute_that_the_rule_does_not_know_is_refused_unless_ignored() -> None:
    text = "g (float[2] x) => (float[2] y) { y = Softmax<axis = 0>(x) }"
    refused = matched(text, rule_of("y = Softmax(x)", "y = Relu(x)"), "y")
    assert refused == Mismatch("Softmax has the attribute axis, which the rule does not know", 0)
    assert isinstance(matched(text, rule_of("y = Softmax(x)", "y = Relu(x)", ignore=["axis"]), "y"), Match)


TWICE = rule_of("two = Constant<value = float {2.0}>()\ny = Mul(x, two)", "y = Add(x, x)")


@pytest.mark.parametrize(
    "stored",
    [
        "<float c = {2}> { y = Mul(x, c) }",
        "<float[1] c = {2}> { y = Mul(c, x) }",
        "{ c = Constant<value = float {2}>() y = Mul(x, c) }",
        "{ c = Constant<value_float = 2.0>() y = Mul(x, c) }",
        "{ c = Constant<value_floats = [2.0]>() y = Mul(c, x) }",
    ],
)
def test_a_constant_however_it_is_stored(stored: str) -> None:
    assert isinstance(matched(f"g (float[2] x) => (float[2] y) {stored}", TWICE, "y"), Match)


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        ("<float c = {3}> { y = Mul(x, c) }", "c"),
        ("<float[2] c = {2, 2}> { y = Mul(x, c) }", "c"),
        ("<float[1,1] c = {2}> { y = Mul(x, c) }", "c"),
        ("{ c = Neg(x) y = Mul(x, c) }", "c"),
    ],
)
def test_what_is_not_the_constant(stored: str, name: str) -> None:
    found = matched(f"g (float[2] x) => (float[A,B] y) {stored}", TWICE, "y")
    assert found == Mismatch(f"{name!r} is not the constant of the pattern", 1)


def test_an_initializer_that_the_caller_can_replace_is_no_constant() -> None:
    text = "g (float[2] x, float c) => (float[2] y) <float c = {2}> { y = Mul(x, c) }"
    assert isinstance(matched(text, TWICE, "y"), Mismatch)
    old = f'<ir_version: 3, opset_import: ["" : 8]> {text}'
    assert isinstance(matched(old, TWICE, "y"), Match)
