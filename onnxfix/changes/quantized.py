"""Weights that were quantized: whole numbers with a scale and a zero point instead of floats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from onnxfix.model.model import Array
from onnxfix.model.types import STANDARD

LARGEST = 1 << 26
"""Larger tensors are not looked at."""

_SLACK = 1.01


def is_dequantize(node: onnx.NodeProto) -> bool:
    """Whether a node is ONNX's DequantizeLinear without blocks."""
    blocks = any(a.name == "block_size" and a.i for a in node.attribute)
    return node.op_type == "DequantizeLinear" and node.domain in STANDARD and not blocks


def dequantized(node: onnx.NodeProto, arrays: Sequence[Array]) -> tuple[Array, float] | None:
    """(what DequantizeLinear makes of its stored inputs x, scale and zero point, the largest scale), or None.

    (x - zero_point) * scale, per tensor or along `axis`, 1 by default (ONNX operator specification).
    """
    values, scale = arrays[0], arrays[1].astype(np.float64)
    zero = arrays[2].astype(np.float64) if len(arrays) > 2 else np.zeros_like(scale)
    if values.size > LARGEST or not scale.size or scale.shape != zero.shape:
        return None
    if scale.size > 1:
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        if not -values.ndim <= axis < values.ndim or scale.size != values.shape[axis]:
            return None
        shape = [1] * values.ndim
        shape[axis] = scale.size
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return (values.astype(np.float64) - zero) * scale, float(np.abs(scale).max())


def fitted(old: Array, new: Array) -> str:
    """How the one array is the other, quantized: by one scale and zero point, or by those of each row; else "".

    Found by least squares: whole numbers q and floats w with |w - (a q + b)| <= a / 2 everywhere.
    """
    if "f" not in (old.dtype.kind, new.dtype.kind) or old.shape != new.shape or not 2 < old.size <= LARGEST:
        return ""
    floats, whole = (old, new) if old.dtype.kind == "f" else (new, old)
    if not _is_whole(whole) or not np.isfinite(floats).all():
        return ""
    w, q = floats.astype(np.float64), whole.astype(np.float64)
    if _fits(w.reshape(1, -1), q.reshape(1, -1)):
        return "by one scale and zero point"
    rows = w.shape[0] if w.ndim > 1 else 1
    if rows > 1 and w.size >= 4 * rows and _fits(w.reshape(rows, -1), q.reshape(rows, -1)):
        return "by a scale and zero point of each row"
    return ""


def _is_whole(array: Array) -> bool:
    return array.dtype.kind in "iu" or array.dtype.name in ("int4", "uint4", "int2", "uint2")


def _fits(w: Array, q: Array) -> bool:
    """Whether each row of w is a line over the same row of q, rounded to steps of one."""
    centred = q - q.mean(axis=1, keepdims=True)
    spread = (centred**2).sum(axis=1, keepdims=True)
    if not (spread > 0).all():
        return False
    slope = (centred * w).sum(axis=1, keepdims=True) / spread
    rest = np.abs(w - w.mean(axis=1, keepdims=True) - slope * centred)
    return bool((slope > 0).all() and (rest <= slope * _SLACK).all() and (rest.mean(axis=1) <= slope[:, 0] / 2).all())
