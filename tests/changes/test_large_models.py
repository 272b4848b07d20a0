"""Four times the nodes are four times the work of a comparison: counted as calls of functions."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest

from onnxfix.changes.models import matched_models, report_of
from onnxfix.changes.records import DiffReport
from onnxfix.model import load
from onnxfix.report.page.document import diff_document
from tests.counting import calls

FEW, FACTOR, SLACK = 30, 4, 1.15

HEAD = '<ir_version: 8, opset_import: ["" : 17, "own" : 1]> '
STORED = "<float[4] half = {0.5, 0.5, 0.5, 0.5}>"
LINKS = {
    "chain": "a{n} = Relu ({x}) {y} = Add (a{n}, half)",
    "diamonds": "a{n} = Relu ({x}) b{n} = Sigmoid ({x}) {y} = Mul (a{n}, b{n})",
    "alike": "a{n} = Relu (x0) b{n} = Relu (x0) {y} = Add (a{n}, b{n})",
    "constants": "c{n} = Constant <value_float = 0.5> () {y} = Mul ({x}, c{n})",
    "branches": "{y} = If (t) <then_branch = g () => (float[4] a{n}) {{ a{n} = Relu ({x}) }}, "
    "else_branch = h () => (float[4] b{n}) {{ b{n} = Mul ({x}, half) }}>",
    "functions": "{y} = own.F{n} ({x})",
    "outputs": "out{n} = Relu ({x}) {y} = Neg (out{n})",
}
"""One link of a chain each, from {x} to {y}."""


def model_of(link: str, count: int) -> onnx.ModelProto:
    """A chain of `count` links; the functions that it calls call one another, and `out{n}` are outputs."""
    body = "\n".join(link.format(x=f"x{n}", y=f"x{n + 1}", n=n) for n in range(count))
    inner = [f"own.F{n + 1} (b)" if n + 1 < count else "Neg (b)" for n in range(count)]
    functions = [
        f'<domain: "own", opset_import: ["" : 17, "own" : 1]> F{n} (a) => (c) {{ b = Relu (a) c = {inner[n]} }}'
        for n in range(count if "own." in link else 0)
    ]
    outputs = ", ".join(f"float[4] out{n}" for n in range(count if "out{n}" in link else 0))
    outputs = f"{outputs}, float[4] x{count}" if outputs else f"float[4] x{count}"
    graph = f"g (float[4] x0, bool t) => ({outputs}) {STORED} {{ {body} }}"
    return onnx.parser.parse_model(f"{HEAD}{graph} {' '.join(functions)}")


def edited(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every fifth node has another operator behind it, and every value another name."""
    text = model.SerializeToString()
    copy = onnx.ModelProto.FromString(text)
    nodes = []
    for number, node in enumerate(copy.graph.node):
        nodes.append(node)
        if number % 5 == 0 and node.op_type not in ("Constant", "If"):
            node.output[0], made = f"before_{node.output[0]}", node.output[0]
            nodes.append(onnx.helper.make_node("Abs", [f"before_{made}"], [made], name=f"extra{number}"))
        node.name = f"named{number}"
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def renamed(model: onnx.ModelProto) -> onnx.ModelProto:
    """All outputs and all functions have other names."""
    names = {value.name for value in model.graph.output} | {function.name for function in model.functions}
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for value in copy.graph.output:
        value.name += "_new"
    for function in copy.functions:
        function.name += "_new"
    for node in (*copy.graph.node, *(node for function in copy.functions for node in function.node)):
        node.op_type += "_new" if node.op_type in names else ""
        for values in (node.input, node.output):
            values[:] = [f"{name}_new" if name in names else name for name in values]
    return copy


def compared(one: onnx.ModelProto, two: onnx.ModelProto) -> DiffReport:
    """The records, and the page."""
    models = matched_models(load(one), load(two))
    report = report_of(models, (), 0.0)
    diff_document(models, report)
    return report


@pytest.mark.parametrize("change", [lambda model: model, edited, renamed], ids=["same", "edited", "renamed"])
@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_work_is_linear(link: str, change: Callable[[onnx.ModelProto], onnx.ModelProto]) -> None:
    few, many = model_of(link, FEW), model_of(link, FACTOR * FEW)
    compared(few, change(few))
    base = calls(lambda: compared(few, change(few)))
    assert calls(lambda: compared(many, change(many))) <= SLACK * FACTOR * base
