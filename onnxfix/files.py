"""How a file is written whole or not at all: a temporary one beside it, flushed to the disk, then renamed over it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from onnxfix.errors import ModelFileError
from onnxfix.leftovers import clean, draft_name


def temporary(goal: Path, *, note: bool = False) -> Path:
    """A new empty file beside `goal`; what killed processes left there goes (see `leftovers`)."""
    path = _beside(goal, note=note)
    _make(path, goal)
    return path


@contextmanager
def drafted(goal: Path) -> Iterator[Path]:
    """A temporary file that is gone at the end of the `with` unless it was renamed, whenever a signal comes."""
    path = _beside(goal)
    try:
        _make(path, goal)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _beside(goal: Path, *, note: bool = False) -> Path:
    if not goal.name:  # "." and "/"
        raise unwritable(goal, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    return goal.with_name(draft_name(goal, note=note))


def _make(path: Path, goal: Path) -> None:
    try:
        clean(goal)
        path.touch(exist_ok=False)
    except OSError as error:
        raise unwritable(goal, error) from None


def state_of(path: Path) -> str:
    """Size and time of a file, for one that is too large to be read to see whether it changed.  Raises OSError."""
    facts = path.stat()
    return f"{facts.st_size} {facts.st_mtime_ns}"


def flush(file: BinaryIO) -> None:
    """Bring to the disk what was written."""
    file.flush()
    os.fsync(file.fileno())


def unwritable(path: Path, error: OSError) -> ModelFileError:
    """The line for a file that cannot be written."""
    return ModelFileError(f"cannot be written: {error.strerror or error}", where=str(path), hint="choose another -o")


def make_folder(folder: Path) -> None:
    """Make a folder, and those it lies in, unless it is there.  Raises ModelFileError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises ModelFileError."""
    with drafted(path) as draft:
        try:
            with draft.open("wb") as file:
                file.write(data)
                flush(file)
            draft.replace(path)
        except OSError as error:
            raise unwritable(path, error) from None


def locked(file: BinaryIO) -> bool:
    """Lock an open file against other processes until it is closed; False when another has it locked.

    A process that is killed lets go.  Raises OSError for a file system without locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
