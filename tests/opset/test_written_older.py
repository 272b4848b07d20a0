"""Operators that an older opset lacks, written in others: every conversion is valid there and computes the same."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.model.model import Array
from tests.opset.conversions import brought, model_of, reasons

TARGETS = st.sampled_from([7, 8, 9, 10])
SIZES = st.integers(1, 4)
NUMBERS = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1.5, -2.5, 3.4e38, 1e-40], dtype=np.float32)
few = settings(max_examples=20, deadline=None)


def numbers(*shape: int) -> Array:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


@few
@given(rank=st.integers(1, 3), axis=st.integers(-3, 2), target=TARGETS, data=st.data())
def test_gather_elements(rank: int, axis: int, target: int, data: st.DataObject) -> None:
    axis = max(-rank, min(rank - 1, axis))
    shape = data.draw(st.lists(SIZES, min_size=rank, max_size=rank))
    taken = [data.draw(st.integers(1, size)) for size in shape]
    size = shape[axis]
    indices = np.random.default_rng(0).integers(-size, size, taken)
    dims = [",".join(map(str, s)) for s in (shape, taken)]
    model = model_of(
        13,
        f"""g (float[{dims[0]}] x, int64[{dims[1]}] i) => (float[{dims[1]}] y)
        {{ y = GatherElements <axis = {axis}> (x, i) }}""",
    )
    x = np.resize(NUMBERS, shape)
    brought(model, target, x=x, i=indices)


def test_gather_elements_of_unknown_sizes() -> None:
    model = model_of(
        13,
        """g (float[A,B,C] x, int32[A,D,C] i) => (float[A,D,C] y)
        { y = GatherElements <axis = 1> (x, i) }""",
    )
    indices = np.random.default_rng(0).integers(-5, 5, (2, 3, 4)).astype(np.int32)
    for target in (9, 10):
        brought(model, target, x=numbers(2, 5, 4), i=indices)


@few
@given(width=st.integers(1, 3), batch=st.integers(0, 1), target=TARGETS)
def test_gather_nd(width: int, batch: int, target: int) -> None:
    shape = (2, 3, 4, 2)
    indices = np.random.default_rng(0).integers(-2, 2, (2, 5, width))
    result = [2, 5, *shape[batch + width :]]
    model = model_of(
        13,
        f"""g (float[2,3,4,2] x, int64[2,5,{width}] i) => (float[{",".join(map(str, result))}] y)
        {{ y = GatherND <batch_dims = {batch}> (x, i) }}""",
    )
    brought(model, target, x=numbers(*shape), i=indices)


@few
@given(width=st.integers(1, 3), target=TARGETS)
def test_scatter_nd(width: int, target: int) -> None:
    shape = (3, 4, 2)
    every = np.argwhere(np.ones(shape[:width]))
    indices = np.random.default_rng(1).permutation(every)[:3] - np.array(shape[:width])
    updates = (3, *shape[width:])
    model = model_of(
        13,
        f"""g (float[3,4,2] x, int64[3,{width}] i, float[{",".join(map(str, updates))}] u)
        => (float[3,4,2] y) {{ y = ScatterND (x, i, u) }}""",
    )
    brought(model, target, x=numbers(*shape), i=indices, u=np.resize(NUMBERS, updates))


@few
@given(axis=st.integers(-2, 1), count=st.integers(1, 3), target=TARGETS)
def test_scatter_elements(axis: int, count: int, target: int) -> None:
    taken = (count, 4) if axis in (0, -2) else (3, count)
    size = (3, 4)[axis]
    indices = np.argsort(np.random.default_rng(count).random((3, 4)), axis=axis)[: taken[0], : taken[1]] - size
    dims = f"{taken[0]},{taken[1]}"
    model = model_of(
        13,
        f"""g (float[3,4] x, int64[{dims}] i, float[{dims}] u) => (float[3,4] y)
        {{ y = ScatterElements <axis = {axis}> (x, i, u) }}""",
    )
    brought(model, target, x=numbers(3, 4), i=indices, u=np.resize(NUMBERS, taken))


@few
@given(dtype=st.sampled_from(["float", "double", "int32", "int64", "uint8"]), target=st.sampled_from([7, 8]))
def test_where_of_every_type(dtype: str, target: int) -> None:
    model = model_of(
        9,
        f"""g (bool[2,1] c, {dtype}[3] a, {dtype}[2,3] b) => ({dtype}[2,3] y)
        {{ y = Where (c, a, b) }}""",
    )
    kind = onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.DataType.Value(dtype.upper()))
    values = NUMBERS if kind.kind == "f" else np.arange(9)
    feeds = {"a": np.resize(values, 3).astype(kind), "b": np.resize(values[::-1], (2, 3)).astype(kind)}
    brought(model, target, c=np.array([[True], [False]]), **feeds)


@few
@given(upper=st.integers(0, 1), shift=st.integers(-3, 3), constant=st.booleans(), target=st.sampled_from([9, 11, 13]))
def test_trilu(upper: int, shift: int, constant: bool, target: int) -> None:
    shape = "N,3,4" if constant else "N,M,K"
    model = model_of(
        14, f"""g (float[{shape}] x, int64 k) => (float[{shape}] y) {{ y = Trilu <upper = {upper}> (x, k) }}"""
    )
    if constant:
        del model.graph.input[1]
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(shift), "k"))
        brought(model, target, x=np.resize(NUMBERS, (2, 3, 4)))
    else:
        brought(model, target, x=np.resize(NUMBERS, (2, 3, 4)), k=np.array(shift))


@pytest.mark.parametrize("target", [7, 9, 10])
@pytest.mark.parametrize("operator", ["Equal", "Less", "Greater"])
@pytest.mark.parametrize("dtype", ["float", "double", "int64", "uint64", "int8", "uint32"])
def test_comparisons(operator: str, dtype: str, target: int) -> None:
    kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.DataType.Value(dtype.upper())))
    if kind.kind == "f":
        values = NUMBERS.astype(kind)
    else:
        limits = np.iinfo(kind)
        values = np.array([limits.min, limits.min + 1, 0, 1, limits.max // 2, limits.max - 1, limits.max], dtype=kind)
    model = model_of(13, f"g ({dtype}[N,1] a, {dtype}[1,N] b) => (bool[N,N] y) {{ y = {operator} (a, b) }}")
    brought(model, target, a=values.reshape(-1, 1), b=values.reshape(1, -1))


@few
@given(mode=st.sampled_from(["IsNaN", "IsInf", "Round"]), target=TARGETS)
def test_tests_of_floats(mode: str, target: int) -> None:
    kind = "float" if mode == "Round" else "bool"
    model = model_of(13, f"g (float[13] x) => ({kind}[13] y) {{ y = {mode} (x) }}")
    brought(model, target, x=np.concatenate([NUMBERS, np.array([0.5, 2.5, -1.5, 7.51], dtype=np.float32)]))


@few
@given(dtype=st.sampled_from(["int32", "int64", "int8", "uint8"]), fmod=st.integers(0, 1), target=TARGETS)
def test_remainders(dtype: str, fmod: int, target: int) -> None:
    kind = np.dtype(dtype)
    low = 0 if kind.kind == "u" else -9
    model = model_of(13, f"g ({dtype}[18] a, {dtype}[18] b) => ({dtype}[18] y) {{ y = Mod <fmod = {fmod}> (a, b) }}")
    divisors = np.where(np.arange(18) % 2, 4, 4 if kind.kind == "u" else -3)
    brought(model, target, a=np.arange(low, low + 18).astype(kind), b=divisors.astype(kind))


def test_a_remainder_of_floats_stays_a_blocker() -> None:
    model = model_of(13, "g (float[3] a, float[3] b) => (float[3] y) { y = Mod <fmod = 1> (a, b) }")
    assert "opset 9 has no operator Mod" in reasons(model, 9)
