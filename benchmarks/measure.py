"""Whole processes, measured from outside: seconds, and the peak memory of the process and its children."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_EVERY_SECONDS = 0.02


@dataclass
class Figures:
    """The runs of one command; `megabytes` are resident memory, mapped files included."""

    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    exit_codes: list[int] = field(default_factory=list)
    last_line: str = ""

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    @property
    def peak(self) -> float:
        """Megabytes, the median of the runs' peaks."""
        return statistics.median(self.megabytes)

    def spread(self) -> str:
        """`1.23 (1.20-1.31) s`."""
        return f"{self.median:.2f} ({min(self.seconds):.2f}-{max(self.seconds):.2f}) s"


def measured(commands: Mapping[str, Sequence[str]], repeats: int, timeout: float = 600.0) -> dict[str, Figures]:
    """Run every command `repeats` times, in turns, so that all of them see the same noise of the machine."""
    figures = {name: Figures() for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            _run(command, figures[name], timeout)
    return figures


def _run(command: Sequence[str], figures: Figures, timeout: float) -> None:
    import psutil

    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        peak = _Peak(psutil.Process(process.pid))
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        peak.start()
        figures.exit_codes.append(process.wait())
        figures.seconds.append(time.perf_counter() - started)
        timer.cancel()
        peak.stop()
        figures.megabytes.append(peak.bytes / 1e6)
        log.seek(0)
        lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        figures.last_line = lines[-1] if lines else ""


class _Peak(threading.Thread):
    """Looks at the memory of a process and its children every 20 ms."""

    def __init__(self, process: object) -> None:
        super().__init__(daemon=True)
        self.process, self.bytes, self.ended = process, 0, threading.Event()

    def run(self) -> None:
        """Until stop() is called."""
        while not self.ended.wait(_EVERY_SECONDS):
            self.bytes = max(self.bytes, _resident(self.process))

    def stop(self) -> None:
        """Ends the thread."""
        self.ended.set()
        self.join()


def _resident(process: object) -> int:
    import psutil

    assert isinstance(process, psutil.Process)
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.Error:  # a process ended while it was looked at
        return total
    return total
