"""The figures of `python -m benchmarks.speed`, kept as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.measure import Run
from onnxfix.files import write_whole

TITLES = {
    "help": "`--help`",
    "cached": "`check` of {size} models that have not changed",
    "nodes": "{size} nodes",
    "yolo": "YOLOv3, {size}, proven by numbers",
    "weights": "{size} of external weights",
    "sparse": "{size} of external weights, a sparse file",
}


@dataclass(frozen=True)
class Entry:
    """What one tool did in one row: seconds and bytes of each run, how the last one ended, and what it wrote."""

    row: str
    size: int
    tool: str
    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    peak: tuple[float, ...]
    end: str
    last_line: str = ""
    made: str = ""

    @property
    def good(self) -> bool:
        """Whether the tool did its work; looking at a model may end with 1, which says that something was found."""
        if self.looks:
            return self.end in ("exit 0", "exit 1")
        return self.end == "exit 0" and (not self.made or self.made.endswith(", valid"))

    @property
    def looks(self) -> bool:
        """Whether the tool only looks at models."""
        return self.tool.endswith("check")

    @property
    def seconds(self) -> float:
        """The median of the wall-clock seconds."""
        return median(self.wall)

    @property
    def cpu_seconds(self) -> float:
        """The median of the CPU seconds."""
        return median(self.cpu)

    @property
    def bytes(self) -> float:
        """The median of the peaks."""
        return median(self.peak)


@dataclass
class Results:
    """All figures, with the machine and the releases they were measured with."""

    entries: list[Entry] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    machine: str = ""

    @classmethod
    def load(cls, path: Path) -> Results:
        """The figures kept in a file; none when there is no file."""
        if not path.exists():
            return cls()
        table = json.loads(path.read_text(encoding="utf-8"))
        lists = ("wall", "cpu", "peak")
        entries = [Entry(**{**item, **{key: tuple(item[key]) for key in lists}}) for item in table["entries"]]
        return cls(entries, table["versions"], table["machine"])

    def save(self, path: Path) -> None:
        """Write the figures."""
        write_whole(path, json.dumps(asdict(self), indent=1).encode() + b"\n")

    def add(self, row: str, size: int, tool: str, runs: Sequence[Run], made: str) -> Entry:
        """Keep the runs of a tool, in place of those measured before."""
        wall, cpu, peak = (tuple(getattr(run, key) for run in runs) for key in ("wall", "cpu", "peak"))
        new = Entry(row, size, tool, wall, cpu, peak, runs[-1].end, runs[-1].last_line, made)
        new = replace(new, last_line="") if new.good else new
        self.entries = [entry for entry in self.entries if (entry.row, entry.size, entry.tool) != (row, size, tool)]
        self.entries.append(new)
        return new

    def of(self, row: str, size: int | None = None) -> list[Entry]:
        """The entries of a row, of one size or of all, small ones first."""
        found = [entry for entry in self.entries if entry.row == row and size in (None, entry.size)]
        return sorted(found, key=lambda entry: entry.size)

    def entry(self, row: str, size: int, tool: str) -> Entry | None:
        """One entry, None when it was not measured."""
        return next((entry for entry in self.of(row, size) if entry.tool == tool), None)

    def sizes(self, row: str) -> list[int]:
        """The sizes that were measured."""
        return sorted({entry.size for entry in self.of(row)})

    def killed(self, row: str, tool: str, below: int) -> str:
        """Why a tool is not tried on a model of a size: it was killed on a smaller one; "" when it was not."""
        smaller = (e for e in self.of(row) if e.tool == tool and e.size < below and e.end.startswith("killed"))
        return next((f"{entry.end} on {title(row, entry.size)}" for entry in smaller), "")


def title(row: str, size: int) -> str:
    """A row in words."""
    return TITLES[row].format(size=f"{size:,}" if row in ("nodes", "cached") else size_text(size))


def size_text(size: float) -> str:
    """`950 MB`, `1.5 GB`."""
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def this_machine() -> str:
    """`2026-11-23, 2 cores (load 0.1 before), Python 3.11.7, Linux x86_64`."""
    date, cores, load = datetime.now(UTC).date().isoformat(), len(os.sched_getaffinity(0)), os.getloadavg()[0]
    system = f"{platform.system()} {platform.machine()}"
    return f"{date}, {cores} cores (load {load:.1f} before), Python {platform.python_version()}, {system}"
