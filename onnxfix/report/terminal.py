"""Where reports go: standard output for lines and JSON, standard error for progress."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from onnxfix.report.text import Line, Piece, visible

PATIENCE = 1.0
"""Seconds of silence before progress is shown."""

_DECIDE = "FORCE_COLOR", "TTY_COMPATIBLE"
"""Variables by which a user tells rich what the output is."""


def write(lines: Iterable[Line], stream: TextIO | None = None) -> None:
    """Print lines, on standard output by default: wrapped and coloured on a terminal (without colours under NO_COLOR),
    plain anywhere else."""
    stream = stream or sys.stdout
    if not (stream.isatty() or any(map(os.environ.get, _DECIDE))):
        stream.writelines("".join(map(_plain, line)) + "\n" for line in lines)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, markup=False, emoji=False, highlight=False)
    with console.capture() as printed:
        for line in lines:
            if console.is_terminal:
                console.print(Text.assemble(*line), overflow="fold")
            else:
                console.print(Text.assemble(*line), soft_wrap=True)
    stream.write(printed.get())


def width() -> int | None:
    """The characters of a line of the terminal that standard output is, None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _plain(piece: Piece) -> str:
    return piece if isinstance(piece, str) else piece[0]


@contextmanager
def progress() -> Iterator[Callable[[str], object]]:
    """A function to call with the name of each stage; on a terminal the stage is shown after a second."""
    if not sys.stderr.isatty():
        yield str
        return
    spinner = _Spinner()
    try:
        yield spinner.tell
    finally:
        spinner.stop()


@contextmanager
def bar() -> Iterator[Callable[[tuple[str, float]], object]]:
    """A function to call with (phase, fraction done): a bar on a terminal, nothing anywhere else."""
    if not sys.stderr.isatty():
        yield str
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("starting", total=1.0)
        yield lambda now: shown.update(task, description=visible(now[0]), completed=now[1])


class _Spinner:
    """Shows the present stage from `PATIENCE` seconds on, until stopped."""

    def __init__(self) -> None:
        self._stage = "working"
        self._status: Any = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(PATIENCE, self._start)
        self._timer.daemon = True
        self._timer.start()

    def tell(self, stage: str) -> None:
        with self._lock:
            self._stage = stage
            if self._status:
                self._status.update(self._text())

    def stop(self) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._status:
            self._status.stop()

    def _start(self) -> None:
        from rich.console import Console

        with self._lock:
            self._status = Console(stderr=True).status(self._text())
            self._status.start()

    def _text(self) -> Any:
        from rich.text import Text

        return Text(f"{self._stage} …")
