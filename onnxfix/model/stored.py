"""Bytes on disk, read when they are asked for and never mapped into memory.

A mapped file that another process makes shorter ends the process that reads it (SIGBUS); a file that is read says that
it changed.
"""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, overload

from onnxfix.errors import ModelFileError

CHUNK = 1 << 24
"""So many bytes are read at a time where the whole is not needed at once."""

_WINDOW = 1 << 16
_FAR = 1 << 62
"""Between the places of two tensors that were taken; no file is as long (off_t has 63 bits)."""

_BINARY = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class StoredFile:
    """A file as it was when it was first opened.  Raises OSError when it cannot be.

    Every read raises ModelFileError when the file was replaced, changed or removed since.  With `held` it stays open,
    so that a replaced one is still read as it was.  Indexes and slices give bytes as those of `bytes` do.
    """

    def __init__(self, path: Path, *, held: bool = False) -> None:
        self.path = path
        descriptor = os.open(path, _BINARY)
        self._held = descriptor if held else None
        self.state = _state(descriptor)
        self._window, self._start = b"", 0
        if held:
            weakref.finalize(self, os.close, descriptor)
        else:
            os.close(descriptor)

    def __len__(self) -> int:
        return self.state[2]

    @overload
    def __getitem__(self, place: int) -> int: ...

    @overload
    def __getitem__(self, place: slice) -> bytes: ...

    def __getitem__(self, place: int | slice) -> int | bytes:
        if isinstance(place, slice):
            start, stop, _ = place.indices(len(self))
            return self.read(start, max(stop - start, 0))
        if not 0 <= place - self._start < len(self._window):
            self._window, self._start = self.read(place, min(_WINDOW, len(self) - place)), place
        return self._window[place - self._start]

    def read(self, offset: int, length: int) -> bytes:
        """The bytes there."""
        with self.opened() as descriptor:
            try:
                data = _read(descriptor, offset, length)
            except OSError as error:
                raise ModelFileError(f"cannot be read: {error.strerror}", where=str(self.path)) from None
            if len(data) < length or _state(descriptor) != self.state:
                raise self.changed()
        return data

    @contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor of the file, the same as at first."""
        try:
            descriptor = os.open(self.path, _BINARY) if self._held is None else self._held
        except OSError as error:
            what = f"vanished or cannot be read any more while onnxfix worked: {error.strerror}"
            raise ModelFileError(what, where=str(self.path), hint="run it again when the file is there") from None
        try:
            if _state(descriptor) != self.state:
                raise self.changed()
            yield descriptor
        finally:
            if self._held is None:
                os.close(descriptor)

    def is_hole(self, offset: int, length: int) -> bool:
        """Whether a sparse file has nothing there, and so reads as zeros; False where the file system does not tell."""
        if not hasattr(os, "SEEK_DATA"):
            return False
        with self.opened() as descriptor:
            try:
                return os.lseek(descriptor, offset, os.SEEK_DATA) >= offset + length
            except OSError as error:
                return error.errno == errno.ENXIO  # no data from there to the end

    def check(self) -> None:
        """Raises ModelFileError when the file is not what it was."""
        with self.opened():
            pass

    def check_path(self) -> None:
        """The same when another file is at its path, though one that is held is read as it was."""
        try:
            facts = self.path.stat()
        except OSError:
            raise self.changed() from None
        if _facts(facts) != self.state:
            raise self.changed()

    def changed(self) -> ModelFileError:
        """The line for a file that is another one now."""
        hint = "run it again when nothing writes to the file"
        return ModelFileError("changed while onnxfix worked with it", where=str(self.path), hint=hint)


class ModelBytes:
    """What SELF points into: the bytes of a model's own file, and behind them those of tensors made since.

    The latter lie in an unnamed temporary file, so that a model of any size is edited in little memory.  Far behind are
    tensors of weight files that are to be in the model's file; they are read where they lie.
    """

    def __init__(self, whole: bytes | StoredFile = b"") -> None:
        self.whole = whole
        self._taken: list[Extent] = []
        self._made: IO[bytes] | None = None

    def __len__(self) -> int:
        return len(self.whole) + (self._made.seek(0, os.SEEK_END) if self._made else 0)

    def append(self, data: bytes) -> int:
        """Keep the bytes of a new tensor, and tell where they are.  Raises ModelFileError."""
        try:
            if self._made is None:
                self._made = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the model
                weakref.finalize(self, self._made.close)
            offset = self._made.seek(0, os.SEEK_END)
            self._made.write(data)
            self._made.flush()
        except OSError as error:
            what = f"cannot keep a new tensor: {error.strerror}"
            raise ModelFileError(what, where=tempfile.gettempdir(), hint="let TMPDIR name another folder") from None
        return len(self.whole) + offset

    def take(self, extent: Extent) -> int:
        """Let the bytes of a weight file be read here too, and tell where."""
        self._taken.append(extent)
        return _FAR * len(self._taken)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes there."""
        if offset >= _FAR:
            return self._taken[offset // _FAR - 1].part(offset % _FAR, length)
        if self._made and offset >= len(self.whole):
            self._made.seek(offset - len(self.whole))
            return self._made.read(length)
        return self.whole[offset : offset + length]

    def check(self) -> None:
        """Raises ModelFileError when the model's file is not what it was."""
        if isinstance(self.whole, StoredFile):
            self.whole.check()


@dataclass(frozen=True)
class Extent:
    """Where the bytes of a tensor lie."""

    source: StoredFile | ModelBytes
    offset: int
    length: int

    def read(self) -> bytes:
        """All of them."""
        return self.source.read(self.offset, self.length)

    def part(self, start: int, length: int) -> bytes:
        """Some of them."""
        return self.source.read(self.offset + start, min(length, self.length - start))

    def chunks(self) -> Iterator[bytes]:
        """All of them, a few at a time."""
        return (self.part(start, CHUNK) for start in range(0, self.length, CHUNK))


def _state(descriptor: int) -> tuple[int, int, int, int]:
    return _facts(os.fstat(descriptor))


def _facts(facts: os.stat_result) -> tuple[int, int, int, int]:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def _seeking(descriptor: int, length: int, offset: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


_READ_AT: Callable[[int, int, int], bytes] = getattr(os, "pread", _seeking)


def _read(descriptor: int, offset: int, length: int) -> bytes:
    """Fewer bytes than asked for at the end of the file.  One call reads at most about 2 GiB on Linux."""
    data = _READ_AT(descriptor, length, offset)
    if len(data) in (0, length):
        return data
    parts = [data]
    done = len(data)
    while done < length and (more := _READ_AT(descriptor, min(length - done, CHUNK), offset + done)):
        parts.append(more)
        done += len(more)
    return b"".join(parts)
