from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfix.errors import OnnxfixError
from onnxfix.model import load
from onnxfix.verify.inputs import InputSpec, input_specs
from onnxfix.verify.runtime import Session
from onnxfix.verify.sizes import levels, resolve
from onnxfix.verify.values import seeded


def parse(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model('<ir_version: 8, opset_import: ["" : 17]>\n' + text)


def first_values(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    found = input_specs(load(model))
    return seeded(found, next(iter(levels(found, {})))[-1], 1)


RUNNABLE = {
    "gather": "(float[5,7] d, int64[N,4] i) => (float[a,b,c] y) { y = Gather <axis = 1> (d, i) }",
    "moved": """(float[5,7] d, int32[N] i) => (float[a,b,c] y) <int64[1] z = {0}>
        { j = Cast <to = 7> (i)  k = Unsqueeze(j, z)  y = Gather(d, k) }""",
    "elements": "(float[5,7] d, int64[5,3] i) => (float[a,b] y) { y = GatherElements <axis = 1> (d, i) }",
    "nd": "(float[2,9,9] d, int64[N,3] i) => (float[a] y) { y = GatherND(d, i) }",
    "scatter": "(float[5,7] d, int64[2,7] i, float[2,7] u) => (float[a,b] y) { y = ScatterElements(d, i, u) }",
    "inferred axis": "(float[N,7] x, int64[4] i) => (float[a,b] y) { t = Transpose(x) y = Gather(t, i) }",
    "in a branch": """(float[5,7] d, int64[4] i, bool c) => (float[4,7] y)
        { y = If <then_branch = t () => (float[4,7] p) { p = Gather(d, i) },
                  else_branch = e () => (float[4,7] q) { q = Gather <axis = 0> (d, i) }> (c) }""",
    "one hot": "(int64[N] i, float[2] v) => (float[a,b] y) <int64 d = {3}> { y = OneHot(i, d, v) }",
    "reshape": "(float[N,6] x, int64[3] s) => (float[a,b,c] y) { y = Reshape(x, s) }",
    "resize": "(float[N,3,4,4] x, int64[4] s) => (float[a,b,c,d] y) { y = Resize(x, , , s) }",
    "scales": "(float[N,3,4,4] x, float[4] s) => (float[a,b,c,d] y) { y = Resize(x, , s) }",
    "expand": "(float[N,3] x, int64[2] s) => (float[a,b] y) { y = Expand(x, s) }",
    "topk": "(float[N,3] x, int64[1] k) => (float[a,b] y, int64[a,b] i) { y, i = TopK(x, k) }",
    "range": "(int64 a, int64 b, int64 c) => (int64[n] y) { y = Range(a, b, c) }",
    "slice": "(float[5,7] x, int64[1] s, int64[1] e) => (float[a,b] y) { y = Slice(x, s, e) }",
    "axes": "(float[5,7,2] x, int64[2] i) => (float[a,b,c] y) { y = ReduceSum(x, i) }",
    "parts": "(float[N,7] x, int64[2] i) => (float[a,b] y, float[a,c] z) { y, z = Split <axis = 1> (x, i) }",
    "division": "(int32[N] a, int32[N] b) => (int32[N] y) { y = Div(a, b) }",
    "lengths": """(float[5,2,3] x, float[1,16,3] w, float[1,16,4] r, int32[2] n) => (float[a,b,c,d] y)
        { y = LSTM <hidden_size = 4> (x, w, r, , n) }""",
    "past": """(float[batch,past] a, float[batch,new] b, float[batch,total] c) => (float[x,y] y)
        { d = Concat <axis = 1> (a, b)  y = Add(c, d) }""",
}


@pytest.mark.parametrize("name", RUNNABLE)
def test_made_up_values_are_legal(name: str) -> None:
    text = "g " + RUNNABLE[name]
    model = parse(text)
    for value in model.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param == "total":  # ONNX text has no name with blanks
                dim.dim_param = "past + new"
    outputs = Session(model.SerializeToString()).run(first_values(model))
    assert outputs["y"].size


def test_indices_use_the_whole_axis_and_stay_inside() -> None:
    values = first_values(parse("g (float[5,7] d, int64[2000] i) => (float[a,b] y) { y = Gather <axis = 1> (d, i) }"))
    assert set(values["i"].tolist()) == set(range(7))


def test_plain_integers_are_small_and_signed() -> None:
    values = first_values(parse("g (int32[2000] a) => (int32[2000] y) { y = Neg(a) }"))
    assert (values["a"].min(), values["a"].max()) == (-8, 7)


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        ("(float[1,4] x, float[2] s) => (float[1,3] y) { y = Resize(x, , s) }", "s", [1, 0.8125]),
        ("(float[3,4] x, int64[1] a) => (float[3,1] y) { y = ReduceSum(x, a) }", "a", [1]),
        ("(int64[3] i, float d, float[2] v) => (float[3,7] y) { y = OneHot(i, d, v) }", "d", 7),
        ("(int64[3] i, int32 e, float[2] v) => (float[3,7] y) { d = Cast <to = 1> (e) y = OneHot(i, d, v) }", "e", 7),
    ],
)
def test_parameters_fit_the_declared_output(text: str, name: str, wanted: list[float]) -> None:
    model = parse("g " + text)
    specs = input_specs(load(model))
    for gentle in (False, True):
        values = seeded(specs, {}, 1, gentle=gentle)
        np.testing.assert_array_equal(values[name], wanted)
        Session(model.SerializeToString()).run(values)


def test_every_type_has_values() -> None:
    names = ["double", "float16", "bfloat16", "int8", "uint8", "uint64", "bool", "string", "complex64"]
    inputs = ", ".join(f"{name}[3] {name}_" for name in names)
    values = first_values(parse(f"g ({inputs}) => (double[3] y) {{ y = Identity(double_) }}"))
    assert [values[f"{name}_"].dtype.name for name in names] == [
        {"double": "float64", "string": "object"}.get(name, name) for name in names
    ]


def test_values_depend_on_the_seed_only() -> None:
    found = input_specs(load(parse("g (float[4] x, int64[4] i) => (float[4] y) { y = Relu(x) }")))
    first, again, other = seeded(found, {}, 3), seeded(found, {}, 3), seeded(found, {}, 4)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["x"], other["x"])


@pytest.mark.parametrize(("text", "words"), [("seq(float[2]) x", "is a sequence"), ("float x", "")])
def test_inputs_without_a_sensible_value(text: str, words: str) -> None:
    model = parse(f"g ({text}) => (int64 y) {{ y = Identity(x) }}")
    if words:
        with pytest.raises(OnnxfixError, match=words):
            input_specs(load(model))
    else:
        model.graph.input[0].type.tensor_type.ClearField("shape")
        with pytest.raises(OnnxfixError, match="has no shape"):
            input_specs(load(model))


def test_first_level_tells_axes_apart_and_later_ones_do_not() -> None:
    found = [InputSpec("x", 1, ("N", 3, "H", "W")), InputSpec("y", 1, ("N", "x[1]"))]
    first, second, *_ = levels(found, {})
    assert first == [{"N": 1, "H": 3, "W": 4, "x[1]": 5}, {"N": 2, "H": 7, "W": 8, "x[1]": 9}]
    assert second[1] == {"N": 2, "H": 7, "W": 7, "x[1]": 7}


def test_recurrent_states_share_the_batch() -> None:
    """[layers, batch, hidden] beside an input with a free batch; a lone [1, time, features] is a sequence."""
    found = [InputSpec("x", 1, ("x[0]", "x[1]")), InputSpec("state", 1, (2, "state[1]", 128))]
    assert next(iter(levels(found, {}))) == [
        {"x[0]": 1, "x[1]": 3, "state[1]": 1},
        {"x[0]": 2, "x[1]": 7, "state[1]": 2},
    ]
    assert next(iter(levels(found[1:], {}))) == [{"state[1]": 3}, {"state[1]": 7}]


def test_sizes_of_sound_come_last_and_not_for_images() -> None:
    assert list(levels([InputSpec("x", 1, ("N", "T"))], {}))[-1] == [{"N": 1, "T": 1024}, {"N": 2, "T": 2048}]
    assert all(run["H"] <= 256 for level in levels([InputSpec("x", 1, ("N", 3, "H", "W"))], {}) for run in level)


def test_static_and_fixed_sizes() -> None:
    assert list(levels([InputSpec("x", 1, (2, 3))], {})) == [[{}]]
    assert list(levels([InputSpec("x", 1, ("N", 3))], {"N": 4})) == [[{"N": 4}]]


@given(st.integers(1, 50), st.integers(1, 50))
def test_expressions_of_other_dimensions(past: int, new: int) -> None:
    sizes = {"past": past, "new": new}
    assert resolve("past + new", sizes) == past + new
    assert resolve("2*new - 1", sizes) == 2 * new - 1
    assert resolve("past // 2", sizes) == past // 2


@pytest.mark.parametrize("text", ["batch-size", "a + ", "unk__12", "past + gone", "__import__('os')", "past ** new"])
def test_texts_that_are_no_expression_are_names(text: str) -> None:
    assert resolve(text, {"past": 1, "new": 2}) is None
    assert resolve(text, {text: 5}) == 5
