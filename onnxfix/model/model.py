"""A model whose weights stay on disk: a small ModelProto, and where the bytes of its large tensors are."""

from __future__ import annotations

import math
import mmap
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxfix.errors import ModelFileError
from onnxfix.model.wire import SELF, Buffer

Array = NDArray[Any]


@dataclass(frozen=True)
class Model:
    """`proto` is the skeleton: large initializers are EXTERNAL tensors that point into `buffer` (location SELF)
    or into a weight file beside `path`.  Edits make a new Model with `with_proto`; the weights are shared."""

    proto: onnx.ModelProto
    path: Path | None = None
    buffer: Buffer = b""
    _files: dict[Path, Buffer] = field(default_factory=dict, repr=False)

    def with_proto(self, proto: onnx.ModelProto) -> Model:
        """The same weights under another skeleton."""
        return Model(proto, self.path, self.buffer, self._files)

    @property
    def label(self) -> str:
        """What messages call this model: its path, or its graph's name."""
        return str(self.path) if self.path else self.proto.graph.name or "model"

    def array(self, tensor: onnx.TensorProto) -> Array:
        """The values of a tensor, memory-mapped and read-only when they lie on disk.

        Raises ModelFileError when the bytes are missing or do not fit the tensor's shape and type.
        """
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            return _from_inline(tensor, self.label)
        return _from_bytes(tensor, self.tensor_bytes(tensor), self.label)

    def tensor_bytes(self, tensor: onnx.TensorProto) -> memoryview:
        """The raw little-endian bytes of an EXTERNAL tensor."""
        location, offset, length = place_of(tensor, self.label)
        source = memoryview(self.buffer if location == SELF else self._mapped(location))
        if length is None:
            length = len(source) - offset
        if not 0 <= offset <= offset + length <= len(source):
            raise ModelFileError(
                f"tensor {tensor.name!r} ends at byte {offset + length} of {location}, which has {len(source)} bytes",
                where=self.label,
                hint="the weight file is truncated or belongs to another model",
            )
        return source[offset : offset + length]

    def _mapped(self, location: str) -> Buffer:
        path = (self.path.parent if self.path else Path()) / location
        if path not in self._files:
            try:
                with path.open("rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    self._files[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
            except OSError as error:
                reason = error.strerror or error
                raise ModelFileError(
                    f"its weight file {location!r} cannot be read: {reason}", where=self.label
                ) from None
        return self._files[path]


def place_of(tensor: onnx.TensorProto, where: str = "") -> tuple[str, int, int | None]:
    """(location, offset, length) of an EXTERNAL tensor; length None means to the end of the file."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    try:
        length = int(entries["length"]) if "length" in entries else None
        return entries.get("location", ""), int(entries.get("offset", "0")), length
    except ValueError:
        raise ModelFileError(
            f"tensor {tensor.name!r} has an external_data entry that is not a number",
            where=where,
            hint="export the model again",
        ) from None


def _from_inline(tensor: onnx.TensorProto, where: str) -> Array:
    try:
        return onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise _unreadable(tensor, str(error), where) from None


def _from_bytes(tensor: onnx.TensorProto, data: memoryview, where: str) -> Array:
    known = set(onnx.helper.get_all_tensor_dtypes()) - {onnx.TensorProto.STRING}
    if tensor.data_type not in known or min(tensor.dims, default=0) < 0:
        raise _unreadable(tensor, f"data type {tensor.data_type}, shape {list(tensor.dims)}", where)
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    if math.prod(tensor.dims) * dtype.itemsize != len(data):  # packed 4-bit types, or a wrong length
        raw = onnx.TensorProto(dims=tensor.dims, data_type=tensor.data_type, name=tensor.name, raw_data=bytes(data))
        return _from_inline(raw, where)
    return np.frombuffer(data, dtype=dtype).reshape(tuple(tensor.dims))


def _unreadable(tensor: onnx.TensorProto, reason: str, where: str) -> ModelFileError:
    return ModelFileError(f"tensor {tensor.name!r} holds no readable values: {reason}", where=where)
