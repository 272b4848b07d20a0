"""Planted failures are found, wherever they are, and what is written runs alone."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import onnx
import pytest
from planted import CRASHING, FAILING, FLOWING, command

import onnxfix
from benchmarks.planted import network
from onnxfix.api.cutting import ReduceReport
from onnxfix.errors import OnnxfixError
from onnxfix.isolate import search
from onnxfix.verify.runtime import Session

HEAD = '<ir_version: 8, opset_import: ["" : 17, "own" : 1]>\n'
MIDDLE = "{ a = Neg(x) b = Tanh(a) c = Erf(b) d = Abs(c) y = Relu(d) }"


def reduced(model: onnx.ModelProto, tmp_path: Path, *operators: str) -> tuple[ReduceReport, list[str]]:
    out = tmp_path / "small.onnx"
    report = onnxfix.reduce(model, out, check=shlex.join(command(FAILING, *operators)))
    onnx.checker.check_model(out, full_check=True)
    return report, [node.op_type for node in onnx.load(out).graph.node]


@pytest.mark.parametrize("place", [0, 17, 59])
def test_one_node_is_found_in_few_checks(tmp_path: Path, place: int) -> None:
    report, operators = reduced(network(60, {place: "Erf"}, 0), tmp_path, "Erf")
    assert operators == ["Erf"]
    assert report.origin[0].node == f"n{place}" and report.before == 60
    assert report.checks <= 14
    Session(tmp_path / "small.onnx")


def test_two_nodes_far_apart(tmp_path: Path) -> None:
    report, operators = reduced(network(80, {11: "Erf", 70: "Sin"}, 0), tmp_path, "Erf", "Sin")
    assert operators == ["Erf", "Sin"]
    assert report.checks <= 40


def test_two_nodes_of_which_one_feeds_the_other(tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    check = shlex.join(command(FLOWING, "Erf", "Sin"))
    report = onnxfix.reduce(network(80, {11: "Erf", 70: "Sin"}, 0), out, check=check)
    assert [node.op_type for node in onnx.load(out).graph.node] == ["Erf", "Sin"]
    assert report.checks <= 40


def test_nodes_between_that_change_the_type_stay(tmp_path: Path) -> None:
    text = "g (float[2,4] x) => (double[2,4] y) { a = Erf(x) b = Abs(a) c = Cast <to = 11> (b) d = Neg(c) y = Sin(d) }"
    out = tmp_path / "small.onnx"
    check = shlex.join(command(FLOWING, "Erf", "Sin"))
    onnxfix.reduce(onnx.parser.parse_model(HEAD + text), out, check=check)
    assert [node.op_type for node in onnx.load(out).graph.node] == ["Erf", "Cast", "Sin"]
    Session(out)


def test_a_branch_is_lifted_out_of_its_node(tmp_path: Path) -> None:
    text = f"""g (float[2] x, bool cond) => (float[2] z)
    {{ k = Exp(x) z = If (cond) <then_branch = t () => (float[2] y) {MIDDLE.replace("(x)", "(k)")},
                              else_branch = e () => (float[2] w) {{ w = Identity(k) }}> }}"""
    assert reduced(onnx.parser.parse_model(HEAD + text), tmp_path, "Erf")[1] == ["Erf"]


def test_a_branch_that_must_stay_loses_its_other_nodes(tmp_path: Path) -> None:
    text = f"""g (float[2] x, bool cond) => (float[2] z)
    {{ z = If (cond) <then_branch = t () => (float[2] y) {MIDDLE},
                   else_branch = e () => (float[2] w) {{ w = Identity(x) }}> }}"""
    report, operators = reduced(onnx.parser.parse_model(HEAD + text), tmp_path, "If", "Erf")
    assert operators == ["If"]
    assert report.nodes <= 4
    Session(tmp_path / "small.onnx")


def test_the_body_of_a_loop(tmp_path: Path) -> None:
    text = """g (float[2] x, int64 n, bool c) => (float[2] z)
    { z = Loop (n, c, x) <body = b (int64 i, bool go, float[2] v) => (bool next, float[2] u)
      { next = Identity(go) s = Sin(v) e = Erf(s) u = Neg(e) }> }"""
    assert reduced(onnx.parser.parse_model(HEAD + text), tmp_path, "Erf")[1] == ["Erf"]


def test_a_function_is_opened(tmp_path: Path) -> None:
    text = """g (float[2] x) => (float[2] z) { a = Sin(x) b = own.f(a) z = Neg(b) }
    <domain: "own", opset_import: ["" : 17]> f (v) => (u) { s = Tanh(v) u = Erf(s) }"""
    report, operators = reduced(onnx.parser.parse_model(HEAD + text), tmp_path, "Erf")
    assert operators == ["Erf"]
    assert not onnx.load(tmp_path / "small.onnx").functions
    assert report.nodes == 1


def test_a_crash_is_a_failure(tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    report = onnxfix.reduce(network(20, {9: "Erf"}, 0), out, check=shlex.join(command(CRASHING, "Erf")))
    assert report.failure.startswith("SIGSEGV")
    assert [node.op_type for node in onnx.load(out).graph.node] == ["Erf"]


def test_only_the_failure_that_is_meant_counts(tmp_path: Path) -> None:
    program = "import sys, onnx; m = onnx.load(sys.argv[1]); ops = {n.op_type for n in m.graph.node}\n"
    program += "print('bad' if 'Erf' in ops else 'other'); sys.exit(1)"
    out = tmp_path / "small.onnx"
    onnxfix.reduce(network(20, {9: "Erf"}, 0), out, check=shlex.join(command(program)), match="bad")
    assert [node.op_type for node in onnx.load(out).graph.node] == ["Erf"]


def test_weights_and_sizes_become_small(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(HEAD + "g (float[8,64] x) => (float[8,32] y) { a = Relu(x) y = MatMul(a, w) }")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((64, 32), np.float32), "w"))
    reduced(model, tmp_path, "MatMul")
    graph = onnx.load(tmp_path / "small.onnx").graph
    assert sum(int(np.prod(tensor.dims)) for tensor in graph.initializer) <= 1
    assert not any(dim.dim_value > 1 for value in graph.input for dim in value.type.tensor_type.shape.dim)
    Session(tmp_path / "small.onnx")


def test_the_node_that_makes_nan_comes_with_its_inputs(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        HEAD + "g (float[2] x) => (float[2] y) { a = Abs(x) b = Neg(a) c = Log(b) d = Relu(c) y = Tanh(d) }"
    )
    out = tmp_path / "small.onnx"
    report = onnxfix.reduce(model, out, check="nan")
    assert [item.op_type for item in report.origin] == ["Log"]
    with np.load(report.inputs) as inputs:
        assert np.isnan(Session(out).run(dict(inputs))["c"]).all()


def test_what_the_parser_refuses(tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    model = onnx.parser.parse_model(
        HEAD + "g (float[2,2] x) => (float[2,2] y, float k) { a = Neg(x) k = Det(a) b = Abs(a) y = Relu(b) }"
    )
    for check in ("parse", "build"):
        report = onnxfix.reduce(model, tmp_path / "small.onnx", check=check)
        assert [item.op_type for item in report.origin] == ["Det"]
        assert report.checks <= 6


def test_where_two_runtimes_differ(tmp_path: Path) -> None:
    """ONNX Runtime rounds what it casts to 4 bits, and onnx's evaluator cuts off (onnx 1.23, ONNX Runtime 1.32)."""
    text = "g (float[5,5] x) => (float[5,5] y) { a = Abs(x) b = Cast <to = 21> (a) c = Cast <to = 1> (b) y = Neg(c) }"
    model = onnx.parser.parse_model(HEAD.replace("17", "21").replace("8,", "10,", 1) + text)
    report = onnxfix.reduce(model, tmp_path / "small.onnx", check="numeric")
    assert "Cast" in [item.op_type for item in report.origin]
    assert report.nodes <= 2 and report.failure.startswith("output 'y'")


def test_a_model_that_does_not_fail(tmp_path: Path) -> None:
    with pytest.raises(OnnxfixError, match="does not fail the check"):
        onnxfix.reduce(network(5, {}, 0), tmp_path / "small.onnx", check=shlex.join(command(FAILING, "Erf")))


def test_a_search_that_was_interrupted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, check = tmp_path / "small.onnx", shlex.join(command(FAILING, "Erf", "Sin"))
    model = network(40, {5: "Erf", 30: "Sin"}, 0)
    asked = search.Search._ask

    def tired(self: search.Search, candidate: object) -> object:
        if self.checks == 9:
            raise KeyboardInterrupt
        return asked(self, candidate)  # type: ignore[arg-type]

    monkeypatch.setattr(search.Search, "_ask", tired)
    with pytest.raises(KeyboardInterrupt):
        onnxfix.reduce(model, out, check=check)
    monkeypatch.setattr(search.Search, "_ask", asked)
    report = onnxfix.reduce(model, out, check=check)
    assert report.recalled >= 8
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]


def test_the_origin_is_noted(tmp_path: Path) -> None:
    model = network(10, {4: "Erf"}, 0)
    trace = 'File "net.py", line 12, in forward\n    return x.erf()'
    model.graph.node[4].metadata_props.add(key="pkg.torch.onnx.stack_trace", value=trace)
    report, _ = reduced(model, tmp_path, "Erf")
    assert report.origin[0].line == "net.py:12 in forward"
    notes = {entry.key: entry.value for entry in onnx.load(tmp_path / "small.onnx").metadata_props}
    assert json.loads(notes["onnxfix.origin"])["nodes"][0]["line"] == "net.py:12 in forward"
