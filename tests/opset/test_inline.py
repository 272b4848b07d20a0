"""Model-local functions in the place of their calls."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import onnxfix
from onnxfix.model.model import Model
from onnxfix.model.names import Names
from onnxfix.model.scope import scopes_of
from onnxfix.opset.inline import functions_of, inlined, reached, recursive
from tests.decompose.proving import model_of, prove, reason

CODE = "OFX700"

NESTED = """<ir_version: 10, opset_import: ["" : 18, "own" : 1]>
g (float[N,3] x) => (float[N,3] y, float[N,3] z) {
  t = own.outer (x)
  y = Relu (t)
  z = own.outer <slope = 0.25> (y)
}
<domain: "own", opset_import: ["" : 18, "own" : 1]>
outer <slope: float = 0.5> (x) => (y) { t = own.inner <slope: float = @slope> (x)
  y = Add (t, x) }
<domain: "own", opset_import: ["" : 18]>
inner <slope: float> (x) => (y) { t = LeakyRelu <alpha: float = @slope> (x)
  y = Abs (t) }"""

BRANCHES = """<ir_version: 10, opset_import: ["" : 18, "own" : 1]>
g (float[N,3] x, bool c) => (float[N,3] y, float[N,3] z) {
  y = own.choose <slope = 0.25> (x, c)
  z = own.choose <slope = 0.5> (y, c)
}
<domain: "own", opset_import: ["" : 18]>
choose <slope: float> (x, c) => (y) {
  t = Neg (x)
  y = If (c) <then_branch = a () => (u) { u = LeakyRelu <alpha: float = @slope> (t) },
              else_branch = b () => (u) { s = Abs (x)
                u = Add (s, t) }>
}"""


@pytest.mark.parametrize("text", [NESTED, BRANCHES], ids=["nested", "branches"])
def test_bodies_compute_what_their_calls_computed(text: str) -> None:
    result = prove(text, CODE)
    assert not result.functions
    assert {node.domain for node in result.graph.node} == {""}
    values = [name for scope in scopes_of(Model(result)) for name in scope.producer]
    assert len(values) == len(set(values))


def test_an_input_may_be_absent_and_an_input_may_be_an_output() -> None:
    proto = model_of("""<ir_version: 10, opset_import: ["" : 18, "own" : 1]>
g (float[3] x) => (float[3] y, float[3] z) { y, z = own.both (x) }
<domain: "own", opset_import: ["" : 18]>
both (a, low) => (a, b) { b = Clip (a, low) }""")
    result = inlined(proto, functions_of(proto), Names(scopes_of(Model(proto))))
    assert [(node.op_type, list(node.input), list(node.output)) for node in result.graph.node] == [
        ("Clip", ["x"], ["z"]),
        ("Identity", ["x"], ["y"]),
    ]


def test_a_function_that_others_still_call_stays() -> None:
    proto = model_of(NESTED)
    result = inlined(proto, {("own", "inner", "")}, Names(scopes_of(Model(proto))))
    assert len(result.functions) == 2
    assert reached([("own", "outer", "")], functions_of(proto)) == {("own", "outer", ""), ("own", "inner", "")}


def test_the_domains_of_a_body_are_imported() -> None:
    proto = model_of("""<ir_version: 10, opset_import: ["own" : 1]>
g (float[3] x) => (float[3] y) { y = own.f (x) }
<domain: "own", opset_import: ["" : 18]>
f (x) => (y) { y = Relu (x) }""")
    result = inlined(proto, functions_of(proto), Names(scopes_of(Model(proto))))
    assert {entry.domain: entry.version for entry in result.opset_import} == {"own": 1, "": 18}


def test_a_recursive_function_is_not_inlined() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18, "own" : 1]>
g (float[3] x) => (float[3] y) { y = own.f (x) }
<domain: "own", opset_import: ["" : 18, "own" : 1]>
f (x) => (y) { t = own.h (x)
  y = Relu (t) }
<domain: "own", opset_import: ["" : 18, "own" : 1]>
h (x) => (y) { y = own.f (x) }"""
    assert all(recursive(key, functions_of(model_of(text))) for key in functions_of(model_of(text)))
    assert "it calls itself" in reason(text, CODE)


def test_a_body_of_another_opset_is_inlined_only_where_its_operators_kept_their_form() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18, "own" : 1]>
g (float[2,3] x) => (float[2,1] y) { y = own.f (x) }
<domain: "own", opset_import: ["" : 13]>
f (x) => (y) { y = ReduceMax <axes = [1]> (x) }"""
    assert "other versions of its operators" in reason(text, CODE)
    prove(text.replace("ReduceMax <axes = [1]> (x)", "Relu (x)").replace("float[2,1] y", "float[2,3] y"), CODE)


REFUSED = {
    "outer": NESTED.replace("y = Add (t, x)", "u = Constant <value = int64[2] {2, 3}> ()\n y = CenterCropPad (t, u)"),
    "inner": NESTED.replace("y = Abs (t)", "one = Constant <value = float[3] {1, 1, 1}> ()\n"
                            "n, mean = LayerNormalization (t, one)\n y = Add (n, mean)"),
}  # fmt: skip


@pytest.mark.parametrize("place", REFUSED)
@pytest.mark.parametrize("named", [False, True])
def test_what_tensorrt_refuses_inside_a_function_is_cured(place: str, named: bool, tmp_path: Path) -> None:
    proto = model_of(REFUSED[place].replace("[N,3]", "[2,3]"))
    for number, node in enumerate(node for function in proto.functions for node in function.node):
        node.name = f"node {number}" if named else ""
    onnx.save(proto, tmp_path / "model.onnx")
    report = onnxfix.repair(tmp_path / "model.onnx", tmp_path / "fixed.onnx", target="rtx1.7")
    assert report.verdict.outcome == "passed", report.unwritten
    assert {CODE, "OFX790"} <= {fix.code for fix in report.fixes}
