"""Orders of nodes, and names that nothing has."""

from __future__ import annotations

import time

import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from onnxfix.model import load
from onnxfix.model.names import Names
from onnxfix.model.order import misplaced, sorted_nodes
from onnxfix.model.scope import scopes_of


def node(index: int, *reads: int) -> onnx.NodeProto:
    return helper.make_node("F", [f"v{number}" for number in reads], [f"v{index}"])


@st.composite
def graphs(draw: st.DrawFn) -> list[onnx.NodeProto]:
    """Nodes without cycles, shuffled."""
    size = draw(st.integers(0, 12))
    nodes = [node(i, *draw(st.lists(st.integers(0, max(i - 1, 0)), max_size=3 if i else 0))) for i in range(size)]
    return draw(st.permutations(nodes))


@given(graphs())
def test_every_acyclic_graph_has_an_order(nodes: list[onnx.NodeProto]) -> None:
    order, stuck = sorted_nodes(nodes)
    assert sorted(order) == list(range(len(nodes)))
    assert not stuck
    assert misplaced([nodes[index] for index in order]) == []
    if not misplaced(nodes):
        assert order == list(range(len(nodes)))


def test_a_cycle_and_what_is_behind_it_are_stuck() -> None:
    nodes = [node(0), node(1, 3), node(2, 0), node(3, 1), node(4, 3), node(5, 5)]
    order, stuck = sorted_nodes(nodes)
    assert order == [0, 2]
    assert set(stuck) == {1, 3, 4, 5}
    assert misplaced(nodes) == [1, 5]


def test_a_subgraph_reads_for_its_node() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]> g (bool c, float[2] x) => (float[2] y) {
        y = If(c) <then_branch = t () => (float[2] a) { a = Neg(late) },
                   else_branch = e () => (float[2] b) { b = Neg(x) }>
        late = Relu(x) }"""
    )
    assert misplaced(model.graph.node) == [0]
    assert sorted_nodes(model.graph.node)[0] == [1, 0]


def test_a_long_chain_backwards_is_quick() -> None:
    nodes = [node(i, i - 1) for i in range(1, 50_000)][::-1]
    started = time.process_time()
    order, stuck = sorted_nodes(nodes)
    assert order == list(range(len(nodes)))[::-1]
    assert not stuck
    assert time.process_time() - started < 5


TAKEN = """<ir_version: 8, opset_import: ["" : 17]> g (bool c, float[2] x) => (float[2] y) <float[2] w = {1.0, 2.0}> {
    [node] y = If(c) <then_branch = t () => (float[2] inner) { inner = Neg(w) },
                      else_branch = e () => (float[2] b) { b = Neg(x) }> }"""


@given(st.lists(st.sampled_from(["x", "y", "w", "inner", "node", "new", "", "x_1"]), max_size=12))
def test_fresh_names_are_fresh(wishes: list[str]) -> None:
    names = Names(scopes_of(load(onnx.parser.parse_model(TAKEN))))
    given_names = [names.fresh(wish) for wish in wishes]
    assert len(set(given_names)) == len(given_names)
    assert not set(given_names) & {"c", "x", "y", "w", "inner", "b", "node", ""}
    for wish, name in zip(wishes, given_names, strict=True):
        assert name.startswith(wish or "value")
