"""The values of a large stored tensor, read a block at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx

from onnxfix.model.model import Array, Model
from onnxfix.model.stored import CHUNK, Extent

LARGE = 1 << 26
"""Tensors of more bytes than this are not held in memory to be compared."""

_WHOLE = 1 << 30
"""Unless they may be one another, moved: up to this size."""


class Blocks:
    """Stands for the flat array of a tensor; a slice of it is read when it is asked for."""

    def __init__(self, extent: Extent, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.dtype, self.shape, self.size, self.ndim = dtype, shape, math.prod(shape), len(shape)
        self._extent = extent

    def __getitem__(self, part: slice) -> Array:
        start, stop, _ = part.indices(self.size)
        item = self.dtype.itemsize
        return np.frombuffer(self._extent.part(start * item, (stop - start) * item), self.dtype)

    def whole(self) -> Array | None:
        """The array itself; None for one that is too large."""
        if self._extent.length > _WHOLE:
            return None
        return np.frombuffer(self._extent.read(), self.dtype).reshape(self.shape)

    def sum(self) -> int:
        """The sum of all values as whole numbers of their size, which no other order of them changes."""
        whole = np.dtype(f"u{self.dtype.itemsize}")
        step = CHUNK // self.dtype.itemsize
        parts = (int(self[at : at + step].view(whole).sum(dtype=np.uint64)) for at in range(0, self.size, step))
        return sum(parts) % 2**64


Values = Array | Blocks


def values_of(model: Model, tensor: onnx.TensorProto) -> Values:
    """The array of a tensor, or its blocks when it is large.  Raises ModelFileError."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        extent, dtype = model.extent(tensor), np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
        plain = dtype.kind != "c" and dtype.itemsize in (1, 2, 4, 8)
        if extent.length > LARGE and plain and extent.length == math.prod(tensor.dims) * dtype.itemsize:
            return Blocks(extent, dtype, tuple(tensor.dims))
    return model.array(tensor)


def in_memory(values: Values) -> Array | None:
    """The array; None for one that is too large."""
    return values.whole() if isinstance(values, Blocks) else values


def maybe_moved(old: Values, new: Values) -> bool:
    """False when the one surely does not hold the values of the other in another order."""
    if isinstance(old, Blocks) and isinstance(new, Blocks) and old.dtype == new.dtype:
        return old.sum() == new.sum()
    return True
