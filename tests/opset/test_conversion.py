"""Conversion of whole models: all or nothing, scopes, IR versions, blockers, journal."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from onnxfix.errors import OnnxfixError
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import repair_model
from onnxfix.model import load
from onnxfix.opset.prepare import ir_version_for

RELU = '<ir_version: {ir}, opset_import: ["" : {opset}]> g (float[2] x) => (float[2] y) {{ y = Relu (x) }}'


@pytest.mark.parametrize(
    ("current", "opset", "up", "functions", "wanted"),
    [(3, 13, True, False, 7), (8, 13, True, False, 8), (8, 9, False, False, 4), (7, 7, False, False, 4),
     (8, 9, False, True, 8), (4, 21, True, False, 10), (3, 7, False, False, 4)],
)  # fmt: skip
def test_ir_version(current: int, opset: int, up: bool, functions: bool, wanted: int) -> None:
    assert ir_version_for(current, opset, up=up, functions=functions) == wanted


@pytest.mark.parametrize("to", [7, 9, 13, 21, onnx.defs.onnx_opset_version()])
def test_a_node_that_did_not_change_stays(plan: Any, to: int) -> None:
    result = plan(RELU.format(ir=8, opset=15), to)
    assert not result.journal and [node.op_type for node in result.model.proto.graph.node] == ["Relu"]


def test_the_caller_s_model_is_not_changed(plan: Any) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 3, opset_import: ["" : 6]> g (float[2,3] a, float[3] b) => (float[2,3] y)'
        "{ y = Add <broadcast = 1> (a, b) }"
    )
    before = model.SerializeToString()
    assert not plan(model, 13).blockers
    assert model.SerializeToString() == before


def test_all_or_nothing(plan: Any) -> None:
    """One node in the way keeps the whole model; every such node of the version is told."""
    result = plan(
        """<ir_version: 3, opset_import: ["" : 6]> g (float[2,3] a, float[3] b) => (float[2,3] y, float[2,3] z)
        { s = Add <broadcast = 1> (a, b)
          y = Dropout (s)
          z = Dropout (a) }""",
        13,
    )
    assert [blocker.node for blocker in result.blockers] == [1, 2]
    assert all("it trains" in blocker.reason for blocker in result.blockers)


def test_subgraphs_and_functions_are_converted(convert: Any, run: Any) -> None:
    text = """<ir_version: 8, opset_import: ["" : 12, "own" : 1]>
    g (float[2,3] x, bool c) => (float[A,B] y, float[2,1,3] z)
    { y = If (c) <then_branch = t () => (float[2,3] r) { r = Squeeze <axes = [0]> (w) },
                  else_branch = e () => (float[2,1] q) { q = ReduceSum <axes = [1]> (x) }>
      z = own.Wide (x) }
    <domain: "own", opset_import: ["" : 12]> Wide (v) => (u) { u = Unsqueeze <axes = [1]> (v) }"""
    text = text.replace("{ y = If", "{ w = Unsqueeze <axes = [0]> (x) y = If")
    model = convert(text, 13)
    assert [entry.version for entry in model.functions[0].opset_import] == [13]
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for condition in (True, False):
        feeds = {"x": x, "c": np.array(condition)}
        for actual, expected in zip(run(model, **feeds), run(text, **feeds), strict=True):
            np.testing.assert_array_equal(actual, expected)


def test_an_attribute_of_a_function_s_caller_is_not_guessed(plan: Any) -> None:
    text = """<ir_version: 8, opset_import: ["" : 12, "own" : 1]> g (float[2,3,4] x) => (float[2,3,4] y)
    { y = own.Soft <axis = 1> (x) }
    <domain: "own", opset_import: ["" : 12]> Soft <axis> (v) => (u) { u = Softmax <axis: int = @axis> (v) }"""
    result = plan(text, 13)
    assert not result.blockers
    assert [node.op_type for node in result.model.proto.functions[0].node] == ["Shape", "Flatten", "Softmax", "Reshape"]


def test_other_domains_and_the_long_name_of_the_default_one(convert: Any) -> None:
    model = onnx.parser.parse_model(RELU.format(ir=4, opset=9))
    model.opset_import[0].domain = model.graph.node[0].domain = "ai.onnx"
    model.opset_import.add(domain="ai.onnx.ml", version=2)
    converted = convert(model, 13)
    assert {entry.domain: entry.version for entry in converted.opset_import} == {"": 13, "ai.onnx.ml": 2}


def test_weights_listed_as_inputs_stay_constants(convert: Any) -> None:
    """IR 3 lists every initializer as an input; in a newer IR that would let the caller replace it."""
    model = onnx.parser.parse_model(
        """<ir_version: 3, opset_import: ["" : 9]> g (float[1,1,2,2] x, float[4] s) => (float[1,1,4,4] y)
        <float[4] s = {1.0, 1.0, 2.0, 2.0}> { y = Upsample (x, s) }"""
    )
    assert [value.name for value in convert(model, 13).graph.input] == ["x"]


def test_names_do_not_collide(convert: Any, run: Any) -> None:
    text = """<ir_version: 7, opset_import: ["" : 12]> g (float[2,3,4] x) => (float[2,3,4] y, float[2,3,4] y_size)
    { y_matrix = Relu (x)
      y = Softmax (y_matrix)
      y_size = Softmax <axis = 0> (x) }"""
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    for actual, expected in zip(run(convert(text, 13), x=x), run(text, x=x), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_integer_constants_are_stored_below_opset_9(convert: Any, run: Any) -> None:
    """Constant-1 holds only floating types."""
    text = """<ir_version: 7, opset_import: ["" : 13]> g (float[2,3] x) => (float[3,2] y)
    { n = Constant <value_ints = [3, 2]> ()
      y = Reshape (x, n) }"""
    model = convert(text, 7)
    assert [node.op_type for node in model.graph.node] == ["Reshape"]
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(run(model, x=x)[0], x.reshape(3, 2))


def test_repair_journals_every_rewritten_node() -> None:
    model = load(
        onnx.parser.parse_model(
            """<ir_version: 3, opset_import: ["" : 7]> g (float[1,1,2,2] x) => (float[1,1,4,4] y)
            { y = Upsample <scales = [1.0, 1.0, 2.0, 2.0]> (x) }"""
        )
    )
    outcome = repair_model(model, load_rules(), Options(opset=13))
    steps = [entry.code for entry in outcome.journal if entry.code != "OFX500"]
    assert steps == ["OFX512", "OFX514", "OFX517"]
    assert all(entry.round == 1 and entry.before and entry.after for entry in outcome.journal if entry.code in steps)
    assert outcome.complaint == ""


def test_repair_tells_blockers() -> None:
    text = '<ir_version: 8, opset_import: ["" : 14]> g (float[3,3] x) => (float[3,3] y) { y = Trilu (x) }'
    outcome = repair_model(load(onnx.parser.parse_model(text)), load_rules(), Options(opset=13))
    (finding,) = [finding for finding in outcome.remaining if finding.rule.code == "OFX500"]
    assert finding.level == "error" and finding.applicability is None
    assert "opset 13 has no operator Trilu" in finding.proposal.message


def test_no_such_opset() -> None:
    with pytest.raises(OnnxfixError, match="opset 999 is not known"):
        repair_model(load(onnx.parser.parse_model(RELU.format(ir=8, opset=13))), load_rules(), Options(opset=999))
