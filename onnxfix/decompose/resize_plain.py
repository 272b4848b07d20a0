"""A Resize with attributes that targets refuse, as an equal one that they take: cheaper than Gathers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx

from onnxfix.decompose.op import Op
from onnxfix.decompose.resize_axes import axes_of, given, inputs_of, policy

_TAKEN = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}


def plain_resize(op: Op) -> bool:
    """Finish the node as a plain Resize when sizes are known, something is to be simplified, and the result equal."""
    shape = _known_shape(op)
    if shape is None or op.opset < 11 or op.node.op_type != "Resize" or op.attribute("antialias", 0):
        return False
    scales = _scales(op, shape)
    if scales is None or op.dtype(0) not in _TAKEN:
        return False
    mode = _equal_mode(op, shape, scales)
    odd = policy(op) != "stretch" or op.attribute("axes") is not None
    if not mode or not (odd or mode != op.attribute("coordinate_transformation_mode")):
        return False
    kept = {"mode", "nearest_mode", "cubic_coeff_a", "exclude_outside"}
    attributes: dict[str, Any] = {a.name: op.attribute(a.name) for a in op.node.attribute if a.name in kept}
    value = op.const(np.array(scales, dtype=np.float32))
    op.finish(op.make("Resize", op.input(0), "", value, coordinate_transformation_mode=mode, **attributes))
    return True


def _known_shape(op: Op) -> list[int] | None:
    dims = op.type(0).dims
    if dims is None or not all(isinstance(dim, int) and dim > 0 for dim in dims):
        return None
    return [int(dim) for dim in dims if isinstance(dim, int)]


def _scales(op: Op, shape: list[int]) -> list[np.float32] | None:
    """The scale of every axis when known and when sizes follow from the scales alone, else None."""
    _, scales, sizes = inputs_of(op)
    axes = axes_of(op)
    found = [np.float32(1.0)] * len(shape)
    values = op.constant(sizes if given(op, sizes) else scales)
    if values is None or values.size != len(axes):
        return None
    factors = [np.float32(value) for value in values.reshape(-1).tolist()]
    if given(op, sizes):
        factors = [factor / np.float32(shape[axis]) for factor, axis in zip(factors, axes, strict=True)]
        if policy(op) != "stretch":
            factors = [min(factors) if policy(op) == "not_larger" else max(factors)] * len(axes)
        wanted = [
            _size_of(op, factor, shape[axis], value) for factor, axis, value in zip(factors, axes, values, strict=True)
        ]
        if any(
            math.floor(factor * np.float32(shape[axis])) != after
            for factor, axis, after in zip(factors, axes, wanted, strict=True)
        ):
            return None
    for axis, factor in zip(axes, factors, strict=True):
        found[axis] = factor
    return found


def _size_of(op: Op, factor: np.float32, before: int, asked: int) -> int:
    return int(asked) if policy(op) == "stretch" else math.floor(factor * np.float32(before) + np.float32(0.5))


def _equal_mode(op: Op, shape: list[int], scales: list[np.float32]) -> str:
    """A coordinate mode that means the same here and that TensorRT knows, or ""."""
    mode = str(op.attribute("coordinate_transformation_mode"))
    after = [float(scale * np.float32(size)) for scale, size in zip(scales, shape, strict=True)]
    resized = [axis for axis, scale in enumerate(scales) if scale != 1]
    if mode == "half_pixel_symmetric":
        exact = op.attribute("mode") != "nearest" or all(map(_same_in_double, scales, after))
        return "half_pixel" if exact and all(size.is_integer() for size in after) else ""
    if mode == "tf_crop_and_resize":
        whole = _whole_roi(op) and all(math.floor(after[axis]) > 1 for axis in resized)
        return "align_corners" if whole else ""
    return mode


def _same_in_double(scale: np.float32, after: float) -> bool:
    """Whether the places come out alike in float and in double, which ONNX Runtime computes half_pixel_symmetric in."""
    middles = np.arange(int(after)) + 0.5
    single = middles.astype(np.float32) / scale - np.float32(0.5)
    return np.array_equal(single, (middles / float(scale) - 0.5).astype(np.float32))


def _whole_roi(op: Op) -> bool:
    axes = axes_of(op)
    roi = op.constant(1)
    return roi is not None and roi.reshape(-1).tolist() == [0.0] * len(axes) + [1.0] * len(axes)
