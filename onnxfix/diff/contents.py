"""Keys of what a model holds: small numbers, equal exactly when the contents are equal."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable

import numpy as np
import onnx

from onnxfix.model.model import Model

_CHUNK = 1 << 24


class Keys:
    """One number for each different content; both models of a comparison share one `Keys`."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def of(self, *content: Hashable) -> int:
        """The number of a content."""
        return self._numbers.setdefault(content, len(self._numbers))


def tensor_digest(model: Model, tensor: onnx.TensorProto) -> bytes:
    """A BLAKE2b digest of the values, whatever way they are stored; weights on disk are read once, piece by piece."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        data = model.tensor_bytes(tensor)
    elif tensor.HasField("raw_data"):
        data = memoryview(tensor.raw_data)
    elif tensor.data_type == onnx.TensorProto.STRING:
        data = memoryview(b"\0".join(tensor.string_data))
    else:
        data = memoryview(np.ascontiguousarray(model.array(tensor)).tobytes())
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(data), _CHUNK):
        digest.update(data[start : start + _CHUNK])
    return digest.digest()
