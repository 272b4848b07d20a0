"""Figures and a histogram of a stored tensor; of a large one only evenly spaced values, or runs of them, are read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx

from onnxfix.errors import ModelFileError
from onnxfix.model.model import Array, Model
from onnxfix.model.stored import CHUNK
from onnxfix.model.types import from_tensor, type_text
from onnxfix.report.text import visible

_SAMPLE, _BINS, _LISTED = 1 << 14, 24, 12
_RUN = 64


def weight_figures(model: Model, tensor: onnx.TensorProto) -> dict[str, Any]:
    """`type`, and what is known of the values: `values` of a small tensor, else figures of a sample.

    `smallest`, `largest`, `mean` and `deviation` are of the finite values; `histogram` counts them in 24 bins from the
    smallest to the largest; `of` is how many values were read, `size` how many there are.
    """
    found: dict[str, Any] = {"type": type_text(from_tensor(tensor))}
    if tensor.data_type in (onnx.TensorProto.STRING, onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128):
        return found
    try:
        array, size = _read(model, tensor)
    except ModelFileError as error:
        return {**found, "unreadable": visible(str(error), 300)}
    if array.size <= _LISTED:
        return {**found, "values": [f"{float(value):.6g}" for value in array]}
    return found | _figures(array, size)


def _read(model: Model, tensor: onnx.TensorProto) -> tuple[Array, int]:
    """Values of a tensor, and how many it has: all of them, or evenly spaced runs of 64."""
    dtype, size = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)), math.prod(tensor.dims)
    extent = model.extent(tensor)
    if extent.length <= CHUNK or extent.length != size * dtype.itemsize:
        return model.array(tensor).reshape(-1), size
    step = (size - _RUN) // (_SAMPLE // _RUN - 1)
    runs = (extent.part(at * dtype.itemsize, _RUN * dtype.itemsize) for at in range(0, size - _RUN + 1, step))
    return np.frombuffer(b"".join(runs), dtype), size


def _figures(array: Array, size: int) -> dict[str, Any]:
    step = -(-array.size // _SAMPLE)
    with np.errstate(all="ignore"):
        values = array[::step].astype(np.float64)
        finite = values[np.isfinite(values)]
        figures: dict[str, Any] = {"size": size, "of": values.size, "odd": values.size - finite.size}
        if not finite.size:
            return figures
        low, high = float(finite.min()), float(finite.max())
        scaled = finite / 2 - low / 2  # the whole range of double may lie between the smallest and the largest
        wide = high / 2 - low / 2
        bins = np.minimum(scaled / wide * _BINS, _BINS - 1).astype(np.int64) if wide > 0 else np.zeros(1, np.int64)
        numbers = {"smallest": low, "largest": high, "mean": finite.mean(), "deviation": finite.std()}
    counts = np.bincount(bins, minlength=_BINS) if wide > 0 else np.array([finite.size])
    return {
        **figures,
        **{name: f"{float(number):.4g}" for name, number in numbers.items()},
        "histogram": [int(count) for count in counts],
    }
