"""Model-local functions in the place of their calls."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import onnx
import pytest

import onnxfix
from onnxfix.model.model import Model
from onnxfix.model.names import Names
from onnxfix.model.scope import scopes_of
from onnxfix.opset.inline import callers_of, functions_of, inlined, reached, recursive, size_inlined
from tests.counting import calls
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
    functions = functions_of(model_of(text))
    assert recursive(functions) == functions.keys()
    assert "it calls itself" in reason(text, CODE)


def test_what_only_calls_a_recursive_function_is_inlined() -> None:
    proto = model_of("""<ir_version: 10, opset_import: ["" : 18, "own" : 1]>
g (float[3] x) => (float[3] y) { y = own.f (x) }
<domain: "own", opset_import: ["" : 18, "own" : 1]>
f (x) => (y) { y = own.h (x) }
<domain: "own", opset_import: ["" : 18, "own" : 1]>
h (x) => (y) { y = own.h (x) }""")
    functions = functions_of(proto)
    assert recursive(functions) == {("own", "h", "")}
    assert callers_of([("own", "h", "")], functions) == functions.keys()
    assert callers_of([("own", "f", "")], functions) == {("own", "f", "")}


def calling(count: int, calls: int = 1) -> onnx.ModelProto:
    """A chain of functions, each of which calls the one before so often; TensorRT refuses the CenterCropPad in it."""
    body = [
        "".join(f"v{call} = own.F{number - 1} ({f'v{call - 1}' if call else 'x'})\n" for call in range(calls))
        if number
        else f"k = Constant <value = int64[2] {{2, 3}}> ()\n v{calls - 1} = CenterCropPad (x, k)\n"
        for number in range(count)
    ]
    functions = [
        f'<domain: "own", opset_import: ["" : 18, "own" : 1]>\n'
        f"F{number} (x) => (y) {{ {inner} y = Relu (v{calls - 1}) }}"
        for number, inner in enumerate(body)
    ]
    return model_of(
        f"""<ir_version: 10, opset_import: ["" : 18, "own" : 1]>
g (float[2,3] x) => (float[2,3] y) {{ y = own.F{count - 1} (x) }}
"""
        + "\n".join(functions)
    )


def test_functions_that_call_each_other_a_thousand_deep() -> None:
    proto = calling(2000)
    result = inlined(proto, functions_of(proto), Names(scopes_of(Model(proto))))
    assert [node.op_type for node in result.graph.node] == ["Constant", "CenterCropPad", *["Relu"] * 2000]
    assert result.graph.node[-1].output[0] == "y"
    assert max(len(name) for node in result.graph.node for name in node.output) < 300
    assert size_inlined(proto.graph.node, functions_of(proto)) == 2002


@pytest.mark.parametrize("text", ["own", "18"])
def test_a_chain_of_functions_takes_a_linear_number_of_steps(text: str) -> None:
    def work(count: int) -> Callable[[], object]:
        options = {"target": "rtx1.7"} if text == "own" else {"target": "trt8.6", "opset": 13}
        return lambda: onnxfix.repair(calling(count), verify="none", dry_run=True, **options)

    work(10)()
    assert calls(work(400)) < 4.6 * calls(work(100))


def test_functions_that_would_be_billions_of_nodes_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    many = calling(34, calls=2)
    assert size_inlined(many.graph.node, functions_of(many)) == 34_359_738_367
    monkeypatch.setattr(import_module("onnxfix.actions.inline_functions"), "MOST_NODES", 1_000)
    assert "are not inlined: the graph would have 1,023 nodes" in reason_of(calling(9, calls=2))
    assert "are not inlined" not in reason_of(calling(8, calls=2))


def reason_of(proto: onnx.ModelProto) -> str:
    """What is said of the functions."""
    report = onnxfix.repair(proto, verify="none", target="rtx1.7", dry_run=True)
    return " ".join(entry.message for entry in (*report.remaining, *(held.diagnostic for held in report.withheld)))


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
