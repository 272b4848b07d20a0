"""Stored tensors: what happened to their values, and to those that nobody reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from comparing import changes, model, told
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from onnxfix.changes.figures import compared, equal

DEQUANTIZED = "d = DequantizeLinear(w, s, z) y = MatMul(x, d)"


def _with(nodes: str = "y = MatMul(x, w)", **tensors: Any) -> onnx.ModelProto:
    made = model(nodes)
    for name, value in tensors.items():
        tensor = value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value))
        made.graph.initializer.append(tensor)
        made.graph.initializer[-1].name = name
    return made


MATRIX = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
STEP = np.float32(np.abs(MATRIX).max() / 127)
WHOLE = np.round(MATRIX / STEP).astype(np.int8)
OTHER = MATRIX.copy()
OTHER[3, 4] += 0.5

RELATIONS = {
    "changed": (MATRIX, OTHER, "1 of 48 values differ, max |diff| 0.5"),
    "transposed": (MATRIX, MATRIX.T, "transposed by [1, 0]"),
    "square": (MATRIX[:6], MATRIX[:6].T, "transposed by [1, 0]"),
    "three axes": (MATRIX.reshape(2, 4, 6), MATRIX.reshape(2, 4, 6).transpose(2, 0, 1), "transposed by [2, 0, 1]"),
    "reshaped": (MATRIX, MATRIX.reshape(4, 12), "reshaped [8, 6] → [4, 12]"),
    "other": (MATRIX, MATRIX[:5], "another shape, [8, 6] → [5, 6]"),
    "wider": (MATRIX, MATRIX.astype(np.float64), "float → double, equal values"),
    "int8": (MATRIX, WHOLE, "float → int8, quantized by one scale and zero point"),
    "uint8": (MATRIX, (WHOLE + np.int16(128)).astype(np.uint8), "float → uint8, quantized by one scale and zero point"),
    "floats": (WHOLE, WHOLE * STEP, "int8 → float, dequantized by one scale and zero point"),
}


@pytest.mark.parametrize("name", RELATIONS)
def test_relations(name: str) -> None:
    old, new, message = RELATIONS[name]
    assert told(_with(w=old), _with(w=new)) == [("weight", message)]


def test_rows_with_scales_of_their_own() -> None:
    steps = np.abs(MATRIX).max(axis=1, keepdims=True) * np.float32(1 / 127) * np.arange(1, 9)[:, None]
    (change,) = changes(_with(w=MATRIX), _with(w=np.round(MATRIX / steps).astype(np.int8)))
    assert change.message == "float → int8, quantized by a scale and zero point of each row"
    assert change.details["relation"] == "requantized"


def test_random_integers_are_not_quantized_floats() -> None:
    noise = np.random.default_rng(1).integers(-128, 128, MATRIX.shape).astype(np.int8)
    (change,) = changes(_with(w=MATRIX), _with(w=noise))
    assert change.details["relation"] == "retyped"


def test_rounded_values() -> None:
    (change,) = changes(_with(w=MATRIX), _with(w=MATRIX.astype(np.float16)))
    assert change.message.startswith("float → float16, every value rounded, max |diff| 0.000")


def test_a_dequantize_in_front_of_a_weight() -> None:
    quantized = _with(DEQUANTIZED, w=WHOLE, s=STEP, z=np.int8(0))
    (change,) = changes(_with(w=MATRIX), quantized)
    assert change.kind == "replaced"
    assert change.message.startswith("constant → DequantizeLinear: quantized, max |diff| 0.00")
    assert 0 < change.details["max"] <= change.details["step"] / 2 * 1.001
    (back,) = changes(quantized, _with(w=MATRIX))
    assert back.message.startswith("DequantizeLinear → constant: dequantized")


def test_quantized_again() -> None:
    wider = np.float32(STEP * 1.2)
    one = _with(DEQUANTIZED, w=WHOLE, s=STEP, z=np.int8(0))
    two = _with(DEQUANTIZED, w=np.round(MATRIX / wider).astype(np.int8), s=wider, z=np.int8(0))
    (change,) = changes(one, two)
    assert change.details["relation"] == "requantized"
    assert 0 < change.details["max"] <= (STEP + wider) / 2 * 1.001


TYPES = (
    "bfloat16",
    "float16",
    "float8e4m3fn",
    "float8e5m2",
    "float4e2m1",
    "int4",
    "uint4",
    "bool",
    "int64",
    "complex64",
)


@pytest.mark.parametrize("name", TYPES)
def test_every_type(name: str) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(onnx.TensorProto.DataType.Value(name.upper()))
    ones, twos = (np.array(values).astype(dtype) for values in ([1, 0, 1, 1, 1], [1, 0, 1, 1, 0]))
    assert not changes(_with(w=ones), _with(w=ones))
    (change,) = changes(_with(w=ones), _with(w=twos))
    assert (change.details["changed"], change.details["max"]) == (1, 1.0)


@pytest.mark.parametrize("name", ["FLOAT", "FLOAT16", "INT4", "UINT4", "INT8", "INT64", "DOUBLE", "BFLOAT16"])
def test_ways_to_store_are_no_change(name: str) -> None:
    typed = helper.make_tensor("w", onnx.TensorProto.DataType.Value(name), [3], [1, 2, 3])
    raw = numpy_helper.from_array(numpy_helper.to_array(typed), "w")
    assert raw.HasField("raw_data")
    assert not changes(_with(w=typed), _with(w=raw))


def _texts(*texts: str) -> onnx.ModelProto:
    tensor = onnx.TensorProto(data_type=onnx.TensorProto.STRING, dims=[len(texts)])
    tensor.string_data.extend(text.encode() for text in texts)
    return _with(w=tensor)


def test_texts() -> None:
    assert not changes(_texts("a", "b"), _texts("a", "b"))
    assert told(_texts("a", "b"), _texts("a", "c")) == [("weight", "other texts")]
    assert told(_texts("a1:", "b"), _texts("a", "1:b")) == [("weight", "other texts")]


def test_nan_and_infinity() -> None:
    strange = MATRIX.copy()
    strange[0, 0], strange[1, 1] = np.nan, np.inf
    assert not changes(_with(w=strange), _with(w=strange.copy()))
    (change,) = changes(_with(w=MATRIX), _with(w=strange))
    assert change.message == "2 of 48 values differ, max |diff| 0, 2 with NaN or infinity"


def test_large_integers_are_compared_exactly() -> None:
    big = np.array([2**60, 5])
    (change,) = changes(_with(w=big), _with(w=big + np.array([1, 0])))
    assert change.details["changed"] == 1


def test_where_a_constant_is_stored() -> None:
    stored = model("y = Add(x, w)", stored="<float[2] w = {1, 2}>")
    node = model("w = Constant <value = float[2] {1, 2}> () y = Add(x, w)")
    assert not changes(stored, node)
    assert told(stored, node, placement=True) == [("placement", "stored as an initializer → a Constant node")]


def test_a_constant_in_the_place_of_nodes() -> None:
    computed = model("a = Add(w, w) y = Add(x, a)", stored="<float[2] w = {1, 2}>")
    folded = model("y = Add(x, a)", stored="<float[2] a = {2, 4}>")
    (change,) = changes(computed, folded)
    assert (change.kind, change.message) == ("replaced", "Add → constant")
    assert change.after == ("float[2] a = {2.0, 4.0}",)


def test_what_nobody_reads() -> None:
    one, two = model("y = Relu(x)", stored="<float[2] w = {1, 2}>"), model("y = Relu(x)")
    assert told(one, two) == [("weight", "stored tensor removed; no node read it")]
    assert told(two, one) == [("weight", "stored tensor added; no node reads it")]
    assert not changes(one, model("y = Relu(x)", stored="<float[2] v = {1, 2}>"))


def test_sparse_tensors() -> None:
    def sparse(value: float, name: str) -> onnx.ModelProto:
        made = model(f"y = Add(x, {name})")
        values = helper.make_tensor(name, onnx.TensorProto.FLOAT, [1], [value])
        indices = helper.make_tensor("", onnx.TensorProto.INT64, [1], [2])
        made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
        return made

    assert told(sparse(1, "s"), sparse(2, "s")) == [("weight", "other sparse values")]
    assert told(sparse(1, "s"), sparse(1, "t")) == [("renamed", "stored tensor s → t")]


ARRAYS = st.lists(st.floats(width=32), min_size=1, max_size=40)


@settings(max_examples=100, deadline=None)
@given(ARRAYS, ARRAYS)
def test_figures(first: list[float], second: list[float]) -> None:
    size = min(len(first), len(second))
    old, new = np.array(first[:size], np.float32), np.array(second[:size], np.float32)
    figures = compared(old, new)
    same = (old == new) | (np.isnan(old) & np.isnan(new))
    assert figures["changed"] == np.count_nonzero(~same)
    assert equal(old, new) == (figures["changed"] == 0)
    finite = np.isfinite(old) & np.isfinite(new)
    gaps = np.abs(new[finite].astype(np.float64) - old[finite].astype(np.float64))
    assert figures["max"] == gaps.max(initial=0)
    assert figures["not_finite"] == np.count_nonzero(~same & ~finite)
    assert sum(figures["histogram"]) == (finite.sum() if figures["max"] else 0)
