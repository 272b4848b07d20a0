"""Small healthy graphs, the ways in which graphs break, and the repair of those."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper

from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, repair_model
from onnxfix.model import load

HEADER = '<ir_version: 8, opset_import: ["" : 17]>\n'
SHAPE = [2, 3]


def model(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(HEADER + text)


def repaired(proto: onnx.ModelProto, *codes: str, unsafe: bool = False) -> Outcome:
    """The outcome of the rules of these codes; the caller's model must be as it was."""
    before = proto.SerializeToString(deterministic=True)
    outcome = repair_model(load(proto), load_rules(), Options(select=codes, unsafe_fixes=unsafe))
    assert proto.SerializeToString(deterministic=True) == before
    return outcome


def run(proto: onnx.ModelProto) -> dict[str, Any]:
    """The outputs in ONNX Runtime on fixed inputs."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(proto.SerializeToString(), options)
    values = {"x": np.linspace(-2, 2, 6, dtype=np.float32).reshape(SHAPE), "c": np.array(True)}
    feeds = {value.name: values[value.name] for value in session.get_inputs()}
    return dict(zip([value.name for value in session.get_outputs()], session.run(None, feeds), strict=True))


@st.composite
def healthy(draw: st.DrawFn) -> onnx.ModelProto:
    """3 to 12 steps of Relu, Add, Mul, Concat and Split, Dropout, If; every first output that nobody reads leaves."""
    values, nodes = ["x"], []
    for name in draw(st.permutations("zyabcdefghij"))[: draw(st.integers(3, 12))]:
        step = draw(st.sampled_from(["Relu", "Neg", "Add", "Mul", "Split", "Dropout", "If"]))
        inputs = [draw(st.sampled_from(values)) for _ in range(2)]
        nodes += _step(step, inputs, f"V{name}")
        values.append(f"V{name}")
    read = {name for node in nodes for name in node.input}
    read |= {node.input[0] for held in nodes for a in held.attribute if a.HasField("g") for node in a.g.node}
    outputs = [name for name in values[1:] if name not in read]
    graph = helper.make_graph(
        nodes,
        "g",
        [_info("x"), helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [_info(name) for name in outputs],
        [helper.make_tensor("w", TensorProto.FLOAT, SHAPE, np.arange(6))],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _step(step: str, inputs: list[str], made: str) -> list[onnx.NodeProto]:
    if step == "Split":
        joined = helper.make_node("Concat", inputs, [f"{made}.joined"], axis=0)
        return [joined, helper.make_node("Split", [f"{made}.joined"], [made, f"{made}.rest"], axis=0)]
    if step == "If":
        branches = {
            f"{kind}_branch": helper.make_graph(
                [helper.make_node("Sub", [name, "w"], [f"{made}.{kind}"])], kind, [], [_info(f"{made}.{kind}")]
            )
            for kind, name in zip(("then", "else"), inputs, strict=True)
        }
        return [helper.make_node("If", ["c"], [made], **branches)]
    if step == "Dropout":
        return [helper.make_node("Dropout", inputs[:1], [made, f"{made}.mask"])]
    return [helper.make_node(step, inputs if step in ("Add", "Mul") else inputs[:1], [made])]


def _info(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE)


def lose_outputs(proto: onnx.ModelProto, _: st.DataObject) -> None:
    del proto.graph.output[:]


def lose_types(proto: onnx.ModelProto, _: st.DataObject) -> None:
    for output in proto.graph.output:
        output.ClearField("type")


def add_dead_branches(proto: onnx.ModelProto, data: st.DataObject) -> None:
    for number in range(data.draw(st.integers(1, 3))):
        source = data.draw(st.sampled_from([name for node in proto.graph.node for name in node.output]))
        lost = data.draw(st.sampled_from([source, "lost"]))
        chain = [
            helper.make_node("Add", [source, lost], [f"d{number}"]),
            helper.make_node("Neg", [f"d{number}"], [f"e{number}"]),
        ]
        proto.graph.node.extend(chain)


def add_unused_tensors(proto: onnx.ModelProto, _: st.DataObject) -> None:
    proto.graph.initializer.append(helper.make_tensor("unused", TensorProto.STRING, [1], [b"a"]))
    proto.graph.initializer.append(proto.graph.initializer[0])
    proto.graph.input.append(_info("w"))


def shuffle(proto: onnx.ModelProto, data: st.DataObject) -> None:
    nodes = data.draw(st.permutations(list(proto.graph.node)))
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def reuse_names(proto: onnx.ModelProto, data: st.DataObject) -> None:
    """Give a value the name of one whose last reader comes before it, as a program reuses a variable."""
    outputs = {value.name for value in proto.graph.output}
    texts = [node.SerializeToString() for node in proto.graph.node]
    made = {name: i for i, node in reversed(list(enumerate(proto.graph.node))) for name in node.output}
    last = {name: max([i, *(j for j, text in enumerate(texts) if name.encode() in text)]) for name, i in made.items()}
    inner = [name for name in made if name not in outputs]
    pairs = [(a, b) for b in inner for a in inner if last[a] < made[b]]
    if pairs:
        old, new = data.draw(st.sampled_from(pairs))
        _rename(proto.graph, new, old)


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                names[position] = new if name == old else name
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, old, new)


def lengthen_names(proto: onnx.ModelProto, data: st.DataObject) -> None:
    outputs = {value.name for value in proto.graph.output}
    inner = [name for node in proto.graph.node for name in node.output if name not in outputs]
    for name in ["w", *(data.draw(st.lists(st.sampled_from(inner), unique=True, max_size=2)) if inner else [])]:
        _rename(proto.graph, name, name * 4001)
    proto.graph.initializer[0].name = "w" * 4001
    proto.graph.node[0].name = "n" * 5000


def end_with_empty_outputs(proto: onnx.ModelProto, _: st.DataObject) -> None:
    for node in proto.graph.node:
        if node.op_type == "Dropout":
            node.output[1] = ""


WAYS = [
    (lose_outputs, end_with_empty_outputs),
    (lose_types, shuffle),
    (add_dead_branches, add_unused_tensors),
    (add_dead_branches, shuffle, end_with_empty_outputs),
    (reuse_names,),
    (reuse_names, reuse_names, add_unused_tensors),
    (shuffle, lengthen_names),
    (lengthen_names, lose_outputs, shuffle),
]
