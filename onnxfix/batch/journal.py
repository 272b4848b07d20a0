"""The journal of a batch: a JSONL file with one line for each finished task, on the disk before anyone hears of it.

A batch that is killed and started again finds the lines of the tasks that are done: a task is found by its key, so a
model that changed, or other settings, are done again.  The last line of a key counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from onnxfix.batch.task import Line
from onnxfix.errors import OnnxfixError
from onnxfix.files import flush, locked

_START = b'{"key": '


class Journal:
    """A journal that is open and locked; use it in a `with`."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it, and cut off a last line that a killed process left unfinished.

        Raises OnnxfixError when another batch has it open, when it holds something else, or cannot be written.
        """
        self.path = path
        self._places: dict[str, tuple[int, int]] = {}  # of the last line of each work: where it starts and ends
        try:
            if path.exists() and not path.is_file():
                raise OnnxfixError("is not a regular file", where=str(path), hint="choose another --journal")
            self._file = path.open("a+b")
        except OSError as error:
            raise _trouble(path, error) from None
        try:
            self._end = self._read()
        except OSError as error:  # such as a file system without locks
            self._file.close()
            raise _trouble(path, error) from None
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # of what is not on the disk, and has been told
            self._file.close()

    def last(self, work: str) -> Line | None:
        """The last line of this work, whatever the content of the place was then."""
        start, end = self._places.get(work, (0, 0))
        self._file.seek(start)
        return _decoded(self._file.read(end - start))

    def write(self, line: Line) -> None:
        """Add a line; it is on the disk when this returns.  Raises OnnxfixError."""
        text = encoded(line)
        try:
            self._file.write(text)
            flush(self._file)
        except OSError as error:
            raise _trouble(self.path, error) from None
        self._places[_work(line)] = self._end, self._end + len(text)
        self._end += len(text)

    def _read(self) -> int:
        """Find the lines; gives the end of the last one."""
        if not locked(self._file):
            hint = "wait for it, or name another file"
            raise OnnxfixError("another batch writes this journal", where=str(self.path), hint=hint)
        self._file.seek(0)
        end = 0
        for number, text in enumerate(self._file, 1):
            if not text.endswith(b"\n") and (end or text.startswith(_START[: len(text)])):
                self._file.truncate(end)
                break
            line = _decoded(text)
            if line is None:
                what = ("is damaged", "remove this line") if end else ("is no journal of onnxfix", "name another file")
                raise OnnxfixError(what[0], where=f"{self.path}:{number}", hint=what[1])
            self._places[_work(line)] = end, end + len(text)
            end += len(text)
        return end


def _work(line: Line) -> str:
    work: str = line["key"].partition("-")[0]
    return work


def encoded(line: Mapping[str, Any]) -> bytes:
    """A line as it stands in a journal and in --format jsonl: ASCII, one line."""
    return json.dumps(line, allow_nan=False).encode() + b"\n"


def _decoded(text: bytes) -> Line | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    fields = ("key", "place", "verb", "outcome")
    return line if isinstance(line, dict) and all(isinstance(line.get(name), str) for name in fields) else None


def _trouble(path: Path, error: OSError) -> OnnxfixError:
    reason = error.strerror or os.strerror(error.errno or 0)
    return OnnxfixError(f"cannot be written: {reason}", where=str(path), hint="choose another --journal")
