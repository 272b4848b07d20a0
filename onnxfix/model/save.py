"""From a Model to a file: streamed, complete or absent, and never over another file before it is whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import onnx

from onnxfix.errors import ModelFileError
from onnxfix.model.file import external_tensors
from onnxfix.model.model import Model, place_of
from onnxfix.model.wire import SELF, expand, set_place

_PROTOBUF_LIMIT = 2**31 - 1
_CHUNK = 1 << 24


def save(model: Model, path: Path, *, embed: bool = False) -> None:
    """Write `path` atomically: a temporary file beside it, flushed to the disk, then renamed over it.

    Weights that lie in files beside the model stay there when `path` is in the same folder; in another folder
    they are copied to `NAME.data`.  With `embed` they go into the file itself.
    Raises ModelFileError when the folder is missing or read-only, the disk is full, or an embedded model would
    exceed the 2 GiB that protobuf allows.
    """
    with candidate(path) as temporary:
        write(model, temporary, weights=path.name + ".data", embed=embed)
        temporary.replace(path)


@contextmanager
def candidate(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, to be renamed over it or thrown away."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".onnx")
    except OSError as error:
        raise _unwritable(path, error) from None
    os.close(descriptor)
    temporary = Path(name)
    try:
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        temporary.chmod(mode)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def write(model: Model, path: Path, *, weights: str, embed: bool = False) -> None:
    """Write the whole model to `path`, copying its bytes from where they are."""
    model = _embedded(model) if embed else _with_weights_beside(model, path, weights)
    pieces = expand(model.proto.SerializeToString())
    if sum(piece[1] if isinstance(piece, tuple) else len(piece) for piece in pieces) > _PROTOBUF_LIMIT:
        raise ModelFileError("would exceed the 2 GiB limit of protobuf", where=str(path), hint="keep external data")
    source = memoryview(model.buffer)
    try:
        with path.open("wb") as file:
            for piece in pieces:
                if isinstance(piece, tuple):
                    _copy(source[piece[0] : piece[0] + piece[1]], file)
                else:
                    file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unwritable(path, error) from None


def _copy(data: memoryview, file: BinaryIO) -> None:
    for start in range(0, len(data), _CHUNK):
        file.write(data[start : start + _CHUNK])


def _with_weights_beside(model: Model, path: Path, weights: str) -> Model:
    """The model with its weight files in the folder of `path`: the same model when they are there already."""
    home = model.path.parent.resolve() if model.path else None
    moved = [t for t in external_tensors(model.proto) if place_of(t)[0] != SELF]
    if not moved or home == path.parent.resolve():
        return model
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    model = model.with_proto(proto)
    try:
        with (path.parent / weights).open("wb") as file:
            for tensor in [t for t in external_tensors(proto) if place_of(t)[0] != SELF]:
                data = model.tensor_bytes(tensor)
                set_place(tensor, weights, file.tell(), len(data))
                _copy(data, file)
    except OSError as error:
        raise _unwritable(path.parent / weights, error) from None
    return model


def _embedded(model: Model) -> Model:
    """The model with the bytes of its weight files inside the skeleton."""
    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    for tensor in [t for t in external_tensors(proto) if place_of(t)[0] != SELF]:
        tensor.raw_data = bytes(model.tensor_bytes(tensor))
        del tensor.external_data[:]
        tensor.ClearField("data_location")
    return model.with_proto(proto)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _unwritable(path: Path, error: OSError) -> ModelFileError:
    return ModelFileError(f"cannot be written: {error.strerror or error}", where=str(path), hint="choose another -o")
