"""Values of small types computed in wider ones: the numbers of the small type, wrap-around and rounding included."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.actions.dtype_ranges import Ranges
from onnxfix.actions.whole_numbers import WholeNumbers
from onnxfix.api.repair import repair
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.model.model import Array
from tests.decompose.proving import builds, evaluated, model_of, outcome_of, prove, reason

SMALL = {"uint8": "OFX768", "int8": "OFX768", "uint16": "OFX211", "int16": "OFX211", "uint32": "OFX211"}


def _numbers(kind: str, seed: int, *shape: int) -> Array:
    info = np.iinfo(kind)
    found = np.random.default_rng(seed).integers(info.min, int(info.max) + 1, shape).astype(kind)
    found.flat[:2] = [info.min, info.max]
    return found


def _pruned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without the Casts that nobody reads any more."""
    return outcome_of(model, "OFX101").model.proto


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(sorted(SMALL)),
    op=st.sampled_from(["Add", "Sub", "Mul", "Div", "Max", "Min", "Less", "Equal", "GreaterOrEqual", "Mod"]),
    seed=st.integers(0, 99),
)
def test_arithmetic_wraps_around(kind: str, op: str, seed: int) -> None:
    result = "bool" if op in ("Less", "Equal", "GreaterOrEqual") else kind
    text = f"""<ir_version: 8, opset_import: ["" : 16]>
    g ({kind}[3,4] a, {kind}[4] b) => ({result}[3,4] y) {{ y = {op}(a, b) }}"""
    a, b = _numbers(kind, seed, 3, 4), _numbers(kind, seed + 1, 4)
    feeds = {"a": a, "b": np.where(b == 0, np.array(1, kind), b) if op in ("Div", "Mod") else b}
    changed = outcome_of(text, SMALL[kind])
    assert changed.journal and not changed.complaint
    expected, got = (evaluated(model, feeds)[0] for model in (model_of(text), changed.model.proto))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize(
    "node",
    [
        "Transpose<perm = [1, 0]>(a)",
        "Reshape(a, shape)",
        "Concat<axis = 0>(a, a)",
        "Pad(a, pads)",
        "Abs(a)",
        "Neg(a)",
        "ReduceMax<axes = [1], keepdims = 1>(a)",
        "Slice(a, zero, one, zero)",
        "Where(m, a, a)",
    ],
)
def test_operators_around_a_cast(kind: str, node: str) -> None:
    if node.startswith("Neg") and kind == "uint8":
        node = "Sign(a)"
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g ({kind}[4,6] a, bool[6] m) => (float[N,M] y)
    <int64[2] shape = {{8, 3}}, int64[4] pads = {{1, 0, 0, 2}}, int64[1] zero = {{0}}, int64[1] one = {{1}}>
    {{ k = {node}
       y = Cast<to = 1>(k) }}"""
    result = prove(text, "OFX768", {"a": _numbers(kind, 3, 4, 6), "m": np.arange(6) % 2 == 0})
    assert builds(_pruned(result))


def test_an_image_goes_through_without_arithmetic() -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (uint8[1,4,4,3] x) => (float[1,3,4,4] y) <int64[8] p = {0, 0, 0, 0, 0, 0, 0, 0}>
    { t = Transpose<perm = [0, 3, 1, 2]>(x)
      q = Pad(t, p)
      c = Concat<axis = 1>(q)
      y = Cast<to = 1>(c) }"""
    result = prove(text, "OFX768")
    assert "Mod" not in {node.op_type for node in result.graph.node}
    assert not builds(text) and builds(_pruned(result))


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(["float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz"]),
    values=st.lists(st.floats(width=32), min_size=1, max_size=20),
)
def test_float8_is_rounded_as_the_cast_rounds(kind: str, values: list[float]) -> None:
    number = onnx.TensorProto.DataType.Value(kind.upper())
    x = np.array([*values, 0.0, np.nan, np.inf, -np.inf, 448, 464, 480, 2.0**-9, 2.0**-10, 61440], np.float32)
    text = f"""<ir_version: 10, opset_import: ["" : 19]>
    g (float[N] x) => (float[N] y) {{ k = Cast<to = {number}>(x) y = Cast<to = 1>(k) }}"""
    result = prove(text, "OFX768" if kind == "float8e4m3fn" else "OFX211", {"x": x})
    assert {node.op_type for node in result.graph.node} > {"Round", "Log"}


def test_float4_is_rounded_as_the_reference_rounds() -> None:
    x = np.array([0.24, 0.25, 0.26, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 5.1, 7, -0.75, np.nan, np.inf, -np.inf], np.float32)
    text = """<ir_version: 12, opset_import: ["" : 23]>
    g (float[15] x) => (float[15] y) { k = Cast<to = 23>(x) y = Cast<to = 1>(k) }"""
    got = evaluated(outcome_of(text, "OFX768").model.proto, {"x": x})[0]
    np.testing.assert_array_equal(np.abs(got), np.abs(x.astype(ml_dtypes.float4_e2m1fn).astype(np.float32)))
    np.testing.assert_array_equal(got, evaluated(model_of(text), {"x": x})[0])


@pytest.mark.parametrize("mode", ["up", "down", "nearest"])
@pytest.mark.parametrize("saturate", [0, 1])
def test_powers_of_two_are_rounded_as_the_reference_rounds(mode: str, saturate: int) -> None:
    numbers = [1, 1.1, 1.5, 1.49, 3e38, 2.0**127, 2.0**-126, 2.0**-127, 2.0**-128, 1e-45, 0, np.inf, np.nan, 3, 0.7]
    x = np.concatenate([np.array(numbers, np.float32), np.exp2(np.random.default_rng(0).uniform(-140, 127, 200))])
    text = f"""<ir_version: 13, opset_import: ["" : 25]>
    g (float[N] x) => (float[N] y)
    {{ k = Cast<to = 24, saturate = {saturate}, round_mode = "{mode}">(x) y = Cast<to = 1>(k) }}"""
    feeds = {"x": x.astype(np.float32)}
    got, expected = (evaluated(m, feeds)[0] for m in (outcome_of(text, "OFX211").model.proto, model_of(text)))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("kind", ["int4", "uint4"])
def test_floats_become_4_bit_integers_as_in_onnx_runtime(kind: str) -> None:
    number = onnx.TensorProto.DataType.Value(kind.upper())
    text = f"""<ir_version: 10, opset_import: ["" : 21]>
    g (float[13] x) => (float[13] y) {{ k = Cast<to = {number}>(x) y = Cast<to = 1>(k) }}"""
    x = np.array([-9.5, -8, -1.5, -0.5, 0, 0.5, 1.5, 2.5, 7, 7.5, 8, 15, 16], np.float32)
    prove(text, "OFX768" if kind == "int4" else "OFX211", {"x": x})


def test_values_from_outside_a_branch() -> None:
    text = """<ir_version: 8, opset_import: ["" : 14]>
    g (bool c, int32[3] x) => (int32[3] y)
    { k = Cast<to = 5>(x)
      y = If (c) <
        then_branch = t () => (int32[3] p) { d = Add(k, k) p = Cast<to = 6>(d) },
        else_branch = e () => (int32[3] q) { q = Cast<to = 6>(k) }
      > }"""
    for chosen in (True, False):
        prove(text, "OFX211", {"c": np.array(chosen), "x": np.array([40000, -70000, 3], np.int32)})


def test_uint64_of_unknown_size_is_left_alone() -> None:
    text = """<ir_version: 8, opset_import: ["" : 14]>
    g (uint64[3] a, uint64[3] b) => (uint64[3] y) { y = Max(a, b) }"""
    assert "2**63" in reason(text, "OFX211")


def test_an_unknown_operator_is_left_alone() -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (uint8[1,1,4,4] x) => (uint8[1,1,8,8] y) <float[4] s = {1.0, 1.0, 2.0, 2.0}> { y = Resize(x, "", s) }"""
    assert "not known to do the same" in reason(text, "OFX768")


@pytest.mark.parametrize(("bounds", "expected"), [("0, 255", (0.0, 255.0)), ("0.5, 9", None)])
def test_whole_numbers_are_found(bounds: str, expected: tuple[float, float] | None) -> None:
    low, high = (float(bound) for bound in bounds.split(","))
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (float[3,1] x) => (float[1,3] y) <float a = {{{low}}}, float b = {{{high}}}, float z = {{3.0}}>
    {{ r = Round(x) s = Add(r, z) c = Clip(s, a, b) y = Transpose(c) }}"""
    scope = typed_scopes(load(model_of(text)))[0][0]
    whole = WholeNumbers(scope, Ranges(scope))
    assert whole.of("y") == expected
    assert whole.of("x") is None


def test_what_may_wrap_around_or_be_rounded_has_no_bounds() -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float[4] x, int32[4] n) => (float[4] y, float[4] z, float16[4] h)
    <float a = {0.0}, float b = {1000.0}, float c = {4000.0}>
    { r = Round(x)
      s = Clip(r, a, b)
      k = Cast<to = 3>(s)
      y = Cast<to = 1>(k)
      z = Cast<to = 1>(n)
      m = Clip(r, a, c)
      h = Cast<to = 10>(m) }"""
    scope = typed_scopes(load(model_of(text)))[0][0]
    whole = WholeNumbers(scope, Ranges(scope))
    assert whole.of("s") == (0, 1000) and whole.of("y") == (-128, 127)
    assert whole.of("z") == whole.of("h") == (-np.inf, np.inf)
    prove(text, "OFX768", {"x": np.array([0, 127, 128, 900], np.float32), "n": np.array([1, 2, 3, 4], np.int32)})


@pytest.mark.parametrize(
    ("signature", "body"),
    [
        ("(int16[2,3] x) => (int16[2,3] y)", "y = Add(x, x)"),
        ("(uint32[2,3] x) => (uint32[2,3] y)", "y = Mul(x, x)"),
        ("(float8e5m2[2,3] x) => (float8e4m3fnuz[2,3] y)", "f = Cast<to = 1>(x) y = Cast<to = 18>(f)"),
        ("(int4[2,3] x) => (uint4[2,3] y)", "f = Cast<to = 1>(x) y = Cast<to = 21>(f)"),
        ("(float4e2m1[2,4] x) => (float[2,4] y)", "y = Cast<to = 1>(x)"),
    ],
)
def test_interfaces_of_small_types(signature: str, body: str, tmp_path: Path) -> None:
    model = onnx.parser.parse_model(f'<ir_version: 12, opset_import: ["" : 23]>\ng {signature} {{ {body} }}')
    before, after = tmp_path / "before.onnx", tmp_path / "after.onnx"
    onnx.save(model, before)
    assert not builds(model)
    report = repair(before, after, target="rtx1.7", interface_changes=True)
    assert after.exists(), report.unwritten
    assert builds(onnx.load(after))
