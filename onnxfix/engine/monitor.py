"""TensorRT's own progress, as one fraction and the name of what it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

INTERVAL = 0.1
"""Seconds between two reports: some phases have thousands of steps."""


@dataclass
class _Phase:
    steps: int
    done: int = 0
    inside: list[str] = field(default_factory=list)


class Phases:
    """The phases that are under way, nested, and how far all of them are.

    `tell` gets (name of the innermost phase, fraction of the whole from 0 to 1, which never falls).
    """

    def __init__(self, tell: Callable[[tuple[str, float]], object]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._active: dict[str, _Phase] = {}
        self._best = 0.0
        self._next = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase of so many steps begins, inside `parent`."""
        with self._lock:
            self._active[name] = _Phase(steps)
            if parent in self._active:
                self._active[parent].inside.append(name)
            self._report(name)

    def step(self, name: str, index: int) -> None:
        """Step `index` (from 0 on) of a phase is done."""
        with self._lock:
            if name in self._active:
                self._active[name].done = index + 1
                self._report(name)

    def finish(self, name: str) -> None:
        """A phase is over, with or without its steps."""
        with self._lock:
            self._active.pop(name, None)
            for phase in self._active.values():
                phase.inside = [child for child in phase.inside if child != name]

    def _report(self, name: str) -> None:
        root = next(iter(self._active))
        self._best = max(self._best, min(self._share(root), 1.0))
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + INTERVAL
            self._tell((name, self._best))

    def _share(self, name: str) -> float:
        """How much of a phase is done: its steps, and what is done of the step it is in."""
        phase = self._active[name]
        begun = max((self._share(child) for child in phase.inside), default=0.0)
        return min(phase.done + begun, phase.steps) / max(phase.steps, 1)


def monitor(module: Any, tell: Callable[[tuple[str, float]], object]) -> Any | None:
    """An IProgressMonitor for a builder configuration, None for releases without one (before 10.0).

    Keep it as long as the configuration: the library does not.
    """
    if not hasattr(module, "IProgressMonitor"):
        return None

    class Monitor(module.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            module.IProgressMonitor.__init__(self)
            self.phases = Phases(tell)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self.phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self.phases.step(phase_name, step)
            return True

        def phase_finish(self, phase_name: str) -> None:
            self.phases.finish(phase_name)

    return Monitor()
