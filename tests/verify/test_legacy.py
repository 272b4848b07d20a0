"""The numpy operators against ONNX Runtime (through the form that it knows) or against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from onnxfix.verify import legacy
from onnxfix.verify.runtime import Session

Array = NDArray[Any]
SEED = st.integers(0, 2**16)
SHAPE = st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple)
quick = settings(max_examples=30, deadline=None)


def run(op_type: str, since: int, *inputs: Array, outputs: int = 1, **attributes: Any) -> list[Array]:
    names = [f"o{index}" for index in range(outputs)]
    node = onnx.helper.make_node(op_type, [f"i{index}" for index in range(len(inputs))], names, **attributes)
    return legacy.run(node, since, inputs)


def onnxruntime(op_type: str, opset: int, *inputs: Array, **attributes: Any) -> Array:
    names = [f"i{index}" for index in range(len(inputs))]
    values = [
        onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), None)
        for n, a in zip(names, inputs, strict=True)
    ]
    node = onnx.helper.make_node(op_type, names, ["y"], **attributes)
    graph = onnx.helper.make_graph([node], "g", values, [onnx.ValueInfoProto(name="y")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)
    return np.asarray(Session(model.SerializeToString()).run(dict(zip(names, inputs, strict=True)))["y"])


def floats(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@quick
@given(SHAPE, st.data(), SEED, st.sampled_from(["Add", "Sub", "Mul", "Div"]), st.sampled_from([1, 6]))
def test_broadcast_of_a_slice_of_axes(shape: tuple[int, ...], data: Any, seed: int, op: str, since: int) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    end = data.draw(st.integers(axis + 1, len(shape)))
    a, b = floats(seed, *shape), floats(seed + 1, *shape[axis:end]) + 3
    (got,) = run(op, since, a, b, broadcast=1, axis=axis)
    compute = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}[op]
    expected = np.empty_like(a)
    for place in np.ndindex(*shape):
        expected[place] = compute(a[place], b[place[axis:end]])
    np.testing.assert_array_equal(got, expected)
    if end == len(shape):
        np.testing.assert_array_equal(run(op, since, a, b, broadcast=1)[0], expected)


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_logic_broadcasts_too(op: str) -> None:
    a, b = np.array([[True, False], [True, True]]), np.array([True, False])
    got = run(op, 1, a, b, broadcast=1, axis=0)[0]
    np.testing.assert_array_equal(got, onnxruntime(op, 7, a, b.reshape(2, 1)))


@pytest.mark.parametrize("op", ["Equal", "Less", "Greater", "Pow"])
def test_comparisons_and_power(op: str) -> None:
    dtype = np.int32 if op == "Equal" else np.float32
    a, b = np.array([[1, 2], [3, 1]], dtype), np.array([1, 3], dtype)
    expected = onnxruntime(op, 7, a, b.reshape(2, 1))
    got = run(op, 1, a, b, broadcast=1, axis=0)[0]
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@given(st.integers(-9, 9), st.integers(-9, 9).filter(bool))
def test_integer_division_cuts_towards_zero(a: int, b: int) -> None:
    got = run("Div", 6, np.array([a], np.int32), np.array([b], np.int32))[0]
    assert got.tolist() == [int(a / b)]
    assert got.dtype == np.int32


def test_broadcast_has_to_be_asked_for_and_to_fit() -> None:
    with pytest.raises(ValueError, match="broadcast is 0"):
        run("Add", 6, floats(0, 2, 3), floats(0, 3))
    with pytest.raises(ValueError, match="does not lie in"):
        run("Add", 6, floats(0, 2, 3), floats(0, 2), broadcast=1)
    assert run("Add", 6, floats(0, 2, 3), np.ones((1, 1, 1, 1), "f"), broadcast=1)[0].shape == (2, 3)


@quick
@given(SEED, st.integers(0, 1), st.integers(0, 1), st.sampled_from(["full", "row", "scalar"]), st.sampled_from([1, 6]))
def test_gemm(seed: int, left: int, right: int, kind: str, since: int) -> None:
    a, b = floats(seed, *((4, 2) if left else (2, 4))), floats(seed + 1, *((3, 4) if right else (4, 3)))
    c = floats(seed + 2, *{"full": (2, 3), "row": (3,), "scalar": (1,)}[kind])
    options = {"alpha": 0.5, "beta": 2.0, "transA": left, "transB": right}
    got = run("Gemm", since, a, b, c, broadcast=int(kind != "full"), **options)[0]
    np.testing.assert_allclose(got, onnxruntime("Gemm", 7, a, b, c, **options), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("slope", [1, 3])
def test_prelu(slope: int) -> None:
    x, s = floats(1, 2, 3, 4, 5), floats(2, slope)
    expected = onnxruntime("PRelu", 7, x, s.reshape(-1, 1, 1))
    np.testing.assert_array_equal(run("PRelu", 6, x, s)[0], expected)


@pytest.mark.parametrize("spatial", [0, 1])
@pytest.mark.parametrize("since", [1, 6])
def test_batch_normalization_in_test_mode(spatial: int, since: int) -> None:
    x = floats(1, 2, 3, 4, 5)
    shape = (3,) if spatial else (3, 4, 5)
    parameters = [floats(seed, *shape) for seed in (2, 3, 4)] + [np.abs(floats(5, *shape))]
    got = run("BatchNormalization", since, x, *parameters, is_test=1, spatial=spatial, epsilon=1e-3)[0]
    if spatial:
        expected = onnxruntime("BatchNormalization", 7, x, *parameters, epsilon=1e-3)
    else:
        scale, bias, mean, variance = parameters
        expected = (x - mean) / np.sqrt(variance + 1e-3) * scale + bias
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("op", ["BatchNormalization", "Dropout"])
def test_training_is_refused(op: str) -> None:
    with pytest.raises(legacy.NotInference):
        run(op, 6, floats(0, 2, 3), *[np.ones(3, "f")] * 4)


def test_dropout_in_test_mode_keeps_its_input() -> None:
    y, mask = run("Dropout", 6, floats(0, 2, 3), outputs=2, is_test=1, ratio=0.9)
    np.testing.assert_array_equal(y, floats(0, 2, 3))
    assert mask.all()


@pytest.mark.parametrize(("shape", "result"), [([0, -1], (2, 12)), ([4, 6], (4, 6)), ([-1, 0, 2, 2], (2, 3, 2, 2))])
def test_reshape(shape: list[int], result: tuple[int, ...]) -> None:
    x = floats(0, 2, 3, 4)
    np.testing.assert_array_equal(run("Reshape", 1, x, shape=shape)[0], x.reshape(result))


def test_concat_takes_axis_1_by_default() -> None:
    assert run("Concat", 1, floats(0, 2, 3), floats(0, 2, 1))[0].shape == (2, 4)
    assert run("Concat", 1, floats(0, 2, 3), floats(0, 1, 3), axis=0)[0].shape == (3, 3)


def test_split_by_attribute_by_input_and_in_equal_parts() -> None:
    x = floats(0, 2, 6)
    sizes = [
        [part.shape[1] for part in parts]
        for parts in (
            run("Split", 1, x, axis=1, split=[1, 5], outputs=2),
            run("Split", 1, x, np.array([4, 2], "f").astype(np.int64), axis=1, outputs=2),
            run("Split", 1, x, axis=1, outputs=3),
        )
    ]
    assert sizes == [[1, 5], [4, 2], [2, 2, 2]]


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_pad(mode: str) -> None:
    x, pads = floats(0, 2, 3, 4, 5), [0, 0, 1, 2, 0, 0, 2, 1]
    value = {"value": 1.5} if mode == "constant" else {}
    got = run("Pad", 1, x, paddings=pads, mode=mode, **value)[0]
    np.testing.assert_array_equal(got, onnxruntime("Pad", 2, x, pads=pads, mode=mode, **value))


@pytest.mark.parametrize(
    ("name", "dtype"), [("INT32", np.int32), ("BOOL", bool), ("DOUBLE", np.float64), ("float16", np.float16)]
)
def test_cast_names_its_type(name: str, dtype: type) -> None:
    x = np.array([-1.7, 0.0, 2.5], np.float32)
    np.testing.assert_array_equal(run("Cast", 1, x, to=name)[0], x.astype(dtype))


def test_tile_along_one_axis() -> None:
    got = run("Tile", 1, floats(0, 2, 3), np.array([2], np.int64), np.array([1], np.int64))[0]
    np.testing.assert_array_equal(got, np.concatenate([floats(0, 2, 3)] * 2, axis=1))


SCALE = st.sampled_from([1.0, 1.2, 1.5, 2.0, 2.7, 3.0])


@quick
@given(st.tuples(*[st.integers(1, 5)] * 4), SCALE, SCALE, st.sampled_from(["nearest", "linear"]), SEED)
def test_upsample(shape: tuple[int, ...], height: float, width: float, mode: str, seed: int) -> None:
    x = floats(seed, *shape)
    old_mode = "bilinear" if mode == "linear" else mode
    got = run("Upsample", 1, x, height_scale=height, width_scale=width, mode=old_mode)[0]
    scales = [1.0, 1.0, height, width]
    for opset, extra in ((7, {"scales": scales}), (9, {})):
        inputs = [x] if extra else [x, np.array(scales, np.float32)]
        expected = onnxruntime("Upsample", opset, *inputs, mode=mode, **extra)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(got, legacy.resample(x, scales, mode))


def test_bytes_of_modes_are_read_and_unknown_operators_are_not_known() -> None:
    assert legacy.known("Add", 6)
    assert not legacy.known("Add", 7)
    assert not legacy.known("Conv", 1)
