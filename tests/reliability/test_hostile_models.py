"""Files that are models, and wrong: a diagnostic or the checker's word, no hang, the input as it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from tests.wire_fields import field

Look = Callable[[onnx.ModelProto | bytes], tuple[int, str]]
HEAD = '<ir_version: 8, opset_import: ["" : 17]> '
RELU = "g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }"


def parsed(text: str, head: str = HEAD) -> onnx.ModelProto:
    return onnx.parser.parse_model(head + text)


def with_tensor(tensor: TensorProto) -> onnx.ModelProto:
    model = parsed("g (float[2,3] x) => (float[2,3] y) { y = Add(x, w) }")
    model.graph.initializer.append(tensor)
    return model


def opset(*imports: tuple[str, int]) -> onnx.ModelProto:
    model = parsed(RELU)
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*entry) for entry in imports)
    return model


def edited(change: Callable[[onnx.ModelProto], object], text: str = RELU) -> onnx.ModelProto:
    model = parsed(text)
    change(model)
    return model


def sparse() -> onnx.ModelProto:
    model = parsed("g (float[2,3] x) => (float[2,3] y) { y = Add(x, w) }")
    values = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("", TensorProto.INT64, [1], [99])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2, 3]))
    return model


RECURSION = """<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[2,3] x) => (float[2,3] y) { y = d.F(x) }
<domain: "d", opset_import: ["" : 17, "d" : 1]> F (a) => (b) { b = d.G(a) }
<domain: "d", opset_import: ["" : 17, "d" : 1]> G (a) => (b) { b = d.F(a) }"""

SAID: dict[str, tuple[onnx.ModelProto, str]] = {
    "a cycle": (
        parsed("g (float[2] x) => (float[2] y) { a = Add(x, c) b = Neg(a) c = Neg(b) y = Neg(c) }"),
        "OFX108 error",
    ),
    "a node that feeds itself": (parsed("g (float[2] x) => (float[2] y) { y = Add(x, y) }"), "OFX108 error"),
    "nodes before their producers": (parsed("g (float[2] x) => (float[2] y) { y = Neg(a) a = Neg(x) }"), "before"),
    "an unknown operator": (parsed("g (float[2] x) => (float[2] y) { y = NoSuch(x) }"), "NoSuch"),
    "an unknown domain": (parsed("g (float[2] x) => (float[2] y) { y = odd.NoSuch(x) }"), "odd"),
    "opset 0": (opset(("", 0)), "imports opset 0; onnx"),
    "opset 999": (opset(("", 999)), "imports opset 999; onnx"),
    "opset -1": (opset(("ai.onnx", -1)), "imports opset -1;"),
    "a version of 63 bits": (opset(("", 17), ("d", 2**62)), "imports version 4611686018427387904 of d"),
    "no opset": (opset(), "opset"),
    "two opsets": (opset(("", 17), ("ai.onnx", 9)), "imports ai.onnx as version 17 and as version 9"),
    "one value made twice": (parsed("g (float[2] x) => (float[2] y) { y = Neg(x) y = Relu(x) }"), "y"),
    "a value named as an input": (parsed("g (float[2] x) => (float[2] x) { x = Neg(x) }"), "x"),
    "a value that nothing makes": (parsed("g (float[2] x) => (float[2] y) { y = Add(x, ghost) }"), "ghost"),
    "an output that nothing makes": (parsed("g (float[2] x) => (float[2] ghost) { y = Neg(x) }"), "ghost"),
    "raw data that is too short": (
        with_tensor(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3], raw_data=bytes(20))),
        "",
    ),
    "data type 999": (with_tensor(TensorProto(name="w", data_type=999, dims=[2, 3], raw_data=bytes(24))), ""),
    "negative dims": (
        with_tensor(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[-2, -3], raw_data=bytes(24))),
        "",
    ),
    "enormous dims": (with_tensor(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**62, 4])), ""),
    "no data": (with_tensor(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3])), ""),
    "a sparse tensor out of range": (sparse(), ""),
    "functions that call each other": (onnx.parser.parse_model(RECURSION), ""),
    "an If without branches": (edited(lambda m: m.graph.node[0].CopyFrom(helper.make_node("If", ["x"], ["y"]))), "If"),
    "a Constant without anything": (
        edited(lambda m: m.graph.node[0].CopyFrom(helper.make_node("Constant", [], []))),
        "",
    ),
    "a node without operator": (edited(lambda m: m.graph.node[0].ClearField("op_type")), ""),
    "a node name of 100,000 characters": (
        edited(lambda m: setattr(m.graph.node[0], "name", "n" * 100_000)),
        "1 name of more than",
    ),
    "no name of the graph": (edited(lambda m: m.graph.ClearField("name")), "name"),
    "strings, which no TensorRT takes": (
        parsed(
            'g (string[2] x) => (bool[2] y) { c = Constant<value_strings = ["a", "b"]>()  y = Equal(x, c) }',
            '<ir_version: 9, opset_import: ["" : 19]> ',
        ),
        "not in string",
    ),
    "an attribute without type": (edited(lambda m: m.graph.node[0].attribute.add(name="axis", i=3)), ""),
}

FINE: dict[str, onnx.ModelProto] = {
    "tensors of rank 0": parsed("g (float x) => (float y) <float c = {2.0}> { y = Mul(x, c) }"),
    "tensors of size 0": parsed("g (float[0,3] x) => (float[0,3] y) { y = Relu(x) }"),
    "a graph name of 100,000 characters": edited(lambda m: setattr(m.graph, "name", "g" * 100_000)),
    "names of one emoji and a line break": edited(lambda m: setattr(m.graph.node[0], "name", "\U0001f600\n")),
}


@pytest.fixture
def looked_at(tmp_path: Path, run: Callable[..., Any]) -> Look:
    """Checks and repairs a model: the worse exit code and everything printed, when nothing else was touched."""

    def look(model: onnx.ModelProto | bytes) -> tuple[int, str]:
        path = tmp_path / "m.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        before, started = path.read_bytes(), time.monotonic()
        checked, repaired = run("check", "m.onnx"), run("repair", "m.onnx", "--verify", "none", "-o", "o.onnx")
        assert time.monotonic() - started < 60
        assert path.read_bytes() == before
        assert {entry.name for entry in tmp_path.iterdir()} <= {"m.onnx", "o.onnx"}
        for ran in (checked, repaired):
            assert ran.err.count("\n") <= 1
            assert ran.code in (0, 1, 2)
            assert (ran.code == 2) == bool(ran.err)
        return max(checked.code, repaired.code), checked.out + checked.err + repaired.out + repaired.err

    return look


@pytest.mark.parametrize("kind", SAID)
def test_a_wrong_model(looked_at: Look, kind: str) -> None:
    model, said = SAID[kind]
    code, printed = looked_at(model)
    assert code in (1, 2)
    assert said in " ".join(printed.split())


@pytest.mark.parametrize("kind", FINE)
def test_an_unusual_model(looked_at: Look, kind: str) -> None:
    code, printed = looked_at(FINE[kind])
    assert (code, "error" in printed) == (0, False)
    assert max(map(len, printed.splitlines())) < 1000


@pytest.mark.parametrize(("depth", "code"), [(24, 0), (31, 1), (32, 2), (60, 2)])
def test_subgraphs_inside_subgraphs(looked_at: Look, depth: int, code: int) -> None:
    """TensorRT-RTX 1.7 takes 24; protobuf reads messages that are nested up to 100 deep, three for each subgraph."""
    assert looked_at(nested(depth))[0] == code


def nested(depth: int) -> bytes:
    """A serialized If in an If in an If: `depth` graphs below the main one (protobuf itself makes no deeper ones)."""
    other = helper.make_graph([helper.make_node("Relu", ["x"], ["e"])], "e", [], [_typed("e")]).SerializeToString()
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["v0"])], "g0", [], [_typed("v0")]).SerializeToString()
    for level in range(1, depth + 1):
        node = helper.make_node("If", ["c"], [f"v{level}"], f"if{level}").SerializeToString()
        for name, body in (("then_branch", graph), ("else_branch", other)):
            attribute = onnx.AttributeProto(name=name, type=onnx.AttributeProto.GRAPH).SerializeToString()
            node += field(5, attribute + field(6, body))
        rest = onnx.GraphProto(name=f"g{level}", output=[_typed(f"v{level}")])
        graph = field(1, node) + rest.SerializeToString()
    main = onnx.GraphProto(input=[helper.make_tensor_value_info("c", TensorProto.BOOL, []), _typed("x")])
    model = onnx.ModelProto(ir_version=8, opset_import=[helper.make_opsetid("", 17)])
    return model.SerializeToString() + field(7, graph + main.SerializeToString())


def _typed(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])
