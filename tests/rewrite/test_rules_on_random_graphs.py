"""Random graphs with planted pattern instances: all are found, nothing else is touched, the numbers stay."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from rewriting import lines, repaired, rule_of, run, same

RULE = rule_of("a = Relu(x)\nb = Neg(a)\ny = Add(b, z)", "r = Relu(x)\ny = Sub(z, r)")
"""The numbers stay to the bit: z + (-r) is z - r."""


@dataclass
class Planted:
    """A graph under construction: its values, its nodes, and which of them belong to an instance of the pattern."""

    values: list[str] = field(default_factory=lambda: ["x0", "x1"])
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    inside: set[str] = field(default_factory=set)
    outputs: list[str] = field(default_factory=list)
    instances: int = 0

    def add(self, op_type: str, *inputs: str) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(op_type, inputs, [name]))
        return name

    def plant(self, x: str, z: str, swapped: bool, leak: str) -> None:
        """One instance; with a `leak` its interior is read elsewhere or returned, so that it must stay."""
        a = self.add("Relu", x)
        b = self.add("Neg", a)
        y = self.add("Add", *((z, b) if swapped else (b, z)))
        if leak == "read":
            self.values.append(self.add("Abs", a))
        if leak == "returned":
            self.outputs.append(b)
        if not leak:
            self.instances += 1
            self.inside |= {a, b, y}
        self.values.append(y)

    def model(self) -> onnx.ModelProto:
        """The graph with every value that nobody reads as an output."""
        read = {name for node in self.nodes for name in node.input}
        leaves = [name for node in self.nodes for name in node.output if name not in read]
        outputs = dict.fromkeys([*self.outputs, *leaves])
        info = [onnx.helper.make_tensor_value_info(name, 1, [4]) for name in ("x0", "x1")]
        made = [onnx.helper.make_tensor_value_info(name, 1, [4]) for name in outputs]
        graph = onnx.helper.make_graph(self.nodes, "g", info, made)
        return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


@st.composite
def planted(draw: st.DrawFn) -> Planted:
    graph = Planted()
    for _ in range(draw(st.integers(1, 12))):
        value = st.sampled_from(graph.values)
        kind = draw(st.sampled_from(["plant", "plant", "leak", "one", "two"]))
        if kind == "one":
            graph.values.append(graph.add(draw(st.sampled_from(["Neg", "Abs", "Sign"])), draw(value)))
        elif kind == "two":
            graph.values.append(graph.add(draw(st.sampled_from(["Add", "Mul", "Sub"])), draw(value), draw(value)))
        else:
            leak = "" if kind == "plant" else draw(st.sampled_from(["read", "returned"]))
            graph.plant(draw(value), draw(value), draw(st.booleans()), leak)
    return graph


@settings(max_examples=60, deadline=None)
@given(planted(), st.integers(0, 2**32 - 1))
def test_planted_instances(graph: Planted, seed: int) -> None:
    model = graph.model()
    outcome = repaired(model, RULE)
    assert len(outcome.journal) == graph.instances
    assert outcome.complaint == ""

    before, after = list(model.graph.node), list(outcome.model.proto.graph.node)
    kept = lines([node for node in before if node.output[0] not in graph.inside])
    assert [line for line in lines(after) if line in set(kept)] == kept
    assert len(after) == len(kept) + 2 * graph.instances

    random = np.random.default_rng(seed)
    inputs = {name: random.integers(-4, 5, 4).astype(np.float32) for name in ("x0", "x1")}
    assert same(run(outcome.model.proto, inputs), run(model, inputs))


@settings(max_examples=30, deadline=None)
@given(planted(), st.randoms(use_true_random=False))
def test_the_order_of_the_nodes_does_not_matter(graph: Planted, random: object) -> None:
    """The same instances are found in any topological order of the nodes."""
    nodes, made, shuffled = list(graph.nodes), {"x0", "x1"}, []
    while nodes:
        ready = [node for node in nodes if set(node.input) <= made]
        node = random.choice(ready)  # type: ignore[attr-defined]
        nodes.remove(node)
        shuffled.append(node)
        made.update(node.output)
    graph.nodes = shuffled
    assert len(repaired(graph.model(), RULE).journal) == graph.instances
