"""How a file is written whole or not at all: a temporary one beside it, flushed to the disk, then renamed over it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import BinaryIO

from onnxfix.errors import ModelFileError

_SUFFIX = ".onnxfix-tmp"
_STALE_SECONDS = 24 * 3600.0


def temporary(goal: Path) -> Path:
    """A new empty file beside `goal`; the ones that a killed process left there a day ago go."""
    prefix = f".{goal.name[:40]}."
    path = goal.with_name(f"{prefix}{os.urandom(4).hex()}{_SUFFIX}")
    try:
        for old in goal.parent.iterdir():
            if old.name.startswith(prefix) and old.name.endswith(_SUFFIX) and _is_stale(old):
                old.unlink(missing_ok=True)
        path.touch(exist_ok=False)
    except OSError as error:
        raise unwritable(goal, error) from None
    return path


def _is_stale(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > _STALE_SECONDS


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
    draft = temporary(path)
    try:
        with draft.open("wb") as file:
            file.write(data)
            flush(file)
        draft.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        draft.unlink(missing_ok=True)


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
