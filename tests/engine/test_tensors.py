from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfix.engine import tensors as io
from onnxfix.engine.tensors import IoTensor
from onnxfix.errors import OnnxfixError

FOUR_BITS = {"int4": ml_dtypes.int4, "float4_e2m1fn": ml_dtypes.float4_e2m1fn}


@pytest.mark.parametrize("dtype", FOUR_BITS)
@given(values=st.lists(st.integers(0, 15), max_size=9))
def test_four_bit_values_lie_two_to_a_byte(dtype: str, values: list[int]) -> None:
    bits = np.array(values, np.uint8)
    if dtype == "int4":
        bits = np.where(bits > 7, bits | 0xF0, bits).astype(np.uint8)
    array = bits.view(FOUR_BITS[dtype])
    packed = io.to_bytes(array, dtype)
    assert packed.size == io.byte_count(dtype, array.shape) == (len(values) + 1) // 2
    assert np.array_equal(io.from_bytes(packed, dtype, array.shape).view(np.uint8), bits)


def test_the_first_value_is_the_low_half() -> None:
    assert io.to_bytes(np.array([1, -2, 3]).astype(ml_dtypes.int4), "int4").tolist() == [0xE1, 0x03]


@pytest.mark.parametrize("name", ["FLOAT", "HALF", "BF16", "INT8", "UINT8", "INT32", "INT64", "BOOL", "FP8", "E8M0"])
def test_whole_bytes(name: str) -> None:
    dtype = io.numpy_name(name)
    array = np.ones((2, 3)).astype(io.numpy_dtype(dtype))
    again = io.from_bytes(io.to_bytes(array, dtype), dtype, (2, 3))
    assert (again.dtype, again.tobytes()) == (array.dtype, array.tobytes())


def test_unknown_type() -> None:
    with pytest.raises(OnnxfixError, match="data type FP2 is unknown"):
        io.numpy_name("FP2")


def test_every_type_of_the_real_library_is_known() -> None:
    real = pytest.importorskip("tensorrt_rtx")
    for name in real.DataType.__members__:
        assert io.numpy_dtype(io.numpy_name(name)) is not None


def test_transposed_arrays_are_sent_in_order() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert np.array_equal(io.from_bytes(io.to_bytes(array, "float32"), "float32", (3, 2)), array)


def test_types_that_a_parser_narrows() -> None:
    kinds = {"x": "float32", "i": "int32", "h": "int8"}
    tensors = [IoTensor(name, True, dtype, (-1,)) for name, dtype in kinds.items()]
    arrays: dict[str, Any] = {"x": np.array([0.5, 2]), "i": np.array([7]), "h": np.array([7])}
    fitting, notes = io.narrowed(tensors, arrays)
    assert [fitting[name].dtype.name for name in "xih"] == ["float32", "int32", "int64"], "int8 is no parser's doing"
    assert notes == [
        "input 'x' is float64 in the model and float32 in the engine",
        "input 'i' is int64 in the model and int32 in the engine",
    ]
    with pytest.raises(OnnxfixError, match="'i' has values that do not fit the engine's int32"):
        io.narrowed(tensors, {"i": np.array([2**40])})


def test_types_that_a_file_does_not_keep() -> None:
    tensors = (IoTensor("x", True, "bfloat16", (2,)),)
    bits = np.array([0x3F80, 0x4000], np.uint16).view("V2")
    assert io.viewed(tensors, {"x": bits})["x"].tolist() == [1, 2]
    other = np.ones(2)
    assert io.viewed(tensors, {"x": other})["x"] is other


def test_notes_on_nan_and_infinity() -> None:
    arrays: dict[str, Any] = {
        "a": np.array([1, np.nan, np.inf], np.float16),
        "b": np.array([np.nan]).astype(ml_dtypes.bfloat16),
        "c": np.array([1]),
        "d": np.array(["text"], object),
        "e": np.array([1], np.uint16).view("V2"),
    }
    assert io.not_finite(arrays) == [
        "input 'a' holds NaN in 1 of 3 places",
        "input 'a' holds infinity in 1 of 3 places",
        "input 'b' holds NaN in 1 of 1 places",
    ]
