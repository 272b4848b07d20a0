"""Whole processes, measured from outside: wall-clock and CPU seconds, peak memory of a process with its children.

CPU seconds are user and system time of the process and of all its descendants that ended.  Memory is resident memory,
mapped files included, added up over the process tree every 20 ms, or that of the largest process alone where that is
more.  A run that takes too long or too much memory is killed with all its children.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_EVERY_SECONDS = 0.02
_SAMPLES_OF_A_TREE = 5
_TEXT = 400


@dataclass(frozen=True)
class Limits:
    """When a run is killed: `seconds` of wall-clock time, `bytes` of resident memory of the process tree."""

    seconds: float = 600.0
    bytes: float = 16e9


@dataclass(frozen=True)
class Run:
    """One run: seconds, bytes, how it ended ("exit 0", "SIGSEGV", "killed at 300 s"), and the last line it wrote."""

    wall: float
    cpu: float
    peak: float
    end: str
    last_line: str = ""

    @property
    def killed(self) -> bool:
        """Whether it went over a limit."""
        return self.end.startswith("killed")


def in_turns(
    commands: Mapping[str, Sequence[str]],
    repeats: int,
    limits: Limits,
    *,
    patience: float = 60.0,
    folder: Path | None = None,
    after: Callable[[str, Run], object] = lambda *_: None,
) -> dict[str, list[Run]]:
    """Run every command up to `repeats` times, in turns, so that all of them see the same noise of the machine.

    One that was killed is not run again, nor one whose runs took `patience` seconds together.  `after` is called
    behind each run with the name of the command.
    """
    figures: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            runs = figures[name]
            if runs and (runs[-1].killed or sum(run.wall for run in runs) > patience):
                continue
            runs.append(measured(command, limits, folder))
            after(name, runs[-1])
    return figures


def measured(command: Sequence[str], limits: Limits, folder: Path | None = None) -> Run:
    """Run a command once, in `folder`, without input."""
    with tempfile.TemporaryFile() as log:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before, started = _children_cpu(), time.perf_counter()
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder, start_new_session=True
        )
        watch = _Watch(process, limits)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.stop()
        _kill_group(process.pid)  # what it left behind
        end = watch.reason or ended(process.returncode)
        largest = usage.ru_maxrss if usage.ru_maxrss > own else 0  # before it starts, a child has this process's
        peak = max(watch.peak, largest * 1024.0)
        log.seek(0)
        return Run(wall, _children_cpu() - before, peak, end, last_line(log.read()))


def ended(code: int) -> str:
    """`exit 1`, or the name of the signal."""
    return f"exit {code}" if code >= 0 else signal.Signals(-code).name


def last_line(output: bytes) -> str:
    """The last line of a program's output that holds a letter or a digit, without what only a terminal understands."""
    lines = (" ".join(_visible(line).split()) for line in output.decode(errors="replace").splitlines())
    told = [line for line in lines if any(map(str.isalnum, line))]
    return told[-1][:_TEXT] if told else ""


def _visible(line: str) -> str:
    return "".join(c for c in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line) if c.isprintable())


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _kill_group(process: int) -> None:
    with suppress(ProcessLookupError):  # nothing is left
        os.killpg(process, signal.SIGKILL)


class _Watch(threading.Thread):
    """Looks at the memory of a process tree every 20 ms, and kills it at its limits."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits) -> None:
        super().__init__(daemon=True)
        self.process, self.limits = process, limits
        self.peak, self.reason, self._over = 0.0, "", threading.Event()

    def run(self) -> None:
        """Until stop() is called."""
        deadline = time.perf_counter() + self.limits.seconds
        tree: list[int] = []
        count = 0
        while not self._over.wait(_EVERY_SECONDS):
            if count % _SAMPLES_OF_A_TREE == 0:
                tree = process_tree(self.process.pid)
            count += 1
            self.peak = max(self.peak, resident(tree))
            if time.perf_counter() > deadline:
                self._kill(tree, f"killed at {self.limits.seconds:g} s")
            elif self.peak > self.limits.bytes:
                self._kill(tree, f"killed at {self.limits.bytes / 1e9:g} GB")

    def stop(self) -> None:
        """Ends the thread."""
        self._over.set()
        self.join()

    def _kill(self, tree: Iterable[int], reason: str) -> None:
        self.reason = self.reason or reason
        for pid in tree:
            with suppress(ProcessLookupError):  # it has ended
                os.kill(pid, signal.SIGKILL)


def process_tree(pid: int) -> list[int]:
    """A process and its descendants, by what Linux tells of each process."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and (fields := _read(place / "stat").rpartition(")")[2].split()):
            children.setdefault(int(fields[1]), []).append(int(place.name))
    tree = [pid]
    for one in tree:
        tree += children.get(one, [])
    return tree


def resident(tree: Iterable[int]) -> float:
    """Bytes of resident memory of the processes that still run."""
    pages = (_read(Path(f"/proc/{pid}/statm")).split() for pid in tree)
    return sum(int(fields[1]) for fields in pages if fields) * float(resource.getpagesize())


def _read(path: Path) -> str:
    """The text of a file of a process; "" when the process has ended."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
