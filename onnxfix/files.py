"""How a file is written whole or not at all: a temporary one beside it, flushed to the disk, then renamed over it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from onnxfix.errors import ModelFileError

_SUFFIX = ".onnxfix-tmp"
_STALE_SECONDS = 24 * 3600.0


def temporary(goal: Path) -> Path:
    """A new empty file beside `goal`; the ones that a killed process left there a day ago go."""
    prefix = f".{goal.name[:40]}."
    path = goal.with_name(f"{prefix}{token_hex(4)}{_SUFFIX}")
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


def flush(file: BinaryIO) -> None:
    """Bring to the disk what was written."""
    file.flush()
    os.fsync(file.fileno())


def unwritable(path: Path, error: OSError) -> ModelFileError:
    """The line for a file that cannot be written."""
    return ModelFileError(f"cannot be written: {error.strerror or error}", where=str(path), hint="choose another -o")


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
