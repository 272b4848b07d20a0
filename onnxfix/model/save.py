"""From a Model to a file: streamed, complete or absent, and never over another file before it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO

from onnxfix.errors import ModelFileError
from onnxfix.files import flush, temporary, unwritable
from onnxfix.model.file import external_tensors, weight_files
from onnxfix.model.messages import copied
from onnxfix.model.model import Model, place_of
from onnxfix.model.wire import SELF, expand, set_place

_PROTOBUF_LIMIT = 2**31 - 1
_CHUNK = 1 << 24


@dataclass(frozen=True)
class Draft:
    """A whole model in the temporary file `path` beside `goal`, and the weight file made for it, if there is one."""

    path: Path
    goal: Path
    weights: Path | None

    def publish(self) -> None:
        """Give the model its name, in one step.  Raises ModelFileError."""
        try:
            self.path.replace(self.goal)
        except OSError as error:
            raise unwritable(self.goal, error) from None


def save(model: Model, path: Path, *, embed: bool = False) -> None:
    """Write `path` atomically: a temporary file beside it, flushed to the disk, then renamed over it.

    Weights that lie in files beside the model stay there when `path` is in the same folder; in another folder
    they are copied to `NAME.data`, or `NAME.1.data` when that is taken.  With `embed` they go into the file itself.
    Raises ModelFileError when the folder is missing or read-only, the disk is full, or an embedded model would
    exceed the 2 GiB that protobuf allows.
    """
    with draft(model, path, embed=embed) as whole:
        whole.publish()


@contextmanager
def draft(model: Model, goal: Path, *, embed: bool = False) -> Iterator[Draft]:
    """The model written beside `goal`, as `save` does, but not yet there: gone at the end unless published."""
    path = temporary(goal)
    weights = None
    try:
        if embed:
            model = _embedded(model)
        elif _leaves_its_weights(model, goal):
            weights = _fresh(goal)
            model = _with_weights_in(model, weights)
        _write(model, path, goal)
        yield Draft(path, goal, weights)
    finally:
        published = not path.exists()
        path.unlink(missing_ok=True)
        if weights is not None and not published:
            weights.unlink(missing_ok=True)


def _fresh(goal: Path) -> Path:
    """A new empty file for the weights of `goal`, under a name that no file has."""
    for number in count():
        path = goal.with_name(f"{goal.name}.{number}.data" if number else f"{goal.name}.data")
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(path, error) from None
        return path
    raise AssertionError("there is always another number")


def _write(model: Model, path: Path, goal: Path) -> None:
    """Write the whole model to `path`, with the permissions of `goal`; messages speak of `goal`."""
    pieces = expand(model.proto.SerializeToString())
    if sum(piece[1] if isinstance(piece, tuple) else len(piece) for piece in pieces) > _PROTOBUF_LIMIT:
        raise ModelFileError("would exceed the 2 GiB limit of protobuf", where=str(goal), hint="keep external data")
    source = memoryview(model.buffer)
    try:
        with path.open("wb") as file:
            for piece in pieces:
                _copy(source[piece[0] : sum(piece)] if isinstance(piece, tuple) else memoryview(piece), file)
            flush(file)
        if goal.exists():
            path.chmod(goal.stat().st_mode)
    except OSError as error:
        raise unwritable(goal, error) from None


def _copy(data: memoryview, file: BinaryIO) -> None:
    for start in range(0, len(data), _CHUNK):
        file.write(data[start : start + _CHUNK])


def _leaves_its_weights(model: Model, goal: Path) -> bool:
    """Whether the model has weight files, and they are not in the folder of `goal`."""
    home = model.path.parent.resolve() if model.path else None
    return home != goal.parent.resolve() and bool(weight_files(model))


def _with_weights_in(model: Model, weights: Path) -> Model:
    """The model with the bytes of its weight files copied to `weights`."""
    proto = copied(model.proto)
    try:
        with weights.open("wb") as file:
            for tensor in [t for t in external_tensors(proto) if place_of(t)[0] != SELF]:
                data = model.tensor_bytes(tensor)
                set_place(tensor, weights.name, file.tell(), len(data))
                _copy(data, file)
            flush(file)
    except OSError as error:
        raise unwritable(weights, error) from None
    return model.with_proto(proto)


def _embedded(model: Model) -> Model:
    """The model with the bytes of its weight files inside the skeleton."""
    proto = copied(model.proto)
    for tensor in [t for t in external_tensors(proto) if place_of(t)[0] != SELF]:
        tensor.raw_data = bytes(model.tensor_bytes(tensor))
        del tensor.external_data[:]
        tensor.ClearField("data_location")
    return model.with_proto(proto)
