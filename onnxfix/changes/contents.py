"""Keys of what a model holds: small numbers, equal exactly when the contents are equal."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from functools import cache

import onnx

from onnxfix.model.model import Model
from onnxfix.model.stored import CHUNK, Extent, ModelBytes, StoredFile

Stored = onnx.TensorProto | onnx.SparseTensorProto

_SAMPLES, _SAMPLE = 16, 4096
"""So many places of a large tensor, and so many bytes at each, are read first."""


@dataclass
class _Alike:
    """Tensors of one size and one sample: the first of them, and the token of each digest once there are two."""

    first: tuple[Model, onnx.TensorProto]
    tokens: dict[bytes, Hashable] = field(default_factory=dict)


class Keys:
    """One number for each different content; both models of a comparison share one `Keys`."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._tokens: dict[Hashable, Hashable] = {}
        self._alike: dict[Hashable, _Alike] = {}

    def of(self, *content: Hashable) -> int:
        """The number of a content."""
        return self._numbers.setdefault(content, len(self._numbers))

    def token(self, model: Model, tensor: onnx.TensorProto, owner: Hashable) -> Hashable:
        """Equal exactly for equal bytes; found once for each `owner`, and once for each place of one file.

        A large tensor is read as a whole only when another one, stored elsewhere, has the same sample.
        """
        place = _place(model, tensor) or owner
        if place not in self._tokens:
            self._tokens[place] = self._found(model, tensor)
        return self._tokens[place]

    def _found(self, model: Model, tensor: onnx.TensorProto) -> Hashable:
        extent = _extent(model, tensor)
        if extent.length <= _SAMPLES * _SAMPLE:
            return tensor_digest(model, tensor)
        sample = extent.length, _sample(extent)
        alike = self._alike.setdefault(sample, _Alike((model, tensor)))
        if alike.first[1] is tensor:
            return sample
        if not alike.tokens:
            alike.tokens[tensor_digest(*alike.first)] = sample
        digest = tensor_digest(model, tensor)
        return alike.tokens.setdefault(digest, digest)


def tensor_digest(model: Model, tensor: onnx.TensorProto) -> bytes:
    """A BLAKE2b digest of the values, whatever way they are stored; weights on disk are read once, piece by piece."""
    digest = hashlib.blake2b(digest_size=16)
    for part in _parts(model, tensor):
        digest.update(part)
    return digest.digest()


def _parts(model: Model, tensor: onnx.TensorProto) -> Iterator[bytes]:
    """The digests of all pieces; those of the holes of a sparse file are not read to be known."""
    extent = _extent(model, tensor)
    for start in range(0, extent.length, CHUNK):
        length = min(CHUNK, extent.length - start)
        hole = isinstance(extent.source, StoredFile) and extent.source.is_hole(extent.offset + start, length)
        yield _zeros(length) if hole else _digest(extent.part(start, length))


@cache
def _zeros(length: int) -> bytes:
    return _digest(bytes(length))


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _sample(extent: Extent) -> bytes:
    step = (extent.length - _SAMPLE) // (_SAMPLES - 1)
    return _digest(b"".join(extent.part(number * step, _SAMPLE) for number in range(_SAMPLES)))


def _extent(model: Model, tensor: onnx.TensorProto) -> Extent:
    """The bytes of a tensor, wherever they are; texts with their lengths."""
    if tensor.data_type != onnx.TensorProto.STRING:
        return model.extent(tensor)
    data = b"".join(b"%d:%b" % (len(text), text) for text in tensor.string_data)
    return Extent(ModelBytes(data), 0, len(data))


def _place(model: Model, tensor: onnx.TensorProto) -> Hashable:
    """Where the bytes of an EXTERNAL tensor lie, whatever the file is called; None when that is not a file."""
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return None
    extent = model.extent(tensor)
    source = extent.source if isinstance(extent.source, StoredFile) else extent.source.whole
    if not isinstance(source, StoredFile) or extent.offset >= len(source) > 0:
        return None
    return (*source.state, extent.offset, extent.length)
