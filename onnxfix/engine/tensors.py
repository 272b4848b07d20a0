"""The inputs and outputs of an engine: their types, shapes and ranges, and whether given arrays fit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfix.errors import OnnxfixError

Array = NDArray[Any]
Shape = tuple[int, ...]
Range = tuple[Shape, Shape, Shape]

# TensorRT's names and numpy's; those that numpy lacks come from ml_dtypes. INT4 and FP4 lie two to a byte.
_TYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BF16": "bfloat16",
    "INT8": "int8",
    "UINT8": "uint8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "FP8": "float8_e4m3fn",
    "E8M0": "float8_e8m0fnu",
    "INT4": "int4",
    "FP4": "float4_e2m1fn",
}
_PACKED = ("int4", "float4_e2m1fn")
# A parser that lacks a type takes the narrower one: double always, int64 before TensorRT 9.
_NARROWER = {"float64": "float32", "int64": "int32", "uint64": "int64", "uint32": "int64"}


@dataclass(frozen=True, slots=True)
class IoTensor:
    """One input or output. `dtype` is numpy's name, `shape` has -1 for sizes that come with the inputs.

    `host` tensors live in host memory. `ranges` has (smallest, best, largest) for every optimization profile:
    shapes, or the values themselves where `values` is true because the engine reads a shape out of them. Outputs
    and inputs of one fixed shape have none.
    """

    name: str
    input: bool
    dtype: str
    shape: Shape
    host: bool = False
    values: bool = False
    ranges: tuple[Range, ...] = ()


def numpy_name(trt_name: str) -> str:
    """numpy's or ml_dtypes' name of a TensorRT data type. Raises OnnxfixError for a type unknown here."""
    if trt_name not in _TYPES:
        raise OnnxfixError(f"TensorRT's data type {trt_name} is unknown to this version of onnxfix")
    return _TYPES[trt_name]


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The dtype of that name, numpy's own or from ml_dtypes."""
    if name in ("bool", "float32", "float16", "int8", "uint8", "int32", "int64"):
        return np.dtype(name)
    import ml_dtypes

    kind: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return kind


def byte_count(dtype: str, shape: Shape) -> int:
    """The bytes of a dense tensor in an engine."""
    count = int(np.prod(shape, dtype=np.int64))
    return (count + 1) // 2 if dtype in _PACKED else count * numpy_dtype(dtype).itemsize


def to_bytes(array: Array, dtype: str) -> NDArray[np.uint8]:
    """The bytes that an engine reads; of two 4-bit values in a byte the first is the low half."""
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if dtype not in _PACKED:
        return flat
    nibbles = np.append(flat, np.zeros(flat.size % 2, np.uint8)) & 15
    return np.asarray(nibbles[::2] | nibbles[1::2] << 4, dtype=np.uint8)


def from_bytes(data: NDArray[np.uint8], dtype: str, shape: Shape) -> Array:
    """A new array from the bytes that an engine wrote."""
    kind = numpy_dtype(dtype)
    if dtype not in _PACKED:
        return np.frombuffer(data.tobytes(), kind).reshape(shape)
    count = int(np.prod(shape, dtype=np.int64))
    nibbles = np.stack([data & 15, data >> 4], axis=1).reshape(-1)[:count]
    if dtype == "int4":  # ml_dtypes keeps an int4 with its sign in all eight bits
        nibbles = np.where(nibbles > 7, nibbles | 0xF0, nibbles).astype(np.uint8)
    return nibbles.view(kind).reshape(shape)


def check_inputs(tensors: Sequence[IoTensor], arrays: Mapping[str, Array]) -> None:
    """Raise OnnxfixError when an array is missing, is no input, or has another type or rank than the engine wants."""
    wanted = {tensor.name: tensor for tensor in tensors if tensor.input}
    hint = f"the inputs are {', '.join(wanted) or 'none'}"
    if missing := [name for name in wanted if name not in arrays]:
        raise OnnxfixError(f"there is no array for the input {missing[0]!r}", hint=hint)
    if unknown := [name for name in arrays if name not in wanted]:
        raise OnnxfixError(f"the array {unknown[0]!r} is no input of the engine", hint=hint)
    for name, tensor in wanted.items():
        found = arrays[name].dtype
        if found != numpy_dtype(tensor.dtype):
            hint = f"convert it: array.astype({tensor.dtype!r})"
            raise OnnxfixError(f"the array {name!r} is {found} and the engine takes {tensor.dtype}", hint=hint)


def choose_profile(tensors: Sequence[IoTensor], arrays: Mapping[str, Array]) -> int:
    """The first optimization profile that takes these arrays. Raises OnnxfixError when there is none."""
    inputs = [tensor for tensor in tensors if tensor.input]
    for tensor in inputs:
        if not _fits(arrays[tensor.name].shape, tensor.shape):
            raise _outside(tensor, arrays[tensor.name].shape, _text(tensor.shape))
    count = max((len(tensor.ranges) for tensor in inputs), default=0)
    for index in range(count):
        if all(_inside(tensor, arrays[tensor.name], index) for tensor in inputs):
            return index
    if not count:
        return 0
    wrong = next(t for t in inputs if not _inside(t, arrays[t.name], 0))
    spans = " or ".join(f"{_text(low)} to {_text(high)}" for low, _, high in wrong.ranges)
    raise _outside(wrong, _given(wrong, arrays[wrong.name]), spans)


def viewed(tensors: Sequence[IoTensor], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays with the types that a .npz file does not keep: of bfloat16 and the like it has the bits only."""
    types = {tensor.name: numpy_dtype(tensor.dtype) for tensor in tensors if tensor.input}
    return {
        name: array.view(types[name])
        if name in types and array.dtype.kind == "V" and array.dtype.itemsize == types[name].itemsize
        else array
        for name, array in arrays.items()
    }


def narrowed(tensors: Sequence[IoTensor], arrays: Mapping[str, Array]) -> tuple[dict[str, Array], list[str]]:
    """The arrays in the engine's types where a parser has taken a narrower one than the model's, and notes on that.

    Raises OnnxfixError when a value does not fit the narrower type.
    """
    types = {tensor.name: tensor.dtype for tensor in tensors if tensor.input}
    fitting, notes = dict(arrays), []
    for name, array in arrays.items():
        wanted = types.get(name)
        if wanted and wanted != array.dtype.name and _NARROWER.get(array.dtype.name) == wanted:
            fitting[name] = array.astype(wanted)
            if array.dtype.kind in "iu" and not np.array_equal(fitting[name], array):
                raise OnnxfixError(f"the array {name!r} has values that do not fit the engine's {wanted}")
            notes.append(f"input {name!r} is {array.dtype.name} in the model and {wanted} in the engine")
    return fitting, notes


def not_finite(arrays: Mapping[str, Array]) -> list[str]:
    """A note for every input that holds NaN or infinity."""
    notes = []
    for name, array in arrays.items():
        if array.dtype.kind == "f" or array.dtype.isbuiltin == 2:  # 2: the types of ml_dtypes
            wide = array.astype(np.float64)
            found = [(int(np.isnan(wide).sum()), "NaN"), (int(np.isinf(wide).sum()), "infinity")]
            notes += [
                f"input {name!r} holds {word} in {count} of {array.size} places" for count, word in found if count
            ]
    return notes


def _fits(shape: Shape, declared: Shape) -> bool:
    return len(shape) == len(declared) and all(d in (-1, size) for size, d in zip(shape, declared, strict=True))


def _inside(tensor: IoTensor, array: Array, profile: int) -> bool:
    if not tensor.ranges:
        return True
    low, _, high = tensor.ranges[profile]
    given = _given(tensor, array)
    return len(given) == len(low) and all(a <= b <= c for a, b, c in zip(low, given, high, strict=True))


def _given(tensor: IoTensor, array: Array) -> Shape:
    return tuple(int(value) for value in array.reshape(-1)) if tensor.values else array.shape


def _outside(tensor: IoTensor, given: Shape, allowed: str) -> OnnxfixError:
    what = "values" if tensor.values else "shape"
    return OnnxfixError(
        f"the array {tensor.name!r} has the {what} {_text(given)} and the engine takes {allowed}",
        hint="build the engine for the sizes that you use",
    )


def _text(shape: Shape) -> str:
    return "[" + ", ".join("?" if size == -1 else str(size) for size in shape) + "]"
