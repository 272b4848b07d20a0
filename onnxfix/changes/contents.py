"""Keys of what a model holds: small numbers, equal exactly when the contents are equal."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Hashable

import onnx

from onnxfix.model.model import Model, place_of
from onnxfix.model.wire import SELF

_CHUNK = 1 << 24

Stored = onnx.TensorProto | onnx.SparseTensorProto


class Keys:
    """One number for each different content; both models of a comparison share one `Keys`."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._digests: dict[Hashable, bytes] = {}

    def of(self, *content: Hashable) -> int:
        """The number of a content."""
        return self._numbers.setdefault(content, len(self._numbers))

    def digest(self, model: Model, tensor: onnx.TensorProto, owner: Hashable) -> bytes:
        """The digest of a tensor, which is computed once for each `owner`, and once for each place of one file."""
        place = _place(model, tensor) or owner
        if place not in self._digests:
            self._digests[place] = tensor_digest(model, tensor)
        return self._digests[place]


def tensor_digest(model: Model, tensor: onnx.TensorProto) -> bytes:
    """A BLAKE2b digest of the values, whatever way they are stored; weights on disk are read once, piece by piece."""
    data = _values(model, tensor)
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(data), _CHUNK):
        digest.update(data[start : start + _CHUNK])
        release(data)
    return digest.digest()


def release(data: memoryview) -> None:
    """Give back the memory of the pages of a mapped file that were read; they are read again when needed."""
    if isinstance(data.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        data.obj.madvise(mmap.MADV_DONTNEED)


def _values(model: Model, tensor: onnx.TensorProto) -> memoryview:
    """The values as little-endian bytes, types of four bits packed."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return model.tensor_bytes(tensor)
    if tensor.HasField("raw_data"):
        return memoryview(tensor.raw_data)
    if tensor.data_type == onnx.TensorProto.STRING:
        return memoryview(b"".join(b"%d:%b" % (len(text), text) for text in tensor.string_data))
    return memoryview(onnx.numpy_helper.from_array(model.array(tensor)).raw_data)


def _place(model: Model, tensor: onnx.TensorProto) -> Hashable:
    """Where the bytes of an EXTERNAL tensor lie, None when that is not a file."""
    if tensor.data_location != onnx.TensorProto.EXTERNAL or model.path is None:
        return None
    location, offset, length = place_of(tensor, model.label)
    path = model.path if location == SELF else model.path.parent / location
    return path.resolve(), offset, length
