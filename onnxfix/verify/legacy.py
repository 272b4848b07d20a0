"""Operators of opset 1 to 6 that ONNX Runtime has no kernel for, in numpy, as the operator specification says.

They are the second opinion on opset conversion, and share no code with it. Sources: the operator changelog of
ONNX, versions 1 to 6; Upsample follows ONNX Runtime (asymmetric coordinates, floor).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx

from onnxfix.model.model import Array

Attributes = dict[str, Any]
# The attributes are the node's, and "outputs", the number of its outputs.
Function = Callable[[Sequence[Array], Attributes], Sequence[Array]]


class NotInference(ValueError):
    """The node asks for training behaviour, whose outputs are random or depend on the batch."""


def known(op_type: str, since_version: int) -> bool:
    """Whether the operator, in that version of its schema, is computed here."""
    return (op_type, since_version) in _FUNCTIONS


def run(node: onnx.NodeProto, since_version: int, inputs: Sequence[Array]) -> list[Array]:
    """The outputs of a node. Raises ValueError when its inputs or attributes break the specification."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    attributes = {name: value.decode() if isinstance(value, bytes) else value for name, value in attributes.items()}
    attributes["outputs"] = len(node.output)
    with np.errstate(all="ignore"):
        results = _FUNCTIONS[node.op_type, since_version](inputs, attributes)
    return [np.asarray(result) for result in results]


def _elementwise(compute: Callable[[Array, Array], Array]) -> Function:
    return lambda inputs, attributes: [compute(inputs[0], _aligned(inputs[0], inputs[1], attributes))]


def _aligned(a: Array, b: Array, attributes: Attributes) -> Array:
    """B shaped so that numpy broadcasts it over A: its axes lie at `axis` of A, or at the end.

    Axes of size 1 in B stretch, as ONNX's own test models of opset 6 have it.
    """
    if a.shape == b.shape:
        return b
    if not attributes.get("broadcast", 0):
        raise ValueError(f"shapes {a.shape} and {b.shape} differ and broadcast is 0")
    if b.size == 1:
        return b.reshape(())
    axis = attributes.get("axis", a.ndim - b.ndim)
    axis += a.ndim if axis < 0 else 0
    if len(a.shape[axis : axis + b.ndim]) != b.ndim or any(
        size not in (1, whole) for size, whole in zip(b.shape, a.shape[axis:], strict=False)
    ):
        raise ValueError(f"shape {b.shape} does not lie in {a.shape} at axis {axis}")
    return b.reshape(b.shape + (1,) * (a.ndim - axis - b.ndim))


def _div(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        return np.asarray(np.divide(a, b))
    quotient = a // b
    return np.asarray(quotient + ((quotient * b != a) & ((a < 0) != (b < 0))), dtype=a.dtype)


def _gemm(inputs: Sequence[Array], attributes: Attributes) -> list[Array]:
    a, b, c = inputs
    a = a.T if attributes.get("transA", 0) else a
    b = b.T if attributes.get("transB", 0) else b
    product = attributes.get("alpha", 1.0) * (a @ b)
    if c.shape != product.shape and not attributes.get("broadcast", 0):
        raise ValueError(f"C has the shape {c.shape} instead of {product.shape} and broadcast is 0")
    total = product + attributes.get("beta", 1.0) * np.broadcast_to(c, product.shape)
    return [total.astype(a.dtype)]


def _prelu(inputs: Sequence[Array], _: Attributes) -> list[Array]:
    x, slope = inputs
    if slope.size == 1:
        slope = slope.reshape(())
    elif slope.shape != x.shape:
        slope = slope.reshape((-1,) + (1,) * (x.ndim - 2))
    return [np.where(x < 0, slope * x, x).astype(x.dtype)]


def _batch_normalization(inputs: Sequence[Array], attributes: Attributes) -> list[Array]:
    if not attributes.get("is_test", 0):
        raise NotInference("BatchNormalization with is_test = 0 trains")
    x, *parameters = inputs
    shape = (1, -1) + (1,) * (x.ndim - 2) if attributes.get("spatial", 1) else (1, *x.shape[1:])
    scale, bias, mean, variance = (p.reshape(shape).astype(np.float64) for p in parameters)
    y = (x - mean) / np.sqrt(variance + attributes.get("epsilon", 1e-5)) * scale + bias
    return [y.astype(x.dtype)]


def _dropout(inputs: Sequence[Array], attributes: Attributes) -> list[Array]:
    if not attributes.get("is_test", 0):
        raise NotInference("Dropout with is_test = 0 is random")
    return [inputs[0], np.ones_like(inputs[0])]


def _reshape(inputs: Sequence[Array], attributes: Attributes) -> list[Array]:
    sizes = [inputs[0].shape[axis] if size == 0 else size for axis, size in enumerate(attributes["shape"])]
    return [inputs[0].reshape(sizes)]


def _concat(inputs: Sequence[Array], attributes: Attributes) -> list[Array]:
    return [np.concatenate(inputs, axis=attributes.get("axis", 1))]


def _split(inputs: Sequence[Array], attributes: Attributes) -> list[Array]:
    axis = attributes.get("axis", 0)
    sizes = inputs[1] if len(inputs) > 1 else attributes.get("split")
    if sizes is None:
        return np.split(inputs[0], attributes["outputs"], axis)
    return np.split(inputs[0], np.cumsum(sizes)[:-1], axis)


def _pad(inputs: Sequence[Array], attributes: Attributes) -> list[Array]:
    x, pads = inputs[0], attributes["paddings"]
    width = [(pads[axis], pads[axis + x.ndim]) for axis in range(x.ndim)]
    mode = attributes.get("mode", "constant")
    if mode == "constant":
        return [np.pad(x, width, "constant", constant_values=attributes.get("value", 0.0))]
    return [np.pad(x, width, "reflect" if mode == "reflect" else "edge")]


def _cast(inputs: Sequence[Array], attributes: Attributes) -> list[Array]:
    kind = onnx.TensorProto.DataType.Value(attributes["to"].upper())
    return [inputs[0].astype(onnx.helper.tensor_dtype_to_np_dtype(kind))]


def _tile(inputs: Sequence[Array], _: Attributes) -> list[Array]:
    x, tiles, axis = inputs
    repeats = [1] * x.ndim
    repeats[int(axis.item())] = int(tiles.item())
    return [np.tile(x, repeats)]


def _upsample(inputs: Sequence[Array], attributes: Attributes) -> list[Array]:
    scales = (1.0, 1.0, attributes["height_scale"], attributes["width_scale"])
    return [resample(inputs[0], scales, attributes.get("mode", "nearest"))]


def resample(x: Array, scales: Sequence[float], mode: str) -> Array:
    """Upsample: `scales` has one factor for each axis, `mode` is "nearest", "linear" or "bilinear".

    As in ONNX Runtime, a result of the same shape is the input itself.
    """
    if all(_count(size, np.float32(scale)) == size for size, scale in zip(x.shape, scales, strict=True)):
        return x
    for axis, scale in enumerate(scales):
        if scale != 1.0:
            x = (_nearest if mode == "nearest" else _linear)(x, axis, np.float32(scale))
    return x


def _nearest(x: Array, axis: int, scale: np.float32) -> Array:
    return np.asarray(x.take(_sources(x.shape[axis], scale).astype(np.int64), axis))


def _linear(x: Array, axis: int, scale: np.float32) -> Array:
    at = _sources(x.shape[axis], scale)
    low = at.astype(np.int64)
    high = np.minimum(low + 1, x.shape[axis] - 1)
    shape = [1] * x.ndim
    shape[axis] = len(at)
    part = (at - low).reshape(shape)
    return np.asarray((1 - part) * x.take(low, axis) + part * x.take(high, axis), dtype=x.dtype)


def _sources(size: int, scale: np.float32) -> Array:
    """The place in the input of each output element: asymmetric, never past the last element."""
    places = np.arange(_count(size, scale), dtype=np.float32)
    return np.asarray(np.minimum(places / scale, np.float32(size - 1)))


def _count(size: int, scale: np.float32) -> int:
    return int(np.floor(np.float32(size) * scale))


_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _div,
    "Pow": np.power,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
    "Equal": np.equal,
    "Less": np.less,
    "Greater": np.greater,
}
_FUNCTIONS: dict[tuple[str, int], Function] = {
    **{(name, version): _elementwise(compute) for name, compute in _BINARY.items() for version in (1, 6)},
    **{("Gemm", version): _gemm for version in (1, 6)},
    **{("PRelu", version): _prelu for version in (1, 6)},
    **{("BatchNormalization", version): _batch_normalization for version in (1, 6)},
    **{("Dropout", version): _dropout for version in (1, 6)},
    ("Reshape", 1): _reshape,
    ("Concat", 1): _concat,
    ("Split", 1): _split,
    ("Pad", 1): _pad,
    ("Cast", 1): _cast,
    ("Tile", 1): _tile,
    ("Upsample", 1): _upsample,
}
