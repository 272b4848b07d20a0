"""The operators of ai.onnx.ml that prepare features: scaling, filling, encoding, selecting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op

FLOAT, INT64, STRING = 1, 7, 8
MANY = 4096
"""A table of more keys makes the rewrite unsafe: every element is compared with every key."""


def ml_prepare(op: Op) -> None:
    """One operator of the table below; NoRewrite for texts and for maps, which TensorRT does not have."""
    _BODIES[op.node.op_type](op)


def _floats(op: Op) -> str:
    return op.input(0) if op.dtype(0) == FLOAT else forms.cast(op, op.input(0), FLOAT)


def _scaler(op: Op) -> None:
    """(x - offset) scale, in float."""
    offset, scale = (np.array(op.attribute(name) or (), dtype=np.float32) for name in ("offset", "scale"))
    op.require(offset.size > 0 and offset.size == scale.size, "offset and scale do not fit each other")
    op.finish(op.make("Mul", op.make("Sub", _floats(op), op.const(offset)), op.const(scale)))


def _normalizer(op: Op) -> None:
    """x divided by the largest element, by the sum of magnitudes, or by the root of the sum of squares of its row."""
    op.require(len(op.dims(0)) == 2, "the input does not have two axes")
    norm, x = op.attribute("norm", "MAX"), _floats(op)
    if norm == "MAX":
        size = forms.reduce(op, "ReduceMax", x, [1])
    elif norm == "L1":
        size = forms.reduce(op, "ReduceSum", op.make("Abs", x), [1])
    else:
        op.require(norm == "L2", f"the norm {norm} is not known")
        size = op.make("Sqrt", forms.reduce(op, "ReduceSum", op.make("Mul", x, x), [1]))
    zero = op.make("Equal", size, op.const(np.float32(0)))
    op.finish(op.make("Div", x, op.make("Where", zero, op.const(np.float32(1)), size)))


def _binarizer(op: Op) -> None:
    """1 where x is above the threshold, else 0, in the type of x."""
    above = op.make("Greater", op.input(0), op.like(0, float(op.attribute("threshold", 0.0))))
    op.finish(forms.cast(op, above, op.dtype(0)))


def _imputer(op: Op) -> None:
    """Elements that equal the replaced value (NaN too) become the one given, or the one of their column."""
    integer = op.dtype(0) == INT64
    op.require(integer or op.dtype(0) == FLOAT, "the input is neither float nor int64")
    given = np.array(op.attribute("imputed_value_int64s" if integer else "imputed_value_floats") or ())
    op.require(given.size > 0, "there is no value to fill in")
    old = op.attribute("replaced_value_int64" if integer else "replaced_value_float", 0)
    if not integer and np.isnan(old):
        lost = op.make("IsNaN", op.input(0))
    else:
        lost = op.make("Equal", op.input(0), op.like(0, old))
    op.finish(op.make("Where", lost, op.const(given, op.dtype(0)), op.input(0)))


def _one_hot_encoder(op: Op) -> None:
    """A new last axis with a 1 at the category; an unknown one has none (which is an error without `zeros`)."""
    categories = op.attribute("cats_int64s")
    op.require(bool(categories) and op.dtype(0) != STRING, "its categories are texts")
    x = op.input(0) if op.dtype(0) == INT64 else forms.cast(op, op.input(0), INT64)
    column = forms.unsqueeze(op, x, [len(op.dims(0))])
    same = op.make("Equal", column, op.const(np.array(categories, dtype=np.int64)))
    op.finish(forms.cast(op, same, FLOAT))


def _label_encoder(op: Op) -> None:
    """Numbers looked up in a table of numbers; those that are no key become the default."""
    op.require(op.dtype(0) != STRING, "its keys are texts")
    keys, values = _column(op, "keys"), _column(op, "values")
    op.require(keys is not None and values is not None, "its keys or values are texts")
    assert keys is not None and values is not None
    op.require(len(np.unique(keys)) == len(keys), "a key is there twice")
    op.require(keys.dtype == _numpy(op.dtype(0)), "the keys are of another type than the input")
    column = forms.unsqueeze(op, op.input(0), [len(op.dims(0))])
    same = op.make("Equal", column, op.const(keys))
    if np.isnan(keys).any() and op.scope.opsets.get("ai.onnx.ml", 1) >= 4:  # since then NaN is a key like any other
        same = op.make("Or", same, op.make("And", op.make("IsNaN", column), op.const(np.isnan(keys))))
    rank = len(op.dims(0))
    spread = forms.cast(op, same, FLOAT)
    place = op.make("ArgMax", spread, axis=rank, keepdims=0)
    found = op.make("Greater", forms.reduce(op, "ReduceMax", spread, [rank], keepdims=False), op.const(np.float32(0)))
    default = op.const(np.array(_default(op, values)).astype(values.dtype))
    op.finish(op.make("Where", found, op.make("Gather", op.const(values), place, axis=0), default))
    if keys.size > MANY:
        op.unsafe = f"every element is compared with {keys.size} keys"


def _column(op: Op, name: str) -> np.ndarray | None:
    """Keys or values that are numbers, in whichever attribute."""
    tensor = op.attribute(f"{name}_tensor")
    if isinstance(tensor, onnx.TensorProto):
        return None if tensor.data_type == STRING else onnx.numpy_helper.to_array(tensor).reshape(-1)
    for kind, dtype in (("int64s", np.int64), ("floats", np.float32)):
        if op.attribute(f"{name}_{kind}") is not None:
            return np.array(op.attribute(f"{name}_{kind}"), dtype=dtype)
    return None


def _default(op: Op, values: np.ndarray) -> Any:
    tensor = op.attribute("default_tensor")
    if isinstance(tensor, onnx.TensorProto) and tensor.data_type:
        return onnx.numpy_helper.to_array(tensor).reshape(-1)[0]
    return op.attribute("default_int64" if values.dtype.kind == "i" else "default_float", 0)


def _numpy(dtype: int) -> np.dtype[Any]:
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(dtype))


def _array_feature_extractor(op: Op) -> None:
    """The chosen elements of the last axis."""
    op.require(op.dtype(0) != STRING, "it selects texts")
    rank = len(op.dims(0))
    places = forms.reshape(op, op.input(1), [-1])
    chosen = op.make("Gather", op.input(0), places, axis=rank - 1)
    op.finish(forms.unsqueeze(op, chosen, [0]) if rank == 1 else chosen)


def _feature_vectorizer(op: Op) -> None:
    """All inputs as float columns beside each other."""
    sizes = [int(size) for size in op.attribute("inputdimensions") or ()]
    op.require(len(sizes) == len(op.node.input), "there is not one size for each input")
    columns = []
    for place, size in enumerate(sizes):
        op.require(
            len(op.dims(place)) == 2 and op.dims(place)[1] == size, "an input does not have the size that is told"
        )
        same = op.dtype(place) == FLOAT
        columns.append(op.input(place) if same else forms.cast(op, op.input(place), FLOAT))
    op.finish(op.make("Concat", *columns, axis=1))


def _told(reason: str) -> Callable[[Op], None]:
    def body(op: Op) -> None:
        op.require(False, reason)

    return body


_BODIES: dict[str, Callable[[Op], None]] = {
    "ArrayFeatureExtractor": _array_feature_extractor,
    "Binarizer": _binarizer,
    "CastMap": _told("TensorRT has no maps; feed the values as a tensor"),
    "CategoryMapper": _told("it maps texts, which TensorRT does not have; map them before the model"),
    "DictVectorizer": _told("TensorRT has no maps; feed the values as a tensor"),
    "FeatureVectorizer": _feature_vectorizer,
    "Imputer": _imputer,
    "LabelEncoder": _label_encoder,
    "Normalizer": _normalizer,
    "OneHotEncoder": _one_hot_encoder,
    "Scaler": _scaler,
    "ZipMap": _told("its output is a list of maps; `--cut ZipMap` leaves the tensor before it"),
}
