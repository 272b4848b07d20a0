"""Four times the nodes are four times the work of a conversion: counted as calls of functions."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from conversions import brought, rules

from onnxfix.fixpoint.conversion import blockers_of, convert
from onnxfix.fixpoint.reach import reach
from onnxfix.model import inference, load
from onnxfix.model.model import Model
from onnxfix.model.scope import Scope
from tests.counting import calls

FEW, FACTOR, SLACK = 12, 4, 1.1

HEAD = '<ir_version: 9, opset_import: ["" : 20, "own" : 1]> '
STORED = """<float lo = {0}, float hi = {6}, int64[8] pads = {0,0,1,1,0,0,1,1}, int64[2] from = {1,1},
    int64[2] till = {5,5}, int64[2] places = {2,3}, int64[1] one = {2}, float[4] ones = {1,1,1,1}>"""
LINKS = {
    "nothing changes": "{y} = Relu ({x})",
    "new forms": "a{n} = Clip ({x}, lo, hi) b{n} = Pad (a{n}, pads) c{n} = Slice (b{n}, from, till, places) "
    "d{n} = ReduceSum <keepdims = 0> (c{n}, one) e{n} = Unsqueeze (d{n}, one) f{n} = Softmax <axis = -1> (e{n}) "
    "g{n} = Add ({x}, f{n}) h{n} = BatchNormalization (g{n}, ones, ones, ones, ones) k{n} = Dropout (h{n}) "
    "{y} = Cast <to = 1> (k{n})",
    "definitions": "a{n} = LayerNormalization <axis = -1> ({x}, ones) b{n} = HardSwish (a{n}) {y} = Gelu (b{n})",
    "branches": "{y} = If (t) <then_branch = g () => (float[1,4,4,4] a{n}) {{ a{n} = Clip ({x}, lo, hi) }}, "
    "else_branch = h () => (float[1,4,4,4] b{n}) {{ b{n} = ReduceSum ({x}, one) }}>",
    "functions": "{y} = own.F{n} ({x}, lo, hi)",
}
"""One link of a chain each, from {x} to {y}."""


def model_of(link: str, count: int) -> onnx.ModelProto:
    """A chain of `count` links; functions are defined for those that call them."""
    body = "\n".join(link.format(x=f"x{n}", y=f"x{n + 1}", n=n) for n in range(count))
    functions = [
        f'<domain: "own", opset_import: ["" : 20]> F{n} (a, lo, hi) => (c) {{ b = Clip (a, lo, hi) c = Relu (b) }}'
        for n in range(count if "own." in link else 0)
    ]
    interface = f"g (float[1,4,4,4] x0, bool t) => (float[1,4,4,4] x{count})"
    return onnx.parser.parse_model(f"{HEAD}{interface} {STORED} {{ {body} }} {' '.join(functions)}")


@pytest.mark.parametrize("to", [9, 23])
@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_work_is_linear(link: str, to: int) -> None:
    few, many = (load(model_of(link, count)) for count in (FEW, FACTOR * FEW))
    assert not blockers_of(convert(few, to, rules()))  # and what is read once for all: schemas and rules
    base = calls(lambda: convert(few, to, rules()))
    assert calls(lambda: convert(many, to, rules())) <= SLACK * FACTOR * base


def test_a_version_that_changes_nothing_costs_nothing() -> None:
    """What an operator needs in a version is looked up once, not for every node."""
    model = load(model_of(LINKS["nothing changes"], 200))
    convert(model, 21, rules())
    assert calls(lambda: convert(model, 25, rules())) < 1.1 * calls(lambda: convert(model, 21, rules()))


@pytest.mark.parametrize(("size", "whole"), [("4", 0), ("S", 1)])
def test_types_are_told_on_without_another_look_at_the_whole_model(
    size: str, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what a step leaves open is worth one: here the rank of a value."""
    looks: list[Model] = []
    look = inference.typed_scopes

    def counted(model: Model) -> tuple[list[Scope], str]:
        looks.append(model)
        return look(model)

    monkeypatch.setattr("onnxfix.opset.convert.typed_scopes", counted)
    monkeypatch.setattr("onnxfix.opset.retype.typed_scopes", counted)
    text = f"""{HEAD} g (float[64] x, int64[{size}] s) => (float[A,B,C,D] y) {STORED}
        {{ r = Reshape (x, s) a = Clip (r, lo, hi) y = Identity (a) }}"""
    feeds = {"x": np.linspace(-2, 9, 64, dtype=np.float32), "s": np.array([1, 4, 4, 4])}
    brought(onnx.parser.parse_model(text), 11, **feeds)
    assert not looks
    brought(onnx.parser.parse_model(text), 10, **feeds)
    assert len(looks) == whole


def test_what_can_be_reached_is_found_in_few_conversions() -> None:
    model = load(model_of(LINKS["new forms"], FEW))
    convert(model, 9, rules())
    one = calls(lambda: convert(model, 7, rules()))
    assert all(not entry.blockers for entry in reach(model, rules()))
    assert calls(lambda: reach(model, rules())) < 3 * one


def test_graphs_24_deep() -> None:
    inner = "y0 = Clip (x, lo, hi)"
    for depth in range(1, 25):
        inner = (
            f"y{depth} = If (t) <then_branch = g () => (float[4] y{depth - 1}) {{ {inner} }}, "
            f"else_branch = h () => (float[4] z{depth}) {{ z{depth} = Softmax <axis = 0> (x) }}>"
        )
    text = f"{HEAD}g (float[4] x, bool t) => (float[4] y24) <float lo = {{0}}, float hi = {{6}}> {{ {inner} }}"
    feeds = {"x": np.array([-1, 1, 3, 9], np.float32), "t": np.array(True)}
    node = brought(onnx.parser.parse_model(text), 10, **feeds).graph.node[0]
    while node.op_type == "If":
        node = next(a for a in node.attribute if a.name == "then_branch").g.node[0]
    assert node.op_type == "Clip" and len(node.input) == 1


def test_a_name_of_a_million_characters() -> None:
    model = model_of(LINKS["new forms"], 2)
    long = "n" * 1_000_000
    model.graph.node[0].name = long
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = long
    made = load(model)
    assert not blockers_of(convert(made, 9, rules()))
    assert convert(made, 9, rules()).model.proto.graph.node[0].name == long
