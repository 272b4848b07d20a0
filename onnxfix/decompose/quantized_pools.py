"""Quantized average pooling of com.microsoft, summed in the order of ONNX Runtime's CPU kernels (1.32)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op
from onnxfix.decompose.quantized import as_float, centred, finish, real


def qlinear_global_average_pool(op: Op) -> None:
    """QLinearGlobalAveragePool: the exact sum of all places, with one scale."""
    dims = op.dims(0)
    last = bool(op.attribute("channels_last", 0))
    axes = list(range(1, len(dims) - 1)) if last else list(range(2, len(dims)))
    places = [dims[axis] for axis in axes]
    op.require(all(isinstance(place, int) for place in places), "the size of the plane is not fixed")
    count = int(np.prod([place for place in places if isinstance(place, int)]))
    op.require(count * 255 <= 2**24, f"float does not hold the sum of {count} numbers")
    total = forms.reduce(op, "ReduceSum", centred(op, 0, 2), axes)
    many = op.make("Mul", as_float(op, 3), op.const(np.float32(count)))
    finish(op, op.make("Mul", total, op.make("Div", as_float(op, 1), many)), 0, 4)


def qlinear_average_pool(op: Op) -> None:
    """QLinearAveragePool: the average of the numbers, quantized again."""
    given = {a.name: onnx.helper.get_attribute_value(a) for a in op.node.attribute}
    last = bool(given.pop("channels_last", 0))
    rank = len(op.dims(0))
    x = real(op, 0, 1, 2)
    x = op.make("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)]) if last else x
    dims = list(op.dims(0))
    plane = dims[1:-1] if last else dims[2:]
    y = _summed_in_order(op, x, plane, given) or op.make("AveragePool", x, **given)
    y = op.make("Transpose", y, perm=[0, *range(2, rank), 1]) if last else y
    finish(op, op.make("Div", y, as_float(op, 3)), 0, 4, add_first=True)


def _summed_in_order(op: Op, x: str, plane: Sequence[object], given: Mapping[str, Any]) -> str:
    """The averages of small windows, summed one number after the other as the kernel does; "" for other windows.

    With one scale for data and result, averages lie on ties, and the order of the sum tells which way they fall.
    """
    kernel = list(given["kernel_shape"])
    strides = list(given.get("strides") or [1] * len(kernel))
    pads = list(given.get("pads") or [0] * (2 * len(kernel)))
    plain = given.get("auto_pad", b"NOTSET") == b"NOTSET" and not given.get("ceil_mode", 0)
    sizes = [size for size in plane if isinstance(size, int)]
    if not plain or len(sizes) < len(kernel) or int(np.prod(kernel)) > 16 or set(given.get("dilations", [1])) != {1}:
        return ""
    rank, axes = len(kernel), list(range(2, len(kernel) + 2))
    around = [(pads[axis], pads[axis + rank]) for axis in range(rank)]
    inside = np.pad(np.ones(sizes), around, constant_values=float(given.get("count_include_pad", 0)))
    padded = forms.pad(op, x, [0, 0, *pads[:rank], 0, 0, *pads[rank:]]) if any(pads) else x
    total, count = "", np.zeros(())
    for start in np.ndindex(*kernel):
        spans = [
            range(begin, begin + full - window + 1, stride)
            for begin, full, window, stride in zip(start, inside.shape, kernel, strides, strict=True)
        ]
        if not all(spans):
            return ""
        part = forms.slices(op, padded, axes, list(start), [span[-1] + 1 for span in spans], strides)
        total = op.make("Add", total, part) if total else part
        count = count + inside[np.ix_(*spans)]
    return op.make("Div", total, op.const(count.astype(np.float32)))
