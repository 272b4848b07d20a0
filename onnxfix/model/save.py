"""From a Model to a file: streamed, complete or absent, and never over another file before it is whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import EncodeError

from onnxfix.errors import ModelFileError
from onnxfix.files import drafted, flush, unwritable
from onnxfix.model.model import Model
from onnxfix.model.settling import settled
from onnxfix.model.stored import Extent
from onnxfix.model.weights import PROTOBUF_LIMIT, Weights, relocated
from onnxfix.model.wire import expand

Piece = bytes | tuple[int, int]


@dataclass(frozen=True)
class Draft:
    """A whole model in the temporary file `path` beside `goal`; its weights lie where `weights` has put them."""

    path: Path
    goal: Path
    model: Model
    weights: Weights | None = None

    def publish(self) -> None:
        """Give the new weight files their names, and then, in one step, the model its own.  Raises ModelFileError.

        No name is used twice: whenever the process is killed, a model that is there finds the weights it was made with.
        """
        self.model.confirm()
        while names := self.weights.lasting() if self.weights else {}:
            model = relocated(self.model, {old.name: new.name for old, new in names.items()})
            _write(model, _pieces(model, self.goal), self.path, self.goal)
            try:
                with settled(self.path, self.goal, names):
                    self._replace()
                return
            except FileExistsError:  # another process was faster with one of the names
                continue
        self._replace()

    def _replace(self) -> None:
        try:
            self.path.replace(self.goal)
        except OSError as error:
            raise unwritable(self.goal, error) from None


def save(model: Model, path: Path, *, embed: bool = False) -> None:
    """Write `path` atomically: a temporary file beside it, flushed to the disk, then renamed over it.

    Weights that lie in files beside the model stay there when `path` is in the same folder; in another folder
    they are cloned or copied to `NAME.data`, or `NAME.1.data` when that is taken.  With `embed` they go into the file
    itself.  Raises ModelFileError when the folder is missing or read-only, the disk is full, the model or its weights
    changed since they were read, or an embedded model would exceed the 2 GiB that protobuf allows.
    """
    with Weights(model, path, "embed" if embed else "auto") as weights, draft(model, path, weights) as whole:
        whole.publish()


@contextmanager
def draft(model: Model, goal: Path, weights: Weights | None = None) -> Iterator[Draft]:
    """The model written beside `goal`, but not yet there: gone at the end unless published.

    Its weights are where `weights` puts them; without, it points to them as it does.  A model that protobuf cannot hold
    gets its own large tensors into a file beside it, too.
    """
    with drafted(goal) as path:
        placed = weights.placed(model) if weights else model
        pieces = _pieces(placed, goal)
        if weights and weights.mode != "embed" and _size(pieces) > PROTOBUF_LIMIT:
            placed = weights.split(placed)
            pieces = _pieces(placed, goal)
        _write(placed, pieces, path, goal)
        yield Draft(path, goal, placed, weights)


def _pieces(model: Model, goal: Path) -> list[Piece]:
    try:
        return expand(model.proto.SerializeToString())
    except EncodeError:
        raise _too_large(goal) from None


def _size(pieces: Sequence[Piece]) -> int:
    return sum(piece[1] if isinstance(piece, tuple) else len(piece) for piece in pieces)


def _too_large(goal: Path) -> ModelFileError:
    return ModelFileError("would exceed the 2 GiB limit of protobuf", where=str(goal), hint="keep external data")


def _write(model: Model, pieces: Sequence[Piece], path: Path, goal: Path) -> None:
    """Write the whole model to `path`, with the permissions of `goal`; messages speak of `goal`."""
    if _size(pieces) > PROTOBUF_LIMIT:
        raise _too_large(goal)
    try:
        with path.open("wb") as file:
            for piece in pieces:
                for data in (piece,) if isinstance(piece, bytes) else Extent(model.buffer, *piece).chunks():
                    file.write(data)
            flush(file)
        if goal.exists():
            path.chmod(goal.stat().st_mode)
    except OSError as error:
        raise unwritable(goal, error) from None
