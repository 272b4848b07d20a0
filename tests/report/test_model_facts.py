"""`onnxfix show`: facts of a model, and their lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from onnxfix.model import load
from onnxfix.model.facts import ScopeFacts, ValueFacts, WeightFacts, facts_of
from onnxfix.model.model import Model
from onnxfix.report.facts import facts_lines

MODEL = """<ir_version: 8, opset_import: ["" : 17, "my.ops" : 1], producer_name: "me", producer_version: "2",
metadata_props: ["key": "value"]>
g (float[N,3] x, bool c, float[3] w) => (float[N,3] y, seq(float) s)
<float[3] w = {1, 2, 3}, int64[2] i = {0, 1}>
{ k = Constant <value = double[3] {1, 2, 3}> ()
  a = my.ops.twice(x)
  b = Relu(a)
  s = SequenceConstruct(b)
  y = If <then_branch = then () => (float[N,3] t) { t = Relu(b) },
          else_branch = other () => (float[N,3] e) { e = Neg(b) }> (c) }
<domain: "my.ops", opset_import: ["" : 17]> twice (p) => (q) { q = Add(p, p) }"""


def text(model: Model) -> list[str]:
    return ["".join(p if isinstance(p, str) else p[0] for p in line) for line in facts_lines(facts_of(model))]


def test_facts() -> None:
    facts = facts_of(load(onnx.parser.parse_model(MODEL)))
    assert facts.opsets == {"ai.onnx": 17, "my.ops": 1}
    assert (facts.ir_version, facts.producer, facts.metadata) == (8, "me 2", {"key": "value"})
    assert facts.inputs == (ValueFacts("x", "float", ("N", 3)), ValueFacts("c", "bool", ()))
    assert facts.outputs[1] == ValueFacts("s", "unknown", None, "sequence")
    assert facts.nodes == 8
    assert list(facts.operators.items())[:2] == [("Relu", 2), ("Add", 1)]
    assert facts.operators["my.ops.twice"] == 1
    assert facts.weights == (
        WeightFacts("double", 1, 3, 24),
        WeightFacts("int64", 1, 2, 16),
        WeightFacts("float", 1, 3, 12),
    )
    assert {scope.name.split("/")[-1] for scope in facts.subgraphs} == {"then_branch", "else_branch"}
    assert facts.functions == (ScopeFacts("my.ops.twice", 1),)
    assert facts.external == {}


def test_lines() -> None:
    lines = text(load(onnx.parser.parse_model(MODEL)))
    assert lines[1:7] == [
        "opset      ai.onnx 17, my.ops 1",
        "IR version 8",
        "producer   me 2",
        "inputs     float[N,3] x",
        "           bool[] c",
        "outputs    float[N,3] y",
    ]
    assert "weights    double: 1 tensor, 3 values, 24 bytes" in lines


def test_external_weights_are_counted_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = onnx.numpy_helper.from_array(np.ones((100, 30), np.float16), "w")
    node = onnx.helper.make_node("Identity", ["w"], ["y"])
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT16, None)
    graph = onnx.helper.make_graph([node], "g", [], [output], [weights])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "m.onnx", save_as_external_data=True, location="w.bin")
    model = load(tmp_path / "m.onnx")
    monkeypatch.setattr(Model, "array", lambda *_: pytest.fail("the weights were read"))
    facts = facts_of(model)
    assert facts.external == {"w.bin": 6000}
    assert facts.weights == (WeightFacts("float16", 1, 3000, 6000),)
    assert "external   w.bin  6.0 kB" in text(model)


def test_packed_and_hostile_tensors() -> None:
    model = onnx.parser.parse_model(MODEL)
    model.graph.initializer.add(name="four", data_type=onnx.TensorProto.INT4, dims=[3], int32_data=[1, 2])
    model.graph.initializer.add(name="odd", data_type=999, dims=[-5])
    model.graph.output[0].type.tensor_type.elem_type = 999
    model.graph.output[1].Clear()
    model.graph.output[1].name = "o\x1b\n" + "x" * 10_000
    facts = facts_of(load(model))
    assert WeightFacts("int4", 1, 3, 2) in facts.weights
    assert WeightFacts("dtype 999", 1, 0, 0) in facts.weights
    lines = text(load(model))
    assert all(line.isprintable() and len(line) < 600 for line in lines)
    assert any(line.startswith(r"           unknown[?, ...] o\x1b\nxxx") for line in lines)
