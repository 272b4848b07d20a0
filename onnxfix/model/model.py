"""A model whose weights stay on disk: a small ModelProto, and where the bytes of its large tensors are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import EncodeError
from numpy.typing import NDArray

from onnxfix.errors import ModelFileError
from onnxfix.model.stored import CHUNK, Extent, ModelBytes, StoredFile
from onnxfix.model.wire import HEAVY, SELF, set_place

Array = NDArray[Any]

_LARGE = 1 << 20
"""A new tensor of more bytes than this is kept on disk; a smaller one on disk may be read at any time."""

_IN_PASSING, _IN_ALL = 1 << 28, 1 << 30
"""Bytes of one tensor, and of all large tensors of a model, that are read for rules that want to see their values."""


@dataclass(frozen=True)
class Model:
    """`proto` is the skeleton: large initializers are EXTERNAL tensors that point into `buffer` (location SELF)
    or into a weight file beside `path`.  Edits make a new Model with `with_proto`; the weights are shared."""

    proto: onnx.ModelProto
    path: Path | None = None
    buffer: ModelBytes = field(default_factory=ModelBytes, repr=False)
    _files: dict[Path, StoredFile] = field(default_factory=dict, repr=False)
    _seen: dict[tuple[str, int, int], int] = field(default_factory=dict, repr=False)

    def with_proto(self, proto: onnx.ModelProto) -> Model:
        """The same weights under another skeleton."""
        return Model(proto, self.path, self.buffer, self._files, self._seen)

    @property
    def label(self) -> str:
        """What messages call this model: its path, or its graph's name."""
        return str(self.path) if self.path else self.proto.graph.name or "model"

    def lightened(self) -> Model:
        """The same model with every large initializer that edits put into the skeleton kept on disk."""
        for tensor in self.proto.graph.initializer:
            if tensor.data_location != onnx.TensorProto.EXTERNAL and _is_large(tensor):
                tensor.CopyFrom(self.put_away(tensor))
        return self

    def put_away(self, tensor: onnx.TensorProto) -> onnx.TensorProto:
        """What stands for an initializer of the main graph whose bytes go to the disk; a small one, or texts, stay."""
        if tensor.data_type == onnx.TensorProto.STRING or tensor.data_location == onnx.TensorProto.EXTERNAL:
            return tensor
        extent = self.extent(tensor)
        if extent.length <= HEAVY:
            return tensor
        rest = {field.name: value for field, value in tensor.ListFields() if not field.name.endswith("_data")}
        bare = onnx.TensorProto(**rest)
        set_place(bare, SELF, self.buffer.append(extent.read()), extent.length)
        return bare

    def array(self, tensor: onnx.TensorProto) -> Array:
        """The values of a tensor, read-only when they lie on disk.

        Raises ModelFileError when the bytes are missing or do not fit the tensor's shape and type.
        """
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            return _from_inline(tensor, self.label)
        return _from_bytes(tensor, self.tensor_bytes(tensor), self.label)

    def parts(self, tensor: onnx.TensorProto) -> Iterator[Array]:
        """The values of a tensor in their order, flat: a few at a time where many lie on disk, else all at once.

        Raises ModelFileError as `array` does.
        """
        if tensor.data_location == onnx.TensorProto.EXTERNAL and (extent := self.extent(tensor)).length > CHUNK:
            dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
            if math.prod(tensor.dims) * dtype.itemsize == extent.length and CHUNK % dtype.itemsize == 0:
                yield from (np.frombuffer(data, dtype) for data in extent.chunks())
                return
        yield self.array(tensor).reshape(-1)

    def is_readable(self, tensor: onnx.TensorProto) -> bool:
        """Whether the values of a tensor may be read in passing: not of one of 256 MiB, nor of more than 1 GiB in all.

        What was readable stays so.
        """
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            return True
        place = place_of(tensor)[0], (extent := self.extent(tensor)).offset, extent.length
        if extent.length <= _LARGE or place in self._seen:
            return True
        if extent.length > _IN_PASSING or sum(self._seen.values()) + extent.length > _IN_ALL:
            return False
        self._seen[place] = extent.length
        return True

    def tensor_bytes(self, tensor: onnx.TensorProto) -> bytes:
        """The raw little-endian bytes of an EXTERNAL tensor.  Raises ModelFileError."""
        return self.extent(tensor).read()

    def extent(self, tensor: onnx.TensorProto) -> Extent:
        """Where the raw little-endian bytes of a tensor lie, of one in the skeleton too, but not of texts.

        Raises ModelFileError for a place that is not there.
        """
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            data = tensor.raw_data or onnx.numpy_helper.from_array(self.array(tensor)).raw_data
            return Extent(ModelBytes(data), 0, len(data))
        location, offset, length = place_of(tensor, self.label)
        source = self.buffer if location == SELF else self._file(location)
        size = len(source)
        if length is None:
            length = size - offset
        if not 0 <= offset <= offset + length <= size:
            raise ModelFileError(
                f"tensor {tensor.name!r} ends at byte {offset + length} of {location}, which has {size} bytes",
                where=self.label,
                hint="the weight file is truncated or belongs to another model",
            )
        return Extent(source, offset, length)

    def confirm(self) -> None:
        """Raises ModelFileError when the model's file or a weight file is not what it was when it was first read."""
        self.buffer.check()
        for file in self._files.values():
            file.check()

    def confirm_paths(self) -> None:
        """The same for a program that has read the files by their names: a model file that was replaced is told too."""
        self.confirm()
        if isinstance(self.buffer.whole, StoredFile):
            self.buffer.whole.check_path()

    def _file(self, location: str) -> StoredFile:
        path = (self.path.parent if self.path else Path()) / location
        if path not in self._files:
            try:
                self._files[path] = StoredFile(path)
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


def _is_large(tensor: onnx.TensorProto) -> bool:
    try:
        return bool(tensor.ByteSize() > _LARGE)
    except EncodeError:  # what protobuf says of 2 GiB and more
        return True


def _from_inline(tensor: onnx.TensorProto, where: str) -> Array:
    try:
        return onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise _unreadable(tensor, str(error), where) from None


def _from_bytes(tensor: onnx.TensorProto, data: bytes, where: str) -> Array:
    known = set(onnx.helper.get_all_tensor_dtypes()) - {onnx.TensorProto.STRING}
    if tensor.data_type not in known or min(tensor.dims, default=0) < 0:
        raise _unreadable(tensor, f"data type {tensor.data_type}, shape {list(tensor.dims)}", where)
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    if math.prod(tensor.dims) * dtype.itemsize != len(data):  # packed 4-bit types, or a wrong length
        raw = onnx.TensorProto(dims=tensor.dims, data_type=tensor.data_type, name=tensor.name, raw_data=data)
        return _from_inline(raw, where)
    return np.frombuffer(data, dtype=dtype).reshape(tuple(tensor.dims))


def _unreadable(tensor: onnx.TensorProto, reason: str, where: str) -> ModelFileError:
    return ModelFileError(f"tensor {tensor.name!r} holds no readable values: {reason}", where=where)
