"""Which nodes may be taken over from one opset version to the next as they are."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest

from onnxfix.errors import RuleError
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.opset.compat import judge
from onnxfix.opset.meaning import MEANING, NEW_VALUES, OLD_VALUES
from onnxfix.rewrite.rulefile import parse_rule

Judged = Callable[[str, int, int], "onnx.NodeProto | str"]


def judged(text: str, opset: int, version: int) -> onnx.NodeProto | str:
    """The verdict on the last node of a graph given as ONNX text."""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {text}')
    main = typed_scopes(load(model))[0][0]
    node = main.nodes[-1]
    verdict = judge(main, node, version)
    return "same" if verdict is node else verdict


IMAGE = "g (float[1,3,8,8] x) => (float[N,C,H,W] y)"


@pytest.mark.parametrize(
    ("text", "opset", "version"),
    [
        (f"{IMAGE} {{ y = Relu (x) }}", 12, 13),
        (f"{IMAGE} {{ y = MaxPool <kernel_shape = [2, 2]> (x) }}", 21, 22),
        (f"{IMAGE} {{ y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1> (x) }}", 21, 22),
        (f"{IMAGE} {{ y = AveragePool <kernel_shape = [2, 2]> (x) }}", 18, 19),
        (f"{IMAGE} {{ y = Softmax <axis = -1> (x) }}", 12, 13),
        ("g (float[2] x, float[2] z) => (float[2] y) { y = Add (x, z) }", 7, 6),
    ],
)
def test_stays(text: str, opset: int, version: int) -> None:
    assert judged(text, opset, version) == "same"


@pytest.mark.parametrize(
    ("text", "opset", "version", "reason"),
    [
        (f"{IMAGE} {{ y = MaxPool <kernel_shape = [2, 2], dilations = [2, 2]> (x) }}", 10, 9, "dilations"),
        (f"{IMAGE} {{ y = MaxPool <kernel_shape = [1, 1], strides = [2, 2], ceil_mode = 1> (x) }}", 21, 22, "window"),
        (f"{IMAGE} {{ y = AveragePool <kernel_shape = [2, 2], ceil_mode = 1, count_include_pad = 1> (x) }}", 18, 19,
         "ceil_mode"),
        (f"{IMAGE} {{ y = BatchNormalization (x, x, x, x, x) }}", 6, 7, "trains"),
        (f"{IMAGE} {{ y = PRelu (x, x) }}".replace("float[1,3,8,8] x", "float[] x"), 6, 7, "shapes"),
        (f"{IMAGE} {{ y = Pad <mode = \"wrap\"> (x, p) }}".replace(") =>", ", int64[8] p) =>"), 19, 18, "wrap"),
        ("g (int32[2] x, int32[2] z) => (int32[2] y) { y = Max (x, z) }", 12, 11, "int32"),
        ("g (float[2] x, float[1] z) => (float[2] y) { y = Max (x, z) }", 8, 7, "shape"),
        ("g (float[2,3] x) => (float[2,3] y) { y = GridSample (x, x) }", 19, 20, "names"),
        ("g (float[2,3] x) => (float[2,3] y) { y = Einsum <equation = \"ij->ij\"> (x) }", 12, 11, "no operator"),
    ],
)  # fmt: skip
def test_does_not_stay(text: str, opset: int, version: int, reason: str) -> None:
    verdict = judged(text, opset, version)
    assert isinstance(verdict, str) and reason in verdict


@pytest.mark.parametrize(
    ("text", "opset", "version", "attributes"),
    [
        ("g (float[2] x) => (float[2] y) { y = Relu <consumed_inputs = [0]> (x) }", 5, 6, {}),
        ("g (float[2,3] x) => (float[2,3] y) { y = Softmax (x) }", 12, 13, {"axis": 1}),
        ("g (float[2] x) => (float[2] y) { y = Selu (x) }", 5, 6, {"alpha": 1.6732, "gamma": 1.0507}),
        ("g (float[2,3] x) => (float[2,6] y) { y = Concat <axis = -1> (x, x) }", 11, 10, {"axis": 1}),
        ("g (float[2,3] x) => (float[2,3,1] y) { y = Unsqueeze <axes = [-1]> (x) }", 11, 10, {"axes": [2]}),
        ("g (float[2] x) => (float[2] y) { y = Cast <to = 1, saturate = 1> (x) }", 19, 18, {"to": 1}),
    ],
)
def test_is_adapted(text: str, opset: int, version: int, attributes: dict[str, object]) -> None:
    verdict = judged(text, opset, version)
    assert isinstance(verdict, onnx.NodeProto)
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in verdict.attribute}
    assert given.keys() == attributes.keys()
    assert all(given[name] == pytest.approx(attributes[name], abs=1e-4) for name in given)


def test_absent_inputs_at_the_end_go() -> None:
    verdict = judged('g (float[2] x) => (float[2] y) { y = Clip (x, "", "") }', 11, 10)
    assert isinstance(verdict, onnx.NodeProto) and list(verdict.input) == ["x"]


def test_a_constant_of_numbers_becomes_a_tensor() -> None:
    verdict = judged("g () => (int64[2] y) { y = Constant <value_ints = [3, 4]> () }", 12, 11)
    assert isinstance(verdict, onnx.NodeProto)
    assert onnx.numpy_helper.to_array(verdict.attribute[0].t).tolist() == [3, 4]


def test_the_table_names_versions_that_exist() -> None:
    known = {(schema.name, schema.since_version) for schema in onnx.defs.get_all_schemas_with_history()}
    assert set(MEANING) <= known
    assert {(name, version) for name, _, version in (*NEW_VALUES, *OLD_VALUES)} <= known


STEP = """
code = "ABC123"
name = "a-step"
applicability = "safe"
summary = "s"
why = "w"
safety = "s"
step = {{ from = 12, to = 13 }}
[[rewrite]]
{rewrite}
"""


def test_each_writes_one_rewrite_for_every_operator() -> None:
    text = STEP.format(rewrite="each = ['Sin', 'Cos']\nmatch = 'y = Each (x)'\nwith = 'y = Each (x)'")
    rule = parse_rule(text, "here", "opset", {})
    assert [rewrite.root.op_type for rewrite in rule.rewrites] == ["Cos", "Sin"]


def test_variadic_outputs_must_be_values_of_the_pattern() -> None:
    text = STEP.format(rewrite="variadic_outputs = 'z'\nmatch = 'y = Sin (x)'\nwith = 'y = Sin (x)'")
    with pytest.raises(RuleError, match="variadic_outputs"):
        parse_rule(text, "here", "opset", {})
