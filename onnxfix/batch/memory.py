"""How much memory there is, how much a task may need, and how much the workers hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from onnxfix.batch.task import Task
from onnxfix.machine import free_memory

SHARE = 0.7
"""Of the memory that is free when a batch starts, so much is its own unless it is told otherwise."""

_WITHOUT_FIGURES = 8 * 10**9
_NEEDS = {"none": (250, 0.0), "numeric": (250, 3.0), "engine": (400, 4.0)}
"""Megabytes, and times the size of the model, by how far a result is proven.

Measured with weights of 208 MB: 70, 110 and 140, and 0, 2.1 and 3.4 times.
"""


def budget() -> int:
    """The bytes that a batch may use by default: a share of what machine and container have free.

    Eight gigabytes where the system does not tell.
    """
    free = free_memory()
    return _WITHOUT_FIGURES if free is None else int(SHARE * free)


def need(task: Task) -> int:
    """An estimate of the bytes that a worker and its children hold at most while they do a task.

    It knows the weights, which are read by ONNX Runtime and TensorRT only, and not the activations.
    """
    asks = "engine" if task.settings.get("ask_target", True) else "none"
    base, factor = _NEEDS[asks if task.verb == "check" else task.settings.get("verify", "engine")]
    return base * 10**6 + int(factor * task.size)


def used(processes: Iterable[int]) -> list[int]:
    """The bytes of its own that each process and all below it hold; 0 for none, and where the system does not tell."""
    below: dict[int, list[int]] = {}
    for process, parent in _parents():
        below.setdefault(parent, []).append(process)
    return [_used(process, below) if process else 0 for process in processes]


def _parents() -> Iterator[tuple[int, int]]:
    """(process, its parent) for all processes."""
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):  # it ended meanwhile
            yield int(place.parent.name), int(place.read_text().rpartition(")")[2].split()[1])


def _used(process: int, below: dict[int, list[int]]) -> int:
    own = 0
    with suppress(OSError, ValueError):
        _, resident, shared, *_ = map(int, Path(f"/proc/{process}/statm").read_text().split())
        own = (resident - shared) * os.sysconf("SC_PAGE_SIZE")
    return own + sum(_used(child, below) for child in below.get(process, ()))
