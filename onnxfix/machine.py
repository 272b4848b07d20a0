"""What the machine, and the container around this process, have free.  Only Linux tells without another package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CGROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)
"""The limit of the own control group and what it uses: version 2, version 1."""


def free_memory() -> int | None:
    """Bytes that a new process can have without swapping; None where the system does not tell."""
    return min((*_free_in_machine(), *_free_in_container()), default=None)


def _free_in_machine() -> Iterator[int]:
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        yield from (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _free_in_container() -> Iterator[int]:
    for limit, usage in _CGROUPS:
        with suppress(OSError, ValueError):  # no such group, or "max"
            yield max(0, int(limit.read_text()) - int(usage.read_text()))
