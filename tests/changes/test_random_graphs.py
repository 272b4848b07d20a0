"""Random graphs: renaming and reordering are that and nothing else, and every comparison has its mirror image."""

from __future__ import annotations

import random
from collections import Counter

import onnx
from comparing import report
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from onnxfix.report.diff import diff_lines

UNARY = ("Relu", "Tanh", "Neg", "Sin")
MIRROR = {"removed": "inserted", "inserted": "removed"}


@st.composite
def graphs(draw: st.DrawFn) -> onnx.ModelProto:
    """Unary and binary nodes over what was made before, some with a stored tensor, and a few outputs."""
    values, nodes, tensors = ["x"], [], []
    for number in range(draw(st.integers(1, 25))):
        inputs = [draw(st.sampled_from(values))]
        if draw(st.booleans()):
            op_type = draw(st.sampled_from(("Add", "Mul", "Sub")))
            if draw(st.booleans()):
                inputs.append(f"w{number}")
                value = draw(st.integers(0, 3))
                tensors.append(helper.make_tensor(inputs[1], onnx.TensorProto.FLOAT, [1], [value]))
            else:
                inputs.append(draw(st.sampled_from(values)))
        else:
            op_type = draw(st.sampled_from(UNARY))
        nodes.append(helper.make_node(op_type, inputs, [f"v{number}"], f"n{number}"))
        values.append(f"v{number}")
    made = values[1:]
    ends = dict.fromkeys([made[-1], *draw(st.lists(st.sampled_from(made), max_size=2))])
    outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ends]
    fed = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [4])]
    graph = helper.make_graph(nodes, "g", fed, outputs, tensors)
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])


def _copy(source: onnx.ModelProto) -> onnx.ModelProto:
    return onnx.ModelProto.FromString(source.SerializeToString())


def _renamed(source: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """Other names for all nodes, inner values and stored tensors."""
    made = _copy(source)
    graph = made.graph
    fixed = {value.name for value in (*graph.input, *graph.output)}
    names = sorted({name for node in graph.node for name in (*node.input, *node.output)} - fixed)
    order = list(range(len(names)))
    random.Random(seed).shuffle(order)
    new = {name: f"other_{number}" for name, number in zip(names, order, strict=True)}
    for number, node in enumerate(graph.node):
        node.name = f"node_{number}"
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    for tensor in graph.initializer:
        tensor.name = new[tensor.name]
    return made


def _reordered(source: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """The nodes in any order, even one that is not topological."""
    made = _copy(source)
    nodes = list(made.graph.node)
    random.Random(seed).shuffle(nodes)
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_itself(source: onnx.ModelProto) -> None:
    found = report(source, _copy(source), placement=True)
    assert not found.changes
    assert found.matched == found.nodes[0] == found.nodes[1]


@settings(max_examples=150, deadline=None)
@given(graphs(), st.integers(0, 99))
def test_other_names_are_only_other_names(source: onnx.ModelProto, seed: int) -> None:
    assert {change.kind for change in report(source, _renamed(source, seed)).changes} <= {"renamed"}


@settings(max_examples=150, deadline=None)
@given(graphs(), st.integers(0, 99))
def test_another_order_is_only_another_order(source: onnx.ModelProto, seed: int) -> None:
    assert {change.kind for change in report(source, _reordered(source, seed)).changes} <= {"moved"}


@settings(max_examples=150, deadline=None)
@given(graphs(), st.integers(0, 99))
def test_both_at_once(source: onnx.ModelProto, seed: int) -> None:
    other = _reordered(_renamed(source, seed), seed)
    assert {change.kind for change in report(source, other).changes} <= {"renamed", "moved"}


@settings(max_examples=100, deadline=None)
@given(graphs(), graphs())
def test_there_and_back(one: onnx.ModelProto, two: onnx.ModelProto) -> None:
    """Unrelated graphs: nothing breaks, nothing is lost, and the text is the same every time."""
    there, back = report(one, two), report(two, one)
    assert there.nodes == back.nodes[::-1]
    gone = sum(len(change.old) for change in there.changes if change.kind in ("removed", "replaced"))
    come = sum(len(change.new) for change in there.changes if change.kind in ("inserted", "replaced"))
    assert (there.matched + gone, there.matched + come) == there.nodes
    assert list(diff_lines(there)) == list(diff_lines(report(_copy(one), _copy(two))))


@settings(max_examples=100, deadline=None)
@given(graphs(), st.integers(0, 99), st.sampled_from(["insert", "attribute", "weight"]))
def test_one_edit_there_and_back(source: onnx.ModelProto, seed: int, kind: str) -> None:
    other = _copy(source)
    node = random.Random(seed).choice(other.graph.node)
    if kind == "insert":
        name = node.output[0] + "_before"
        new = helper.make_node("Identity", [name], [node.output[0]], "new")
        node.output[0] = name
        other.graph.node.append(new)
    elif kind == "attribute":
        node.attribute.append(helper.make_attribute("mark", 3))
    elif other.graph.initializer:
        tensor = other.graph.initializer[0]
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + 1, tensor.name))
    there, back = (Counter(c.kind for c in report(*pair).changes) for pair in ((source, other), (other, source)))
    assert there == Counter({MIRROR.get(name, name): count for name, count in back.items()})
    structural = {name: count for name, count in there.items() if name not in ("renamed", "moved")}
    assert structural == {"insert": {"inserted": 1}, "attribute": {"attribute": 1}}.get(
        kind, {"weight": 1} if other.graph.initializer else {}
    )
