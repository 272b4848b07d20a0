"""Who hears from an executor while it runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

from onnxfix.batch.task import Line, Task

Executor = Callable[[Iterable[Task]], Generator[Line, None, None]]
"""Performs tasks and yields their lines in order of completion; closing the generator ends what runs."""


class Watch:
    """Hears from an executor, in any thread; this one does nothing with it."""

    def stage(self, task: Task, stage: str) -> None:
        """A task is at this stage now; the first call tells that it was started."""

    def note(self, text: str) -> None:
        """A sentence for the reader."""

    def memory(self, used: int) -> None:
        """The bytes that the workers of this machine and their children hold, now and then."""
