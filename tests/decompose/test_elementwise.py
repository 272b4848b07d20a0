"""Mod, running products, determinants and type islands against ONNX Runtime, onnx.reference and TensorRT-RTX."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, evaluated, outcome_of, prove, reason

EXTREMES = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 7.0, -7.0, np.inf, -np.inf, np.nan, 1e-30, 3e38, -65504.0]


@pytest.mark.parametrize("dtype", ["float", "float16", "double"])
def test_modulo_of_floats_is_that_of_numpy(dtype: str) -> None:
    text = f"""<ir_version: 13, opset_import: ["" : 27]>
g ({dtype}[N] x, {dtype}[N] d) => ({dtype}[N] y) {{ y = Mod (x, d) }}"""
    kind = {"float": np.float32, "float16": np.float16, "double": np.float64}[dtype]
    with np.errstate(over="ignore"):
        values = np.array(EXTREMES).astype(kind)
    pairs = np.array([(a, b) for a in values for b in values], dtype=kind)
    outcome = outcome_of(text, "OFX703")
    assert outcome.journal
    assert not outcome_of(outcome.model.proto, "OFX703").journal
    with np.errstate(invalid="ignore"):
        (found,) = evaluated(outcome.model.proto, {"x": pairs[:, 0], "d": pairs[:, 1]})
        np.testing.assert_array_equal(found, np.mod(pairs[:, 0], pairs[:, 1]))
    assert not builds(text)
    assert builds(outcome.model.proto)


def test_modulo_of_integers_is_left_alone() -> None:
    assert reason("g (int32[3] x, int32[3] d) => (int32[3] y) { y = Mod (x, d) }", "OFX703") == ""


@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(0, 9), min_size=1, max_size=3),
    axis=st.integers(-3, 2),
    attributes=st.tuples(st.booleans(), st.booleans()),
    dtype=st.sampled_from(["float", "double", "int32", "int64"]),
)
def test_running_products(shape: list[int], axis: int, attributes: tuple[bool, bool], dtype: str) -> None:
    axis = axis % len(shape) if axis >= 0 else -(axis % len(shape)) - 1
    dims = [str(size) if place == axis % len(shape) else f"D{place}" for place, size in enumerate(shape)]
    exclusive, reverse = (int(attribute) for attribute in attributes)
    text = f"""<ir_version: 13, opset_import: ["" : 26]>
g ({dtype}[{",".join(dims)}] x) => ({dtype}[{",".join(dims)}] y) <int64 axis = {{{axis}}}>
{{ y = CumProd <exclusive = {exclusive}, reverse = {reverse}> (x, axis) }}"""
    kind = {"float": np.float32, "double": np.float64, "int32": np.int32, "int64": np.int64}[dtype]
    values = np.random.default_rng(0).integers(-9, 9, shape).astype(kind)
    prove(text, "OFX704", {"x": values})


def test_running_products_in_tensorrt() -> None:
    text = """<ir_version: 13, opset_import: ["" : 26]>
g (float[N,7] x, int32[5] k, int64 axis) => (float[N,7] y, int32[5] z) <int64 one = {1}>
{ y = CumProd <exclusive = 1> (x, one)
  z = CumProd <reverse = 1> (k, axis) }"""
    result = prove(text, "OFX704")
    assert not builds(text)
    # an axis that nobody reads any more stays an input
    assert builds(result)


def test_running_product_of_nan_and_infinity() -> None:
    text = """<ir_version: 13, opset_import: ["" : 26]>
g (float[6] x) => (float[6] y) <int64 axis = {0}> { y = CumProd (x, axis) }"""
    prove(text, "OFX704", {"x": np.array([2, np.inf, -1, 0, np.nan, 1], dtype=np.float32)})


def test_running_product_along_an_unknown_size_is_left_alone() -> None:
    text = """<ir_version: 13, opset_import: ["" : 26]>
g (float[N,2] x) => (float[N,2] y) <int64 axis = {0}> { y = CumProd (x, axis) }"""
    assert "the size of axis 0 is not fixed" in reason(text, "OFX704")


@pytest.mark.parametrize("attributes", ["", "<exclusive = 1>", "<reverse = 1>", "<exclusive = 1, reverse = 1>"])
def test_sums_along_a_computed_axis(attributes: str) -> None:
    text = f"g (float[N] x, int32 axis) => (float[N] y) {{ y = CumSum {attributes} (x, axis) }}"
    feed = {"x": np.arange(5, dtype=np.float32), "axis": np.array(-1, dtype=np.int32)}
    result = prove(text, "OFX705", feed)
    assert not builds(text)
    assert builds(result)


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 4), outer=st.lists(st.integers(0, 3), max_size=2), known=st.booleans())
def test_determinants(rows: int, outer: list[int], known: bool) -> None:
    shape = [*outer, rows, rows]
    dims = [str(size) if known or place >= len(outer) else f"D{place}" for place, size in enumerate(shape)]
    result = f"[{','.join(dims[:-2])}]" if outer else ""
    text = f"g (float[{','.join(dims)}] x) => (float{result} y) {{ y = Det (x) }}"
    values = np.random.default_rng(1).integers(-4, 5, shape).astype(np.float32)
    prove(text, "OFX707", {"x": values})


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_determinants_in_tensorrt(rows: int) -> None:
    text = f"g (float[N,{rows},{rows}] x) => (float[N] y) {{ y = Det (x) }}"
    assert not builds(text)
    assert builds(prove(text, "OFX707"))


@settings(max_examples=30, deadline=None)
@given(left=st.integers(1, 3), right=st.integers(1, 4), known=st.booleans(), opset=st.sampled_from([9, 13, 18]))
def test_products_with_vectors(left: int, right: int, known: bool, opset: int) -> None:
    if left > 1 and right > 1:
        left = 1
    outer = [2, 4] if known else ["N", "M"]
    x = [*outer[: left - 2], 5, 3][-left:] if left > 1 else [3]
    y = [*outer[: max(right - 2, 0)], 3, 2] if right > 1 else [3]
    both: Any = np.matmul(
        np.zeros([d if isinstance(d, int) else 1 for d in x]), np.zeros([d if isinstance(d, int) else 1 for d in y])
    )
    dims = f"[{','.join(f'R{place}' for place in range(both.ndim))}]" if both.ndim else ""
    head = f'<ir_version: 4, opset_import: ["" : {opset}]>'
    text = f"""{head}
g (float[{",".join(map(str, x))}] a, float[{",".join(map(str, y))}] b) => (float{dims} c) {{ c = MatMul (a, b) }}"""
    prove(text, "OFX710")


def test_a_product_with_a_vector_in_tensorrt() -> None:
    text = "g (float[3] a, float[2,3,1] b) => (float[2,1] y) { y = MatMul (a, b) }"
    assert not builds(text)
    assert builds(prove(text, "OFX710"))


@pytest.mark.parametrize("operator", ["ReduceMax", "ReduceMin"])
@pytest.mark.parametrize("keep", [0, 1])
def test_any_and_all(operator: str, keep: int) -> None:
    text = f"""<ir_version: 9, opset_import: ["" : 20]>
g (bool[N,3] x) => (bool[{"N,1" if keep else "N"}] y) <int64[1] axes = {{1}}>
{{ y = {operator} <keepdims = {keep}> (x, axes) }}"""
    feed = np.array([[0, 0, 0], [0, 1, 0], [1, 1, 1]], dtype=bool)
    result = prove(text, "OFX711", {"x": feed}, {"x": np.zeros((0, 3), dtype=bool)})
    assert not builds(text)
    assert builds(result)


def test_range_of_halves_is_counted_in_float() -> None:
    text = """<ir_version: 13, opset_import: ["" : 27]>
g (float16 a, float16 b, float16 d) => (float16[N] y) { y = Range (a, b, d) }"""
    outcome = outcome_of(text, "OFX706")
    assert [node.op_type for node in outcome.model.proto.graph.node] == ["Cast", "Cast", "Cast", "Range", "Cast"]
    (found,) = evaluated(
        outcome.model.proto, {n: np.array(v, dtype=np.float16) for n, v in zip("abd", (1, 2, 0.3), strict=True)}
    )
    np.testing.assert_array_equal(found, np.array([1, 1.3, 1.6, 1.9], dtype=np.float16))


@pytest.mark.parametrize(
    "call", ["HardSwish (x)", "Mish (x)", "LpNormalization <axis = 1> (x)", "Celu <alpha = 0.5> (x)"]
)
def test_islands_of_float_in_bfloat16(call: str) -> None:
    text = f"""<ir_version: 10, opset_import: ["" : 22]>
g (bfloat16[N,4] x) => (bfloat16[N,4] y) {{ y = {call} }}"""
    outcome = outcome_of(text, "OFX713")
    kinds = [node.op_type for node in outcome.model.proto.graph.node]
    assert kinds == ["Cast", call.split()[0], "Cast"]
    assert not outcome.complaint
    assert outcome.model.proto.graph.node[0].attribute[0].i == onnx.TensorProto.FLOAT
    assert builds(outcome.model.proto)


@pytest.mark.parametrize("opset", [9, 11, 13, 18])
@pytest.mark.parametrize(
    "call", ["ArgMax <keepdims = 0>", "ArgMin <keepdims = 1>", "Softmax <axis = 0>", "LogSoftmax <axis = -1>"]
)
def test_vectors_get_an_axis(call: str, opset: int) -> None:
    chosen = call.startswith("Arg")
    dims = "" if "keepdims = 0" in call else "[1]" if chosen else "[N]"
    text = f"""<ir_version: 4, opset_import: ["" : {opset}]>
g (float[N] x) => ({"int64" if chosen else "float"}{dims} y) {{ y = {call} (x) }}"""
    values = np.array([3, -1, 3, -1, 0], dtype=np.float32)
    result = prove(text, "OFX714", {"x": values}, {"x": values[:1]})
    if opset == 13:
        assert not builds(text)
        assert builds(result)


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize("operator", ["ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceProd", "ReduceSum"])
def test_reductions_of_a_scalar(operator: str, opset: int) -> None:
    text = f"""<ir_version: 4, opset_import: ["" : {opset}]>
g (float x) => (float y) {{ y = {operator} (x) }}"""
    result = prove(text, "OFX714", {"x": np.array(-3, dtype=np.float32)})
    if opset == 18:
        assert not builds(text)
        assert builds(result)


def test_float16_is_left_alone_where_it_is_taken() -> None:
    text = """<ir_version: 10, opset_import: ["" : 22]>
g (float16[2,4] x) => (float16[2,4] y) { y = HardSwish (x) }"""
    assert reason(text, "OFX713") == ""
