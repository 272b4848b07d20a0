"""Models with a planted failure, and commands that fail for them."""

from __future__ import annotations

import random
import sys

import numpy as np
import onnx

FAILING = """import sys, onnx
def every(nodes):
    for node in nodes:
        yield node
        for a in node.attribute:
            for g in (a.g, *a.graphs):
                yield from every(g.node)
m = onnx.load(sys.argv[1], load_external_data=False)
ops = {n.op_type for n in every(m.graph.node)} | {n.op_type for f in m.functions for n in every(f.node)}
sys.exit(7 if set(sys.argv[2:]) <= ops else 0)
"""

FLOWING = """import sys, onnx
m = onnx.load(sys.argv[1], load_external_data=False)
reached = set()
for n in m.graph.node:
    if n.op_type == sys.argv[2] or reached & set(n.input):
        if n.op_type == sys.argv[3]:
            sys.exit(1)
        reached.update(n.output)
"""

CRASHING = """import ctypes, sys, onnx
m = onnx.load(sys.argv[1], load_external_data=False)
if any(n.op_type == sys.argv[2] for n in m.graph.node):
    ctypes.string_at(0)
"""


def command(program: str, *words: str) -> list[str]:
    """The words of a command that runs a program on the candidate."""
    return [sys.executable, "-c", program, "{}", *words]


def network(nodes: int, bad: dict[int, str], seed: int = 0) -> onnx.ModelProto:
    """A chain with skip connections; at the places in `bad` stands that operator instead."""
    choose = random.Random(seed)
    made = ["x"]
    body, stored = [], []
    for place in range(nodes):
        op = bad.get(place) or choose.choice(["Relu", "Add", "Mul", "Neg", "Abs", "Tanh", "Scale"])
        source, output = made[-1], f"v{place}"
        other = choose.choice(made[-20:])
        if op == "Scale":
            name = f"w{place}"
            stored.append(onnx.numpy_helper.from_array(np.full((4,), 0.5, np.float32), name))
            body.append(onnx.helper.make_node("Mul", [source, name], [output], f"n{place}"))
        else:
            inputs = [source, other] if op in ("Add", "Mul") else [source]
            body.append(onnx.helper.make_node(op, inputs, [output], f"n{place}"))
        made.append(output)
    value = onnx.helper.make_tensor_value_info
    inputs = [value("x", 1, [2, 4])]
    graph = onnx.helper.make_graph(body, "net", inputs, [value(made[-1], 1, [2, 4])], stored)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
