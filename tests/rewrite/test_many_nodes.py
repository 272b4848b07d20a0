"""Four times the nodes are four times the work of matching and of the fact base: counted as calls of functions."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest

from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.legalise import known_refusals
from onnxfix.model import load
from onnxfix.model.scope import Scope, scopes_of
from onnxfix.rewrite.match import match
from onnxfix.rewrite.rule import Match
from onnxfix.targets import resolve
from tests.counting import calls

FEW, FACTOR, SLACK = 40, 4, 1.15

QUANTIZED = "q{n} = QuantizeLinear (x{n}, s, z) x{m} = DequantizeLinear (q{n}, s, z)"
COMPUTED_AXES = "a{n} = Cast <to = 7> (x{n}) b{n} = ReduceSum (x, a{n}) x{m} = Abs (b{n})"
RTX = resolve("rtx1.7")


def scope_of(link: str, count: int, *, swapped: bool = False) -> Scope:
    """A chain of links; `swapped` puts a node before the one that it reads."""
    nodes = [link.format(n=n, m=n + 1) for n in range(count)]
    text = f"""<ir_version: 8, opset_import: ["" : 13]> g (float[4] x, float[1] x0) => (float[4] x{count})
    <float s = {{0.5}}, uint8 z = {{128}}> {{ {" ".join(nodes)} }}"""
    model = onnx.parser.parse_model(text)
    if swapped:
        first, second, *rest = list(model.graph.node)
        del model.graph.node[:]
        model.graph.node.extend([second, first, *rest])
    return scopes_of(load(model))[0]


def matches(scope: Scope) -> int:
    """How many pairs are found by the rule for uint8 around 128, whose pattern has two results."""
    rewrite = next(rule for rule in load_rules() if rule.code == "OFX755").rewrites[0]
    root = rewrite.root.op_type
    places = [index for index, node in enumerate(scope.nodes) if node.op_type == root]
    return sum(isinstance(match(scope, rewrite, index), Match) for index in places)


def refusals(scope: Scope) -> int:
    """How many nodes the fact base refuses."""
    return len(known_refusals([scope], RTX).wide)


@pytest.mark.parametrize(("link", "work"), [(QUANTIZED, matches), (COMPUTED_AXES, refusals)])
def test_work_is_linear(link: str, work: Callable[[Scope], int]) -> None:
    """What all the nodes before a node are is not gone through again for each."""
    work(scope_of(link, FEW))  # what is read once for all: rules and facts
    few, many = (scope_of(link, count) for count in (FEW, FACTOR * FEW))
    base = calls(lambda: work(few))
    assert calls(lambda: work(many)) <= SLACK * FACTOR * base


def test_pairs_are_found_in_any_order_of_the_nodes() -> None:
    assert matches(scope_of(QUANTIZED, 5)) == matches(scope_of(QUANTIZED, 5, swapped=True)) == 5


@pytest.mark.parametrize(("axes", "refused"), [("Shape (x)", True), ("Identity (i)", False)])
def test_axes_computed_from_a_shape_are_refused(axes: str, refused: bool) -> None:
    text = f"""<ir_version: 8, opset_import: ["" : 13]> g (float[4] x, int64[1] i, int64[1] j) => (float[y] y)
    {{ a = {axes} b = Neg (a) c = Abs (b) y = ReduceSum (x, c) }}"""
    said = "".join(map(str, known_refusals([scopes_of(load(onnx.parser.parse_model(text)))[0]], RTX).wide.values()))
    assert ("must be constant and is computed from a shape" in said) == refused
