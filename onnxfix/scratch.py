"""Folders for temporary files that outlive neither their use nor, for long, a process that was killed."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from onnxfix.errors import OnnxfixError
from onnxfix.files import locked

_PREFIX = "onnxfix-tmp-"
_OWNER = "owner"
_YOUNG_SECONDS = 60.0
"""A folder this young may not be locked yet."""


@contextmanager
def scratch(parent: Path | None = None) -> Iterator[Path]:
    """A new folder below `parent` (default: that of the system), gone at the end.

    It is locked while it is used, and those that nobody locks any more, left by killed processes, go too.
    Raises OnnxfixError when no folder can be made.
    """
    home = Path(parent or tempfile.gettempdir()).resolve()
    try:
        _sweep(home)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
    except OSError as error:
        hint = "set TMPDIR to a folder that can be written to"
        raise OnnxfixError(f"cannot be written: {error.strerror}", where=str(home), hint=hint) from None
    try:
        with (folder / _OWNER).open("wb") as owner:
            locked(owner)
            (folder / "files").mkdir()
            yield folder / "files"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _sweep(home: Path) -> None:
    """Once in a process."""
    for folder in home.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _YOUNG_SECONDS and _is_left(folder / _OWNER):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left(owner: Path) -> bool:
    """Whether the process that locked this file is gone."""
    with owner.open("r+b") as file:
        return locked(file)
