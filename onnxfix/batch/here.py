"""The executor of a single model: this process."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from functools import partial

from onnxfix.batch.task import Line, Task, perform
from onnxfix.batch.watch import Watch
from onnxfix.sandbox import progress


def perform_here(tasks: Iterable[Task], watch: Watch) -> Generator[Line, None, None]:
    """The lines of tasks, one after the other, done in this process: a crash is a crash of all."""
    for task in tasks:
        progress.listen(partial(watch.stage, task))
        try:
            yield perform(task)
        finally:
            progress.listen(None)
