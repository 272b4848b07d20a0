"""Functions of known behaviour, to try the sandbox with."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any

from onnxfix.errors import OnnxfixError
from onnxfix.sandbox.progress import tell


def echo(value: Any) -> Any:
    """Gives back what it got."""
    return value


_remembered: list[int] = []


def remember() -> None:
    """Counts one."""
    _remembered.append(1)


def remembered() -> int:
    """How often `remember` was called."""
    return len(_remembered)


def modules() -> list[str]:
    """The top-level modules that the child has imported."""
    return sorted({name.partition(".")[0] for name in sys.modules})


def chatter(text: str) -> None:
    """Writes to the standard descriptors, as C libraries do."""
    os.write(1, text.encode())
    os.write(2, text.encode())


def segfault(text: str = "") -> None:
    """Writes `text` to stderr and reads address 0."""
    os.write(2, text.encode())
    ctypes.string_at(0)


def leave(code: int) -> None:
    """Ends the process without a word."""
    os._exit(code)


def sleep(seconds: float) -> None:
    """Takes its time."""
    time.sleep(seconds)


def refuse(message: str) -> None:
    """Raises ZeroDivisionError."""
    raise ZeroDivisionError(message)


def refuse_input(what: str, where: str, hint: str) -> None:
    """Raises OnnxfixError."""
    raise OnnxfixError(what, where=where, hint=hint)


def count(numbers: int, seconds: float = 0.0) -> int:
    """Tells the numbers from 0 on, one every `seconds`."""
    for number in range(numbers):
        tell(number)
        time.sleep(seconds)
    return numbers


def unpicklable() -> Any:
    """A result that cannot travel."""
    return lambda: None
