"""Operators that only their owner knows hide the types of what is behind them; models are cut there all the same."""

from __future__ import annotations

import shlex
from pathlib import Path

import onnx
import pytest
from planted import FAILING, command

import onnxfix
from benchmarks.planted import network
from onnxfix.isolate.assume import with_assumed_types
from onnxfix.model import Model

HEAD = '<ir_version: 8, opset_import: ["" : 17, "own" : 1]>\n'


def with_own(nodes: int, places: tuple[int, ...], bad: int) -> onnx.ModelProto:
    """A network in which the nodes at some places are of an operator that nobody knows."""
    model = network(nodes, {bad: "Erf", **dict.fromkeys(places, "Own")}, 0)
    for node in model.graph.node:
        node.domain = "own" if node.op_type == "Own" else ""
    model.opset_import.add(domain="own", version=1)
    return model


@pytest.mark.parametrize(("places", "bad"), [((3,), 50), ((3, 10, 20, 21), 50), ((55,), 50), ((2, 58), 30)])
def test_a_node_behind_operators_that_nobody_knows(tmp_path: Path, places: tuple[int, ...], bad: int) -> None:
    check = shlex.join(command(FAILING, "Erf"))
    report = onnxfix.reduce(with_own(60, places, bad), tmp_path / "o.onnx", check=check)
    assert [item.node for item in report.origin] == [f"n{bad}"] and report.checks <= 20
    onnx.checker.check_model(tmp_path / "o.onnx", full_check=True)


def test_the_operator_itself_is_cut_out(tmp_path: Path) -> None:
    check = shlex.join(command(FAILING, "Own"))
    report = onnxfix.reduce(with_own(60, (17, 30), 50), tmp_path / "o.onnx", check=check)
    assert [item.op_type for item in report.origin] == ["Own"]


def test_an_operator_that_changes_the_sizes() -> None:
    """It cannot be that it gives [2, 4]: the product behind it has no such operand."""
    text = HEAD + "g (float[2,4] x) => (float[3,5] y) { a = own.Op(x) b = MatMul(a, w) y = Neg(b) }"
    model = onnx.parser.parse_model(text)
    model.graph.initializer.add(name="w", data_type=1, dims=[7, 5], raw_data=bytes(4 * 35))
    proto = with_assumed_types(Model(model))
    assert proto is not None
    types = {value.name: value.type.tensor_type for value in proto.graph.value_info}
    assert types["a"].elem_type == onnx.TensorProto.FLOAT and not types["a"].HasField("shape")


def test_nothing_is_assumed_where_all_is_known() -> None:
    assert with_assumed_types(Model(network(10, {}, 0))) is None
