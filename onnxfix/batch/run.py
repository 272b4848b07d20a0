"""A batch from its tasks to its lines: what is known already, then what the executor does; all is journalled first."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from onnxfix.batch.checking import checked, checking_of
from onnxfix.batch.contents import contents_of, with_contents, with_size
from onnxfix.batch.journal import Journal
from onnxfix.batch.task import Line, Task, line
from onnxfix.batch.urls import is_remote
from onnxfix.batch.watch import Executor
from onnxfix.errors import OnnxfixError


@dataclass(frozen=True)
class Done:
    """The line of a task, the place of the task in its batch, and whether it was done now."""

    index: int
    line: Line
    now: bool


def lines(
    tasks: Sequence[Task], execute: Executor, journal: Journal | None = None, *, retry: bool = False
) -> Generator[Done, None, None]:
    """What became of each task, as soon as it is known; close the generator to end the workers.

    Tasks that the journal has, for the same content and with results that are still there, are not done again, but
    for those with `retry` that failed.  A check whose reports are all kept is answered without a worker.
    Raises OnnxfixError when the journal cannot be written.
    """
    rest: dict[str, tuple[int, Task]] = {}
    for index, task in enumerate(tasks):
        task = with_contents(task) if journal else task
        if journal and (old := journal.last(task.work)) and _holds(old, task, retry):
            yield Done(index, old, False)
        elif known := _kept(task):
            yield Done(index, _journalled(known, journal), False)
        else:
            rest[task.key] = index, task
    if rest:
        with closing(execute(with_size(task) for _, task in rest.values())) as stream:
            for done in stream:
                yield Done(rest[done["key"]][0], _journalled(done, journal), True)


def in_order(every: Iterable[Done]) -> Iterator[Done]:
    """The same in the order of the tasks, each as soon as those before it are there."""
    early: dict[int, Done] = {}
    following = 0
    for done in every:
        early[done.index] = done
        while following in early:
            yield early.pop(following)
            following += 1


def _journalled(line: Line, journal: Journal | None) -> Line:
    if journal:
        journal.write(line)
    return line


def _kept(task: Task) -> Line | None:
    """The line of a check whose reports are all in the cache."""
    if task.verb != "check" or not task.settings.get("cache") or is_remote(task.place):
        return None
    reports = checking_of(task.settings).known(Path(task.place))
    return line(task, checked(reports), 0.0) if reports else None


def _holds(old: Line, task: Task, retry: bool) -> bool:
    """Whether the last line of this work tells what is there now."""
    if retry and "error" in old:
        return False
    written = old.get("written", {})
    same = old["key"] == task.key or (task.settings.get("in_place") and task.state in written.values())
    return bool(same) and all(_state(path) == state for path, state in written.items())


def _state(path: str) -> str:
    if not is_remote(path):
        return contents_of(Path(path))
    from onnxfix.batch.store import state

    with suppress(OnnxfixError):
        return state(path)
    return ""
