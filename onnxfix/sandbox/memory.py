"""A limit on memory for calls that a few hostile bytes can make allocate without end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def limited_memory(more: int) -> Iterator[None]:
    """Let this process allocate at most `more` bytes than it has now; beyond that comes MemoryError.

    Only Linux counts what a process has; elsewhere nothing is limited.
    """
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (_smaller(used + more, _smaller(soft, hard)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _smaller(limit: int, other: int) -> int:
    """The smaller of two limits, of which -1 means none."""
    return limit if other < 0 else min(limit, other)
