"""What the fuzzer found, one small model for each finding."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import onnxfix
from onnxfix.actions import Context
from onnxfix.fixpoint import diagnose
from onnxfix.model import load
from onnxfix.model.edit import Proposal
from onnxfix.model.inference import typed_scopes
from onnxfix.model.types import dtype_name

TEXT = """<ir_version: 6, opset_import: ["" : 11]>
g (int64[2,3] x, int64[1] i) => (int64[n,3] y) {{ z = {node}  y = Neg(z) }}"""

MALFORMED = {
    "Gather of one input": "Gather(x)",
    "Add of one input": "Add(x)",
    "Abs of no input": "Abs()",
    "Sub of no input": "Sub()",
    "Slice of no input": "Slice()",
    "ConstantOfShape of a number": "ConstantOfShape<value = 1.5>(i)",
    "ConstantOfShape of a list": "ConstantOfShape<value = [1, 2]>(i)",
    "Cast to a type that is none": "Cast<to = 2147483647>(x)",
    "Cast to a text": 'Cast<to = "x">(x)',
    "Cast to nothing": "Cast(x)",
    "Upsample of infinite scales": "Upsample<scales = [1e38, 1e38]>(x)",
    "Upsample of one scale": "Upsample<scales = 1.5>(x)",
    "Upsample of no input": "Upsample<scales = [1.0, 1.0]>()",
    "Constant of two values": "Constant<value_int = 1, value_float = 2.0>()",
    "Reshape of one input": "Reshape(x)",
    "Concat on an axis that is none": "Concat<axis = 9223372036854775807>(x, x)",
    "Scan of no body": "Scan<num_scan_inputs = -1>(x)",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_nodes_that_break_their_schema(kind: str, tmp_path: Path) -> None:
    onnx.save(onnx.parser.parse_model(TEXT.format(node=MALFORMED[kind])), tmp_path / "m.onnx")
    report = onnxfix.check(tmp_path / "m.onnx")
    assert report.exit_code == 1
    assert report.complaint
    onnxfix.repair(tmp_path / "m.onnx", tmp_path / "o.onnx", verify="none")


FUNCTION = """<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[2,3] x) => (float[2,3] y) {{ y = d.F<v = float[1] {{1.0}}, r = "none", to = 7>(x) }}
<domain: "d", opset_import: ["" : 17]> F <v, r, to> (a) => (b) {{ {nodes} }}"""


@pytest.mark.parametrize(
    "nodes",
    [
        "s = Shape(a)  c = ConstantOfShape<value: tensor = @v>(s)  b = Add(a, c)",
        "s = Shape(a)  t = ScatterElements<reduction: string = @r>(a, s, a)  b = Neg(t)",
        "i = Cast<to: int = @to>(a)  b = CastLike(i, a)",
    ],
)
def test_attributes_that_the_caller_of_a_function_gives(nodes: str) -> None:
    model = onnx.parser.parse_model(FUNCTION.format(nodes=nodes))
    assert onnxfix.check(model).complaint == ""
    assert onnxfix.repair(model, verify="none").verdict.outcome in ("passed", "not_verified")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_shape_of_two_thousand_million_dimensions_takes_no_endless_memory() -> None:
    head = '<ir_version: 4, opset_import: ["" : 9]>'
    text = head + "g (float[1] x, int64[2147483647] s) => (float[1] y) { y = Expand(x, s) }"
    started = time.monotonic()
    complaint = onnxfix.check(onnx.parser.parse_model(text)).complaint
    assert complaint in ("it makes the checker run out of memory", "it crashes the checker (SIGSEGV)")
    assert time.monotonic() - started < 60


def test_a_constant_without_outputs_ends_no_inference() -> None:
    model = onnx.parser.parse_model(TEXT.format(node="Abs(absent)"))
    stored = helper.make_tensor("", TensorProto.INT64, [1], [1])
    model.graph.node.insert(0, helper.make_node("Constant", [], [], value=stored))
    model.graph.node.append(helper.make_node("Cast", ["x"], ["w"], to=TensorProto.FLOAT))
    scopes, complaint = typed_scopes(load(model))
    assert complaint
    assert scopes[0].type_of("w").dims == (2, 3)


def test_numbers_that_are_no_element_type() -> None:
    assert [dtype_name(number) for number in (0, 1, -1, 2**31 - 1)] == [
        "unknown",
        "float",
        "dtype -1",
        "dtype 2147483647",
    ]


def test_a_rule_that_stumbles_over_a_valid_model_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumbles(_: Context, **__: Any) -> Iterator[Proposal]:
        raise IndexError("list index out of range")

    every: dict[str, Callable[..., Any]] = dict.fromkeys(diagnose.ACTIONS, stumbles)
    monkeypatch.setattr(diagnose, "ACTIONS", every)
    valid, broken = (onnx.parser.parse_model(TEXT.format(node=f"Abs({name})")) for name in ("x", "absent"))
    with pytest.raises(IndexError):
        onnxfix.check(valid)
    report = onnxfix.check(broken)
    assert {entry.level for entry in report.diagnostics} == {"note"}
    assert "cannot look at this invalid model (IndexError: list index out of range)" in report.diagnostics[0].message
