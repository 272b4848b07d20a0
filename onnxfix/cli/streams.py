"""Standard output and error of a command: what cannot be written is told, and never believed to be written."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from onnxfix.errors import OnnxfixError


class OutputError(OnnxfixError):
    """A report that standard output does not take: a full disk, or no output at all."""

    def __init__(self, error: OSError) -> None:
        closed = error.errno == errno.EBADF
        reason = "it is closed" if closed else error.strerror or str(error)
        hint = "send it to a file, or to /dev/null" if closed else "make room there, or send it elsewhere"
        super().__init__(f"the report cannot be written: {reason}", where="standard output", hint=hint)


class _Output(io.FileIO):
    """A descriptor whose failures no code takes for those of another file.  A reader that went away is none."""

    def write(self, data: Any, /) -> int:
        """Raises OutputError and BrokenPipeError."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error) from None


def prepare() -> None:
    """Let any text be printed in any encoding, and standard output tell what it does not take.

    No file that is opened later gets the number of a closed stream, where a library may print.  What is told on a
    closed standard error goes nowhere.
    """
    if sys.stdin is None:
        os.open(os.devnull, os.O_RDONLY)
    output = sys.stdout
    if output is None:
        sys.stdout = _text(os.open(os.devnull, os.O_RDONLY))  # which takes nothing
    elif not output.isatty() and _is_of_the_process(output):
        with suppress(OSError):  # of an output that is no file
            sys.stdout = _text(output.fileno(), output.encoding)
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - used until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_of_the_process(stream: TextIO) -> bool:
    """Whether nobody has put another one in the place of the process's own standard output."""
    return stream is sys.__stdout__


def _text(descriptor: int, encoding: str | None = None) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(_Output(descriptor, "w", closefd=False)), encoding)


def flush() -> None:
    """Bring out what was printed; what cannot be is dropped, so that the interpreter does not complain when it ends.

    Raises OutputError and BrokenPipeError.
    """
    try:
        sys.stdout.flush()
    except (OSError, OutputError):
        _drop(sys.stdout.fileno())
        raise


def tell(line: str) -> None:
    """Print on standard error, behind what was printed before; what cannot be told is not."""
    with suppress(OSError, OutputError):
        flush()
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr.fileno())


def _drop(descriptor: int) -> None:
    """Let what is written to a descriptor go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
