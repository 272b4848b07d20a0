"""The choices of the executor of a cluster, with a Ray that is played."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from batch_runs import save

from onnxfix.batch import cluster as module
from onnxfix.batch import memory
from onnxfix.batch.connection import connected
from onnxfix.batch.task import Task
from onnxfix.batch.watch import Watch
from onnxfix.errors import OnnxfixError

GIGABYTE = 10**9
REPLY = {"line": {"key": "of the worker", "place": "there", "outcome": "ready"}, "files": {}}


class Exceptions:
    class RayError(Exception):
        pass

    class RayTaskError(RayError):
        pass


class PlayedRay:
    """A cluster whose tasks end when `ends` has their reply; `given` has what it was given, with the options."""

    exceptions = Exceptions

    def __init__(self, *nodes: dict[str, float]) -> None:
        self.own = [{"Alive": True, "Resources": node} for node in nodes]
        self.given: list[tuple[dict[str, Any], dict[str, Any], Any]] = []
        self.ends: dict[int, Any] = {}
        self.cancelled: list[int] = []
        self.chosen: dict[str, Any] = {}

    def remote(self, *arguments: Any) -> Any:
        if len(arguments) == 1:
            return self
        self.given.append((self.chosen, *arguments))
        return len(self.given) - 1

    def options(self, **options: Any) -> PlayedRay:
        self.chosen = options
        return self

    def nodes(self) -> list[dict[str, Any]]:
        return self.own

    def put(self, value: Any) -> Any:
        return value

    def wait(self, references: list[int], timeout: float) -> tuple[list[int], list[int]]:  # noqa: ARG002
        done = [reference for reference in references if reference in self.ends][:1]
        return done, []

    def get(self, reference: int) -> Any:
        if isinstance(self.ends[reference], Exception):
            raise self.ends[reference]
        return self.ends[reference]

    def cancel(self, reference: int) -> None:
        self.cancelled.append(reference)


def cluster(ray: PlayedRay, jobs: int | None = None) -> Any:
    return module._Cluster(ray, jobs, 60.0, Watch(), ExitStack())


def tasks(folder: Path, number: int, **settings: Any) -> list[Task]:
    return [Task(path, "repair", settings) for path in save(folder, *(f"{n}.onnx" for n in range(number)))]


def test_a_cluster_has_so_many_tasks_at_a_time(tmp_path: Path) -> None:
    for jobs, most in ((None, 6), (2, 2)):
        ray, given = PlayedRay({"CPU": 3, "memory": 8e9}), iter(every := tasks(tmp_path, 9))
        lines = cluster(ray, jobs).lines(given)
        ray.ends[0] = REPLY
        first = next(lines)
        assert len(ray.given) == most
        assert (first["key"], first["place"]) == (every[0].key, every[0].place)


def test_memory_is_what_the_task_needs_and_a_node_has(tmp_path: Path) -> None:
    small, large = tasks(tmp_path, 1)[0], Task(save(tmp_path, "l.onnx")[0], "repair", size=50 * GIGABYTE)
    ray = PlayedRay({"CPU": 1, "memory": 8e9}, {"CPU": 1, "memory": 16e9})
    work = cluster(ray)
    list(work._look())
    assert work._demand(small) == {"CPU": 1.0, "memory": memory.need(small)}
    assert work._demand(large)["memory"] == 16e9
    list(work._start(small, send=False))
    assert ray.given[0][0] == {"max_retries": 2, "num_cpus": 1.0, "memory": memory.need(small), "resources": {}}


def test_without_a_cpu_there_is_no_worker(tmp_path: Path) -> None:
    with pytest.raises(OnnxfixError, match="no worker of the cluster has a CPU"):
        list(cluster(PlayedRay({"memory": 8e9})).lines(iter(tasks(tmp_path, 1))))


def test_a_task_for_which_no_node_is_left_is_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    ray = PlayedRay({"CPU": 1, "memory": 1e9}, {"CPU": 1, "memory": 9e9})
    work = cluster(ray)
    list(work._look())
    list(work._start(Task(save(tmp_path, "l.onnx")[0], "repair", size=2 * GIGABYTE), send=False))
    work.running[0].fits = 0.0
    ray.own[1]["Alive"] = False
    for clock[0] in (2.0, module.PATIENCE_SECONDS, module.PATIENCE_SECONDS + 3):
        assert not ray.cancelled
        list(work._look())
    assert ray.cancelled == [0]
    assert [given[0]["memory"] for given in ray.given] == [8.4e9, 1e9]


def test_files_that_are_not_seen_are_sent_and_then_all(tmp_path: Path) -> None:
    ray, every = PlayedRay({"CPU": 1, "memory": 8e9}), tasks(tmp_path, 6)
    lines = cluster(ray, 2).lines(iter(every))
    ray.ends = {0: {"unseen": True}, 1: REPLY, 2: REPLY}
    assert [next(lines)["key"] for _ in "ab"] == [every[1].key, every[0].key]
    assert [sorted(given[2] or ()) for given in ray.given[:4]] == [[], [], ["model/0.onnx"], ["model/2.onnx"]]


def test_a_file_that_is_gone_is_a_line(tmp_path: Path) -> None:
    ray, every = PlayedRay({"CPU": 1, "memory": 8e9}), tasks(tmp_path, 2)
    Path(every[0].place).unlink()
    ray.ends[0] = REPLY
    outcomes = {line["place"]: line["outcome"] for line in cluster(ray).lines(iter(every))}
    assert outcomes == {every[0].place: "failed", every[1].place: "ready"}


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (Exceptions.RayTaskError("traceback\nModuleNotFoundError: onnxfix"), "cannot run onnxfix: ModuleNotFoundError"),
        ({"version": "0.0.1", "node": "n7"}, "onnxfix 0.0.1 is installed on the worker n7"),
    ],
)
def test_a_worker_without_this_onnxfix_ends_the_batch(end: Any, words: str, tmp_path: Path) -> None:
    ray = PlayedRay({"CPU": 1, "memory": 8e9})
    ray.ends[0] = end
    with pytest.raises(OnnxfixError, match=words):
        list(cluster(ray).lines(iter(tasks(tmp_path, 1))))


def test_a_task_whose_workers_died_is_a_line(tmp_path: Path) -> None:
    ray = PlayedRay({"CPU": 1, "memory": 8e9})
    ray.ends[0] = Exceptions.RayError("The worker died unexpectedly.\nSee the logs.")
    (line,) = cluster(ray).lines(iter(tasks(tmp_path, 1)))
    assert line["error"]["kind"] == "crashed"
    assert line["error"]["message"].endswith("worker died, 3 times: The worker died unexpectedly.")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1"])
def test_where_nobody_listens_that_is_told_at_once(address: str) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'onnxfix[ray]'")
    with pytest.raises(OnnxfixError, match="no Ray cluster answers"), connected(address):
        pass


def test_without_ray_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OnnxfixError, match=r"--ray needs Ray, .* \(pip install 'onnxfix\[ray\]'\)"), connected("auto"):
        pass


def test_tokens_are_in_the_folders_of_results_while_it_runs(tmp_path: Path) -> None:
    files = ExitStack()
    work = module._Cluster(PlayedRay({"CPU": 1}), None, 60.0, Watch(), files)
    task = Task(save(tmp_path, "a.onnx")[0], "repair", {"output": str(tmp_path / "new" / "a.onnx")})
    token = work._token(task)
    assert (Path(token).parent, Path(token).exists(), work._token(task)) == (tmp_path / "new", True, token)
    files.close()
    assert not list((tmp_path / "new").iterdir())
    assert work._token(Task(task.place, "check")) == ""
