"""Sub-models run, are typed, and compute what the whole computes at their borders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import onnxfix
from benchmarks.planted import network
from onnxfix.errors import OnnxfixError
from onnxfix.verify.runtime import Session

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
BRANCHES = """g (float[2,3] x, bool c) => (float[2,3] y) <float[3] w = {1, 2, 3}>
{ [first] a = Neg(x)
  [second] b = Mul(a, w)
  [choice] t = If (c) <then_branch = th () => (float[2,3] p) { [inner] q = Add(b, w) [last] p = Neg(q) },
                       else_branch = el () => (float[2,3] r) { r = Abs(a) }>
  [end] y = Relu(t) }"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + BRANCHES), file)
    return file


def interface(file: Path) -> tuple[list[str], list[str]]:
    graph = onnx.load(file).graph
    return [value.name for value in graph.input], [value.name for value in graph.output]


def test_between_values(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    report = onnxfix.extract(model, out, inputs=["a"], outputs=["b"])
    assert report.inputs == (("a", "float[2,3]"),) and report.outputs == (("b", "float[2,3]"),)
    a = np.ones((2, 3), np.float32)
    assert np.array_equal(Session(out).run({"a": a})["b"], a * [1, 2, 3])


def test_what_a_branch_takes_from_outside_comes_along(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    onnxfix.extract(model, out, inputs=["b"], outputs=["t"])
    inputs, outputs = interface(out)
    assert (sorted(inputs), outputs) == (["b", "c", "x"], ["t"])
    assert [node.op_type for node in onnx.load(out).graph.node] == ["Neg", "If"]
    onnx.checker.check_model(out, full_check=True)


def test_values_inside_a_branch(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    onnxfix.extract(model, out, outputs=["p"])
    assert interface(out) == (["b"], ["p"])
    b = np.ones((2, 3), np.float32)
    assert np.array_equal(Session(out).run({"b": b})["p"], -(b + np.array([1, 2, 3], np.float32)))


@pytest.mark.parametrize(
    ("node", "hops", "operators"),
    [("second", 0, ["Mul"]), ("second", 1, ["Neg", "Mul", "If"]), ("b", 0, ["Mul"]), ("inner", 1, ["Add", "Neg"])],
)
def test_around_a_node(model: Path, tmp_path: Path, node: str, hops: int, operators: list[str]) -> None:
    out = tmp_path / "out.onnx"
    onnxfix.extract(model, out, around=node, hops=hops)
    assert [n.op_type for n in onnx.load(out).graph.node] == operators
    Session(out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"outputs": ["nothing"]}, "there is no value 'nothing'"),
        ({"around": "nothing"}, "no node is called 'nothing'"),
        ({"inputs": ["t"], "outputs": ["b"]}, "no output needs 't'"),
        ({"outputs": ["p", "r"]}, "is in another graph"),
        ({}, "nothing says what to extract"),
        ({"around": "first", "outputs": ["b"]}, "not both"),
    ],
)
def test_mistakes(model: Path, tmp_path: Path, arguments: dict[str, list[str]], said: str) -> None:
    with pytest.raises(OnnxfixError, match=said):
        onnxfix.extract(model, tmp_path / "out.onnx", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "out.onnx").exists()


def test_weights_stay_in_their_file(tmp_path: Path) -> None:
    source, out = tmp_path / "m.onnx", tmp_path / "out.onnx"
    whole = onnx.parser.parse_model(
        HEAD + "g (float[2,2] x) => (float[2,2] y) { a = Add(x, w) b = Mul(a, v) y = Neg(b) }"
    )
    for name in ("w", "v"):
        whole.graph.initializer.append(onnx.numpy_helper.from_array(np.full((2, 2), 3, np.float32), name))
    onnx.save(whole, source, save_as_external_data=True, location="m.data", size_threshold=0)
    onnxfix.extract(source, out, inputs=["a"], outputs=["b"])
    stored = onnx.load(out, load_external_data=False).graph.initializer
    places = [(tensor.name, tensor.external_data[0].value) for tensor in stored]
    assert places == [("v", "m.data")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.data", "m.onnx", "out.onnx"]
    a = np.full((2, 2), 2, np.float32)
    assert np.array_equal(Session(out).run({"a": a})["b"], a * 3)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 30), st.integers(0, 1000), st.data())
def test_any_part_computes_what_the_whole_computes(tmp_path: Path, nodes: int, seed: int, data: st.DataObject) -> None:
    whole = network(nodes, {}, seed)
    names = [name for node in whole.graph.node for name in node.output]
    goal = data.draw(st.sampled_from(names))
    out = tmp_path / "out.onnx"
    report = onnxfix.extract(whole, out, around=goal, hops=data.draw(st.integers(0, 4)))
    every = onnx.ModelProto()
    every.CopyFrom(whole)
    every.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names[:-1])
    values = {"x": np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)}
    values |= Session(every.SerializeToString()).run(values)
    found = Session(out).run({name: values[name] for name, _ in report.inputs})
    for name, array in found.items():
        assert np.array_equal(array, values[name], equal_nan=True)


def test_ir_version_3_lists_stored_tensors_as_inputs(tmp_path: Path) -> None:
    text = """<ir_version: 3, opset_import: ["" : 8]> g (float[2] x, float[2] w) => (float[2] z)
    { a = Neg(x) b = Mul(a, w) z = Neg(b) }"""
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(2, np.float32), "w"))
    onnx.checker.check_model(model, full_check=True)
    report = onnxfix.extract(model, tmp_path / "out.onnx", inputs=["a"], outputs=["b"])
    assert (report.complaint, [name for name, _ in report.inputs]) == ("", ["a", "w"])
    assert [tensor.name for tensor in onnx.load(tmp_path / "out.onnx").graph.initializer] == ["w"]


TWICE = """g (float[2] x, bool c) => (float[2] y)
{ a = Neg(x) [if] y = If(c) <then_branch = t () => (float[2] u) { q = Sin(a) z = Erf(q) u = Abs(z) },
                             else_branch = e () => (float[2] v) { q = Cos(a) z = Exp(q) v = Abs(z) }> }"""


@pytest.mark.parametrize(
    ("arguments", "operators"),
    [
        ({"around": "if/else_branch/z", "hops": 0}, ["Exp"]),
        ({"around": "if/then_branch/q", "hops": 1}, ["Sin", "Erf"]),
        ({"inputs": ["if/else_branch/q"], "outputs": ["if/else_branch/z"]}, ["Exp"]),
        ({"inputs": ["q"], "outputs": ["v"]}, ["Exp", "Abs"]),
        ({"inputs": ["a"], "outputs": ["if/then_branch/z"]}, ["Sin", "Erf"]),
    ],
)
def test_one_of_several_graphs_with_the_same_names(
    tmp_path: Path, arguments: dict[str, object], operators: list[str]
) -> None:
    onnxfix.extract(onnx.parser.parse_model(HEAD + TWICE), tmp_path / "o.onnx", **arguments)  # type: ignore[arg-type]
    assert [node.op_type for node in onnx.load(tmp_path / "o.onnx").graph.node] == operators


@pytest.mark.parametrize("arguments", [{"around": "z"}, {"outputs": ["z"]}, {"inputs": ["q"], "outputs": ["z"]}])
def test_a_name_that_several_graphs_have(tmp_path: Path, arguments: dict[str, object]) -> None:
    with pytest.raises(OnnxfixError, match=r"is in 2 graphs \(name one: if/then_branch/[zq], if/else_branch/[zq]\)"):
        onnxfix.extract(onnx.parser.parse_model(HEAD + TWICE), tmp_path / "o.onnx", **arguments)  # type: ignore[arg-type]


def test_what_check_run_calls_by_the_path_of_a_call(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
      g (float[3] x) => (float[3] y) { [call] y = own.f(x) }
      <domain: "own", opset_import: ["" : 17]> f (v) => (u) { a = Abs(v) [q] u = Neg(a) }"""
    model = onnx.parser.parse_model(text)
    for asked in ({"outputs": ["call/u"]}, {"around": "call/q"}):
        with pytest.raises(OnnxfixError, match=r"values inside a function have no types.* \(name call, which calls"):
            onnxfix.extract(model, tmp_path / "out.onnx", **asked)  # type: ignore[arg-type]


def test_types_of_sequences_and_optionals_are_told(tmp_path: Path) -> None:
    text = "g (optional(float[3]) o, float[4,2] x) => (float[3] y, seq(float[1,2]) s) "
    nodes = "{ e = OptionalGetElement(o) y = Neg(e) s = SplitToSequence(x) }"
    model = onnx.parser.parse_model(HEAD.replace("17", "18") + text + nodes)
    report = onnxfix.extract(model, tmp_path / "out.onnx", outputs=["y", "s"])
    assert dict(report.inputs) == {"o": "optional(float[3])", "x": "float[4,2]"}
    assert dict(report.outputs)["s"] == "seq(float[1,2])"


def test_a_value_of_unknown_rank_is_named(tmp_path: Path) -> None:
    text = "g (float[4] x, int64[n] s) => (float[a,b] y) { r = Reshape(x, s) c = Neg(r) y = Abs(c) }"
    report = onnxfix.extract(onnx.parser.parse_model(HEAD + text), tmp_path / "out.onnx", outputs=["c"])
    assert report.complaint == "the output 'c' has no shape, for nobody knows its number of dimensions"
    assert report.exit_code == 1
