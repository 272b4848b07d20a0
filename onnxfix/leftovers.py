"""What a killed process leaves beside a file that it was to write, known by its name and removed by the next one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

SUFFIX = ".onnxfix-tmp"
_NOTE = ".note"
_STALE_SECONDS = 24 * 3600.0
_OWNED = re.compile(r"\.([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}(?:\.note)?\.onnxfix-tmp")


def draft_name(goal: Path, *, note: bool = False) -> str:
    """A name that no file has yet: of the file it is for, and of this process.  Names of notes are told apart."""
    owner = f"{_machine() or '0' * 8}-{os.getpid()}"
    return f"{_prefix(goal)}{owner}-{os.urandom(4).hex()}{_NOTE if note else ''}{SUFFIX}"


def _prefix(goal: Path) -> str:
    return f".{goal.name[:40]}."


def clean(goal: Path) -> None:
    """Remove what processes that are gone left for `goal`.  Raises OSError when the folder cannot be read.

    On Linux a process of this system that is not there any more is gone; of others it is told by the age: a day.
    """
    mine = [path for path in goal.parent.iterdir() if path.name.startswith(_prefix(goal)) and path.suffix == SUFFIX]
    left = [path for path in mine if _is_left(path)]
    for path in left:
        if path.stem.endswith(_NOTE):
            _take_back(path)
    for path in left:
        with suppress(OSError):  # another user's may stay
            path.unlink()


def note(path: Path, draft: Path, files: Mapping[str, Path]) -> None:
    """Write down that files are to get lasting names beside `draft`, before they get them, and `draft` after them.

    When the process is killed between, those names are taken back: as long as the draft is there, nothing refers to
    them.  `files` are the files by these names.  Raises OSError.
    """
    states = {name: identity(file) for name, file in files.items()}
    path.write_text(json.dumps({"draft": draft.name, "files": states}), encoding="utf-8")


def _take_back(path: Path) -> None:
    """Remove the files of a note whose draft never got its name.  One that was not written whole is before any file."""
    try:
        found = json.loads(path.read_bytes())
        draft, files = path.with_name(found["draft"]), {path.with_name(name): of for name, of in found["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    for file, state in files.items() if draft.exists() else ():
        with suppress(OSError):
            if identity(file) == state:
                file.unlink()


def identity(path: Path) -> str:
    """What a file keeps under another name, and another file does not have.  Raises OSError."""
    facts = path.stat()
    return f"{facts.st_ino} {facts.st_size} {facts.st_mtime_ns}"


def _is_left(path: Path) -> bool:
    owner = _OWNED.search(path.name)
    if owner and owner[1] == _machine():
        try:
            os.kill(int(owner[2]), 0)
        except ProcessLookupError:
            return True
        except OSError:  # it is another user's
            pass
    try:
        return time.time() - path.stat().st_mtime > _STALE_SECONDS
    except FileNotFoundError:  # its process has just ended
        return False


@cache
def _machine() -> str:
    """What two processes share that see each other: this start of the system, and its table of processes; or ""."""
    if sys.platform != "linux":
        return ""
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text()
        return hashlib.sha256(f"{started}{Path('/proc/self/ns/pid').readlink()}".encode()).hexdigest()[:8]
    except OSError:
        return ""
