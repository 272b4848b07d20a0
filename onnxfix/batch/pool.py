"""The executor of this machine: worker processes that do one task after the other, within a budget of memory.

A worker is a sandbox, and TensorRT and ONNX Runtime are children of it as they are of a single run.  One that dies
costs the line of its task, and the next task gets a new one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from onnxfix.batch import memory
from onnxfix.batch.task import Line, Task, failure, line
from onnxfix.batch.watch import Watch
from onnxfix.errors import OnnxfixError
from onnxfix.sandbox import Sandbox, SandboxCrash, SandboxTimeout

GRACE_SECONDS = 3.0
"""How long a worker that is told to stop may clean up."""

_TICK = 1.0
_AHEAD = 64
"""So many tasks are looked at for one that fits into the memory that is left."""

_SWOLLEN = 10**9
"""A worker that holds more bytes than this is not kept for the next task."""


@dataclass(eq=False)
class _Run:
    """A task that a worker does now.

    `need` and `held` are the bytes that it may need and holds; `ended` says why it was told to stop, and `until` when
    it has to be gone.
    """

    task: Task
    worker: Sandbox
    need: int
    started: float = field(default_factory=time.monotonic)
    held: int = 0
    ended: Literal["", "time", "memory"] = ""
    until: float = math.inf

    def stop(self, why: Literal["time", "memory"]) -> None:
        """Let the worker clean up for a moment."""
        self.ended, self.until = why, time.monotonic() + GRACE_SECONDS
        self.worker.stop(gently=True)


def perform_all(
    tasks: Iterable[Task], *, jobs: int, budget: int, seconds: float, watch: Watch | None = None
) -> Generator[Line, None, None]:
    """The lines of tasks in order of completion, by at most `jobs` workers at a time.

    `budget` are bytes: a task waits until what it may need is left, and one that needs more than all of it runs
    alone.  When the workers together hold more than the budget nevertheless, the youngest task is put back and runs
    alone later.  `seconds` is the time limit of a task.  Closing the generator ends workers and their children.
    """
    pool = _Pool(jobs, budget, seconds, watch or Watch())
    try:
        yield from pool.lines(iter(tasks))
    finally:
        pool.end()


class _Pool:
    def __init__(self, jobs: int, budget: int, seconds: float, watch: Watch) -> None:
        self.budget, self.seconds, self.watch = budget, seconds, watch
        self.idle = [Sandbox() for _ in range(jobs)]
        self.threads = ThreadPoolExecutor(jobs)
        self.running: dict[Future[Line | None], _Run] = {}
        self.waiting: list[tuple[Task, int]] = []

    def lines(self, tasks: Iterator[Task]) -> Iterator[Line]:
        """Start what fits, wait, and hand on what is finished, until nothing is left."""
        self.idle[-1].start("onnxfix.model")  # while the first task is looked at
        self._fill(tasks)
        looked = time.monotonic()
        while self.running:
            done = wait(self.running, timeout=_TICK, return_when=FIRST_COMPLETED).done
            finished = [line for future in done if (line := self._finished(future)) is not None]
            self._fill(tasks)
            if time.monotonic() > looked + _TICK:
                self._look_after()
                looked = time.monotonic()
            yield from finished

    def end(self) -> None:
        """End all workers: those that are busy may clean up for a moment."""
        for run in self.running.values():
            run.worker.stop(gently=True)
        late = wait(self.running, timeout=GRACE_SECONDS).not_done
        for future in late:
            self.running[future].worker.stop()
        self.threads.shutdown()
        for worker in (*self.idle, *(run.worker for run in self.running.values())):
            worker.close()

    def _fill(self, tasks: Iterator[Task]) -> None:
        while self.idle and (found := self._next(tasks)):
            run = _Run(found[0], self.idle.pop(), found[1])
            self.watch.stage(run.task, "starting")
            self.running[self.threads.submit(self._perform, run)] = run

    def _next(self, tasks: Iterator[Task]) -> tuple[Task, int] | None:
        """The next task whose need is left, those that waited first; any task when nothing runs."""
        free = self.budget - sum(run.need for run in self.running.values())
        first = next((item for item in self.waiting if item[1] <= free or not self.running), None)
        if first:
            self.waiting.remove(first)
            return first
        while len(self.waiting) < _AHEAD and (task := next(tasks, None)):
            need = memory.need(task)
            if need > self.budget:
                self.watch.note(f"{task.place} may need more than the memory budget: it runs alone")
            if need <= free or not self.running:
                return task, need
            self.waiting.append((task, need))
        return None

    def _perform(self, run: _Run) -> Line | None:
        """In a thread of its own: the line of a task, also when its worker is lost; None when it is to be put back."""
        limit, told = self.seconds + 2 * GRACE_SECONDS, partial(self.watch.stage, run.task)
        try:
            done: Line = run.worker.call("onnxfix.batch.task:perform", run.task, timeout=limit, progress=told)
            return {**done, "key": run.task.key}  # the worker may have been started after an update of onnxfix
        except (OnnxfixError, OSError) as error:
            if run.ended == "memory":
                return None
            return line(run.task, self._lost(run, error), time.monotonic() - run.started)

    def _lost(self, run: _Run, error: Exception) -> dict[str, Any]:
        place = run.task.place
        if run.ended == "time" or isinstance(error, SandboxTimeout):
            return failure("timeout", f"{place}: took longer than {self.seconds:g} s")
        if isinstance(error, SandboxCrash):
            return failure("crashed", f"{place}: crashed: {error.signal}")
        return failure("internal", f"{place}: {error}")

    def _finished(self, future: Future[Line | None]) -> Line | None:
        """The line of a task that is done; one that was put back runs alone, later."""
        run = self.running.pop(future)
        if run.ended or run.held > _SWOLLEN:
            run.worker.close()
        self.idle.append(run.worker)
        if (done := future.result()) is None:
            self.watch.stage(run.task, "waiting for memory")
            self.waiting.append((run.task, self.budget))
        return done

    def _look_after(self) -> None:
        """Stop what takes too long, and end something when the workers together hold too much memory."""
        runs = [run for future, run in self.running.items() if not future.done()]
        now = time.monotonic()
        for run in runs:
            if now > run.until:
                run.worker.stop()
            elif not run.ended and now > run.started + self.seconds:
                run.stop("time")
        held = memory.used([run.worker.process_id for run in runs])
        for run, own in zip(runs, held, strict=True):
            run.held = own
        total = sum(held) + sum(memory.used([worker.process_id for worker in self.idle]))
        self.watch.memory(total)
        if total > self.budget:
            self._make_room(runs)

    def _make_room(self, runs: list[_Run]) -> None:
        """End workers that have nothing to do; else put back the youngest task of several, one at a time."""
        if any(worker.process_id for worker in self.idle):
            for worker in self.idle:
                worker.close()
        elif len(runs) > 1 and not any(run.ended for run in runs):
            youngest = max(runs, key=lambda run: run.started)
            self.watch.note(f"{youngest.task.place} waits: the models that run need more than the memory budget")
            youngest.stop("memory")
