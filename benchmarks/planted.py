"""Models with a planted failure: one bad node, two that fail together, one inside a graph, one inside a function."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import onnx

SIZES = (50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True)
class Planted:
    """`minimal` nodes must stay for all `operators` to be there."""

    kind: str
    model: onnx.ModelProto
    nodes: int
    operators: tuple[str, ...]
    minimal: int


def planted(count: int, seed: int) -> list[Planted]:
    """`count` models of all kinds, in turn; the largest sizes come for single nodes and pairs only."""
    choose = random.Random(seed)
    kinds = ("one", "two", "branch", "loop", "function")
    return [_made(kinds[number % 5], choose, number) for number in range(count)]


def many(together: bool) -> list[Planted]:
    """Models that fail where all of many bad nodes are, scattered or next to one another."""
    choose, found = random.Random(0), []
    for size, count in ((500, 20), (500, 100), (2000, 200)):
        places = range(size // 3, size // 3 + count) if together else choose.sample(range(size), count)
        model = network(size, dict.fromkeys(places, "Erf"), 0)
        found.append(Planted("together" if together else "scattered", model, size, ("Erf",), count))
    return found


def _made(kind: str, choose: random.Random, number: int) -> Planted:
    size = SIZES[number // 5 % (len(SIZES) if kind in ("one", "two") else 5)]
    if kind == "one":
        return Planted(kind, network(size, {choose.randrange(size): "Erf"}, number), size, ("Erf",), 1)
    if kind == "two":
        first, second = sorted(choose.sample(range(size), 2))
        bad = {first: "Erf", second: "Sin"}
        return Planted(kind, network(size, bad, number), size, ("Erf", "Sin"), 2)
    body = network(10, {choose.randrange(10): "Erf"}, number).graph
    outer = network(size, {}, number)
    {"branch": _branch, "loop": _loop, "function": _function}[kind](outer, body, choose.randrange(size))
    return Planted(kind, outer, size, ("Erf",), 1)


def network(nodes: int, bad: dict[int, str], seed: int) -> onnx.ModelProto:
    """A chain with skip connections; at the places in `bad` stands that operator instead."""
    choose = random.Random(seed)
    made, body, stored = ["x"], [], []
    for place in range(nodes):
        op = bad.get(place) or choose.choice(["Relu", "Add", "Mul", "Neg", "Abs", "Tanh", "Scale"])
        inputs = [made[-1]]
        if op == "Scale":
            inputs.append(f"w{place}")
            stored.append(onnx.numpy_helper.from_array(np.full((4,), 0.5, np.float32), f"w{place}"))
        elif op in ("Add", "Mul"):
            inputs.append(choose.choice(made[-20:]))
        made.append(f"v{place}")
        body.append(onnx.helper.make_node("Mul" if op == "Scale" else op, inputs, [made[-1]], f"n{place}"))
    value = onnx.helper.make_tensor_value_info
    ends = [value("x", 1, [2, 4])], [value(made[-1], 1, [2, 4])]
    graph = onnx.helper.make_graph(body, "net", *ends, stored)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def _renamed(body: onnx.GraphProto, source: str) -> onnx.GraphProto:
    """The graph with names of its own, reading `source` for its input, without inputs."""
    inner = onnx.GraphProto()
    inner.CopyFrom(body)
    for node in inner.node:
        node.name = f"in_{node.name}"
        for names in (node.input, node.output):
            new = [source if name == "x" else f"in_{name}" for name in names]
            del names[:]
            names.extend(new)
    for tensor in inner.initializer:
        tensor.name = f"in_{tensor.name}"
    for value in inner.output:
        value.name = f"in_{value.name}"
    del inner.input[:]
    return inner


def _put(outer: onnx.ModelProto, place: int, node: onnx.NodeProto) -> None:
    """The node in the place of another one, making its value."""
    node.output[0] = outer.graph.node[place].output[0]
    node.name = outer.graph.node[place].name
    outer.graph.node[place].CopyFrom(node)


def _branch(outer: onnx.ModelProto, body: onnx.GraphProto, place: int) -> None:
    source = outer.graph.node[place].input[0]
    other = onnx.GraphProto(name="other")
    other.node.append(onnx.helper.make_node("Identity", [source], ["in_other"]))
    other.output.append(onnx.helper.make_tensor_value_info("in_other", 1, [2, 4]))
    made = onnx.helper.make_node
    node = made("If", ["in_cond"], ["_"], then_branch=_renamed(body, source), else_branch=other)
    _put(outer, place, node)
    outer.graph.input.append(onnx.helper.make_tensor_value_info("in_cond", 9, []))


def _loop(outer: onnx.ModelProto, body: onnx.GraphProto, place: int) -> None:
    inner = _renamed(body, "in_x")
    value = onnx.helper.make_tensor_value_info
    inner.node.append(onnx.helper.make_node("Identity", ["in_go"], ["in_next"]))
    inner.input.extend([value("in_i", 7, []), value("in_go", 9, []), value("in_x", 1, [2, 4])])
    inner.output.insert(0, value("in_next", 9, []))
    source = outer.graph.node[place].input[0]
    _put(outer, place, onnx.helper.make_node("Loop", ["in_n", "", source], ["_"], body=inner))
    outer.graph.input.append(value("in_n", 7, []))


def _function(outer: onnx.ModelProto, body: onnx.GraphProto, place: int) -> None:
    inner = _renamed(body, "in_x")
    stored = [onnx.helper.make_node("Constant", [], [t.name], value=t) for t in inner.initializer]
    imports = [onnx.helper.make_opsetid("", 17)]
    ends = ["in_x"], [inner.output[0].name]
    outer.functions.append(onnx.helper.make_function("own", "piece", *ends, [*stored, *inner.node], imports))
    outer.opset_import.append(onnx.helper.make_opsetid("own", 1))
    source = outer.graph.node[place].input[0]
    _put(outer, place, onnx.helper.make_node("piece", [source], ["_"], domain="own"))
