"""Worker processes: what a model does to its worker costs one line."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from batch_runs import alive, performed, save, wait_until

from onnxfix.batch.pool import perform_all
from onnxfix.batch.task import Line, Task
from onnxfix.batch.watch import Watch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

GB = 10**9
STATIC = {"targets": ("rtx1.7",), "ask_target": False}


class Log(Watch):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.held: list[int] = []

    def stage(self, task: Task, stage: str) -> None:
        self.stages.append((task.place, stage))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def memory(self, used: int) -> None:
        self.held.append(used)


def tasks(names: Iterable[str], size: int = 0, **settings: Any) -> list[Task]:
    return [Task(name, "check", {**STATIC, **settings}, size) for name in names]


def done(
    every: Iterable[Task], jobs: int = 2, budget: int = 8 * GB, seconds: float = 60.0, **options: Any
) -> list[Line]:
    return list(perform_all(every, jobs=jobs, budget=budget, seconds=seconds, **options))


def outcomes(lines: Iterable[Line]) -> dict[str, str]:
    return {line["place"]: line.get("error", {}).get("message", line["outcome"]) for line in lines}


@pytest.mark.usefixtures("folder")
def test_a_lost_worker_costs_one_line() -> None:
    names = ["a.onnx", "crash.onnx", "b.onnx", "gone.onnx", "bug.onnx", "c.onnx"]
    save(Path(), *names)
    every = tasks(names)
    lines = done(every)
    assert outcomes(lines) == {
        "a.onnx": "repairable",
        "b.onnx": "repairable",
        "c.onnx": "repairable",
        "crash.onnx": "crash.onnx: crashed: SIGSEGV",
        "gone.onnx": "gone.onnx: crashed: SIGKILL",
        "bug.onnx": "bug.onnx: ZeroDivisionError: planted (run with ONNXFIX_TRACEBACK=1 for details)",
    }
    kinds = {line["place"]: line["error"]["kind"] for line in lines if "error" in line}
    assert kinds == {"crash.onnx": "crashed", "gone.onnx": "crashed", "bug.onnx": "internal"}
    assert {line["key"] for line in lines} == {task.key for task in every}
    (bug,) = [line for line in lines if line["place"] == "bug.onnx"]
    assert "in act" in bug["error"]["trace"]


def test_a_worker_does_many_models(folder: Path) -> None:
    names = [f"{number}.onnx" for number in range(12)]
    save(folder, *names)
    assert len(done(tasks(names))) == 12
    begun = performed(folder)
    assert sorted(place for _, place in begun) == sorted(names)
    assert 1 <= len({worker for worker, _ in begun}) <= 2


@pytest.mark.parametrize("jobs", [1, 3])
def test_so_many_at_a_time(folder: Path, jobs: int) -> None:
    names = [f"slow{number}.onnx" for number in range(9)]
    save(folder, *names)
    assert len(done(tasks(names), jobs=jobs)) == 9
    spans: dict[str, list[float]] = {}
    for line in (folder / "performed.times").read_text().splitlines():
        spans.setdefault(line.split()[1], []).append(float(line.split()[0]))
    assert max(sum(a <= begin < b for a, b in spans.values()) for begin, _ in spans.values()) == jobs
    assert len({worker for worker, _ in performed(folder)}) == jobs


@pytest.mark.usefixtures("folder")
def test_lines_come_in_order_of_completion() -> None:
    save(Path(), "hang.onnx", "a.onnx", "b.onnx")
    lines = done(tasks(["hang.onnx", "a.onnx", "b.onnx"]), seconds=10)
    assert [line["place"] for line in lines] == ["a.onnx", "b.onnx", "hang.onnx"]
    assert outcomes(lines)["hang.onnx"] == "hang.onnx: took longer than 10 s"
    assert lines[2]["error"]["kind"] == "timeout"


@pytest.mark.usefixtures("folder")
def test_a_worker_that_does_not_listen_is_killed() -> None:
    save(Path(), "deaf.onnx", "a.onnx")
    started = time.monotonic()
    assert outcomes(done(tasks(["deaf.onnx", "a.onnx"]), jobs=1, seconds=10)) == {
        "deaf.onnx": "deaf.onnx: took longer than 10 s",
        "a.onnx": "repairable",
    }
    assert time.monotonic() - started < 60


def test_closing_ends_workers_and_their_children(folder: Path) -> None:
    names = ["a.onnx", "hang1.onnx", "hang2.onnx"]
    save(folder, *names)
    stream = perform_all(tasks(names), jobs=2, budget=8 * GB, seconds=60)
    assert next(stream)["place"] == "a.onnx"
    assert wait_until(lambda: len(performed(folder)) == 3)
    workers = {worker for worker, _ in performed(folder)}
    children = {child for worker in workers for child in below(worker)}
    assert children, "the worker of a.onnx has a checker"
    stream.close()
    assert wait_until(lambda: not any(map(alive, workers | children)))


def below(process: int) -> set[int]:
    found = set()
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(place.read_text().rpartition(")")[2].split()[1]) == process:
                found.add(int(place.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.usefixtures("folder")
def test_a_model_waits_for_memory() -> None:
    """Two of 3 GB do not fit into 4 GB at once; small ones pass them."""
    save(Path(), "slow1.onnx", "slow2.onnx", "small.onnx")
    log = Log()
    every = tasks(["slow1.onnx", "slow2.onnx"], 650_000_000, ask_target=True) + tasks(["small.onnx"])
    lines = done(every, budget=4 * GB, watch=log)
    begun = [place for place, stage in log.stages if stage == "starting"]
    assert begun == ["slow1.onnx", "small.onnx", "slow2.onnx"]
    assert set(outcomes(lines).values()) == {"repairable"}
    assert not log.notes


@pytest.mark.usefixtures("folder")
def test_a_model_larger_than_the_budget_runs_alone() -> None:
    save(Path(), "slow1.onnx", "slow2.onnx", "slow3.onnx")
    log, running, most = Log(), set(), {}

    class Counting(Log):
        def stage(self, task: Task, stage: str) -> None:
            log.stage(task, stage)
            running.add(task.place)

    every = tasks(["slow1.onnx"]) + tasks(["slow2.onnx"], 10 * GB, ask_target=True) + tasks(["slow3.onnx"])
    watch = Counting()
    for line in perform_all(every, jobs=2, budget=2 * GB, seconds=60, watch=watch):
        most[line["place"]] = set(running)
        running.discard(line["place"])
    assert watch.notes == ["slow2.onnx may need more than the memory budget: it runs alone"]
    assert most["slow2.onnx"] == {"slow2.onnx"}


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is measured on Linux")  # noqa: PTH110
def test_models_that_hold_too_much_are_put_back(folder: Path) -> None:
    """Nothing tells that these two need 400 MB each: the younger one is stopped, and done when the other is."""
    save(folder, "large1.onnx", "large2.onnx")
    log = Log()
    lines = done(tasks(["large1.onnx", "large2.onnx"]), budget=600_000_000, watch=log)
    assert outcomes(lines) == {"large1.onnx": "repairable", "large2.onnx": "repairable"}
    (note,) = log.notes
    assert note == "large2.onnx waits: the models that run need more than the memory budget"
    assert [place for _, place in performed(folder)] in (
        ["large1.onnx", "large2.onnx", "large2.onnx"],
        ["large2.onnx", "large1.onnx", "large2.onnx"],
    )
    assert max(log.held) > 600_000_000
