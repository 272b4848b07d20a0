"""Healthy graphs, broken in the ways that graphs break, come back with the same outputs."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from broken_graphs import WAYS, healthy, model, repaired, run
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnx import helper

from onnxfix.actions import ACTIONS, Context
from onnxfix.model import load
from onnxfix.model.names import Names
from onnxfix.model.scope import scopes_of

CODES = [*(f"OFX{number}" for number in (101, 102, 103, 104, 106, 107, 109, 110, 111, 112)), "OFX401", "OFX403"]


@pytest.mark.parametrize("ways", WAYS, ids=lambda ways: "-".join(way.__name__ for way in ways))
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(original=healthy(), data=st.data())
def test_a_broken_graph_is_repaired(
    ways: tuple[Callable[[onnx.ModelProto, st.DataObject], None], ...], original: onnx.ModelProto, data: st.DataObject
) -> None:
    broken = onnx.ModelProto()
    broken.CopyFrom(original)
    for way in ways:
        way(broken, data)
    outcome = repaired(broken, *CODES)
    result = outcome.model.proto
    onnx.checker.check_model(result, full_check=True)
    expected, found = run(original), run(result)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert [finding.rule.code for finding in outcome.remaining if finding.level != "note"] == []
    again = repaired(result, *CODES)
    assert not again.journal
    assert again.model.proto == result


def test_made_twice_and_a_weight_of_that_name() -> None:
    broken = model("g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { a = Mul(x, w) w = Relu(a) y = Neg(w) }")
    result = repaired(broken, "OFX104").model.proto
    assert [list(node.output) for node in result.graph.node] == [["a"], ["w_1"], ["y"]]
    assert list(result.graph.node[2].input) == ["w_1"]
    assert result.graph.initializer[0].name == "w"


def test_made_twice_with_a_declared_type_loses_that_type() -> None:
    broken = model("g (float[2] x) => (int64[2] y) { a = Relu(x) b = Neg(a) a = Cast<to = 7>(b) y = Abs(a) }")
    broken.graph.value_info.append(helper.make_tensor_value_info("a", onnx.TensorProto.INT64, [2]))
    result = repaired(broken, "OFX104").model.proto
    onnx.checker.check_model(result, full_check=True)
    assert [list(node.input) for node in result.graph.node] == [["x"], ["a_1"], ["b"], ["a_2"]]


@pytest.mark.parametrize(
    "body",
    [
        "b = Neg(a) a = Relu(x) a = Exp(x) y = Add(a, b)",  # read before it is made
        "a, a = Split<axis = 0>(x) y = Concat<axis = 0>(a, a)",  # twice by one node
    ],
)
def test_made_twice_without_a_clear_meaning_is_only_told(body: str) -> None:
    outcome = repaired(model(f"g (float[2] x) => (float[2] y) {{ {body} }}"), "OFX104")
    assert not outcome.journal
    assert [finding.rule.code for finding in outcome.remaining] == ["OFX104"]


def test_made_twice_keeps_other_graph_rules_silent() -> None:
    broken = model("g (float[2] x) => (float[2] y) { y = Relu(x) y = Neg(y) z = Exp(y) }")
    assert not repaired(broken, "OFX101", "OFX107", "OFX108", "OFX401", "OFX402", unsafe=True).journal


def test_functions_are_pruned_and_sorted() -> None:
    broken = model(
        """g (float[2] x) => (float[2] y) { y = my.F(x) }
        <domain: "my", opset_import: ["" : 17]> F (a) => (c) { c = Neg(b) dead = Exp(a) b = Relu(a) }"""
    )
    broken.opset_import.append(helper.make_opsetid("my", 1))
    result = repaired(broken, "OFX101", "OFX107").model.proto
    assert [node.op_type for node in result.functions[0].node] == ["Relu", "Neg"]


def test_a_tensor_that_an_annotation_names_is_kept() -> None:
    proto = model("g (float[2] x) => (float[2] y) <float[1] scale = {0.5}> { y = Relu(x) }")
    note = proto.graph.quantization_annotation.add(tensor_name="y")
    note.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="scale")
    assert not repaired(proto, "OFX102").journal


def test_a_graph_whose_outputs_nothing_makes_is_not_pruned() -> None:
    outcome = repaired(model("g (float[2] x) => (float[2] z) { y = Relu(x) }"), "OFX101", "OFX404", unsafe=True)
    assert not outcome.journal
    assert [finding.proposal.message for finding in outcome.remaining] == ["nothing makes output z"]


def test_leaves_without_a_type_are_not_marked() -> None:
    outcome = repaired(model("g (float[2] x) => () { y = my.Unknown(x) }"), "OFX401")
    assert not outcome.journal
    assert "cannot be inferred" in outcome.remaining[0].proposal.message


def test_masks_leave_when_nothing_else_does() -> None:
    result = repaired(model("g (float[2] x) => () { y, mask = Dropout(x) n = Neg(y) }"), "OFX401").model.proto
    assert [value.name for value in result.graph.output] == ["n"]
    result = repaired(model('g (float[2] x) => () { "", mask = Dropout(x) }'), "OFX401").model.proto
    assert [value.name for value in result.graph.output] == ["mask"]


def test_sizes_that_inference_names_stay_unknown() -> None:
    result = repaired(model("g (float[N, 2] x) => (y, z) { y = NonZero(x) z = Relu(x) }"), "OFX403").model.proto
    text = onnx.printer.to_text(result)
    assert "int64[2,?] y" in text
    assert "float[N,2] z" in text


def test_a_cycle_behind_other_nodes_is_named_alone() -> None:
    body = "[p] y = Neg(b) [q] a = Add(x, b) [r] b = Relu(a) [s] s = Exp(x)"
    outcome = repaired(model(f"g (float[2] x) => (float[2] y) {{ {body} }}"), "OFX108")
    assert [finding.proposal.message for finding in outcome.remaining] == [
        "these nodes need each other's values: q -> r -> q"
    ]


def test_stored_twice_compares_the_values_not_their_encoding() -> None:
    proto = model("g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Mul(x, w) }")
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 2], np.float32), "w"))
    assert len(repaired(proto, "OFX112").model.proto.graph.initializer) == 1


LOOKED_AT = sorted(
    name
    for name in ACTIONS
    if ACTIONS[name].__module__.rsplit(".", 1)[-1]
    in {
        "mark_outputs",
        "node_names",
        "own_outputs",
        "prune",
        "sort_nodes",
        "strip_outputs",
        "type_outputs",
        "unique_tensors",
        "unique_values",
        "unmade",
    }
)


@pytest.fixture(scope="module")
def chain() -> onnx.ModelProto:
    """20,000 nodes in reverse order without names."""
    nodes = [helper.make_node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in reversed(range(20_000))]
    value = helper.make_tensor_value_info
    return helper.make_model(helper.make_graph(nodes, "g", [value("v0", 1, [2])], [value("v20000", 1, [2])]))


@pytest.mark.parametrize("action", LOOKED_AT)
def test_twenty_thousand_nodes_take_no_minutes(action: str, chain: onnx.ModelProto) -> None:
    """Linear code needs a quarter of a second; anything quadratic needs minutes."""
    loaded = load(chain)
    scopes = scopes_of(loaded)
    start = time.process_time()
    list(ACTIONS[action](Context(loaded, scopes, Names(scopes))))
    assert time.process_time() - start < 5
