"""A real Ray cluster of several nodes on this machine; workers and nodes are killed while it works."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import batch_runs
import onnx
import pytest
from batch_runs import QUICK, lines, run, save, start, wait_until
from stored import model

from onnxfix.batch.connection import RETRIES

pytest.importorskip("ray", reason="these tests need Ray: pip install 'onnxfix[ray]'")
pytestmark = pytest.mark.ray

NODE = {"num_cpus": 1, "memory": 4 * 2**30}
SCRIPT = Path(__file__).with_name("raycluster.py")


class Cluster:
    """A cluster in a process of its own; `folder` has what its workers log.  `hidden` is a folder they do not see."""

    def __init__(self, folder: Path, hidden: Path | None = None) -> None:
        self.folder = folder
        self.temporary = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # the paths of its sockets must be short
        words = [sys.executable, str(SCRIPT)]
        if hidden:
            words = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(hidden), *words]
        environment = {
            **os.environ,
            **batch_runs.plant(folder),
            "RAY_TMPDIR": self.temporary,
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        streams: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(words, env=environment, text=True, start_new_session=True, **streams)
        self.address: str = self.answer()["address"]
        self.nodes = 0

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        while line := self.process.stdout.readline():
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise AssertionError("the cluster is gone")

    def tell(self, **order: Any) -> None:
        assert self.process.stdin
        print(json.dumps(order), file=self.process.stdin, flush=True)
        self.nodes = self.answer()["nodes"]

    def busy(self) -> list[int]:
        """The processes of workers that have a task of ours."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                command = (place / "cmdline").read_bytes()
                ours = self.temporary.encode() in (place / "environ").read_bytes()
            except OSError:
                continue
            if command.startswith(b"ray::work") and ours:
                found.append(int(place.name))
        return found

    def close(self) -> None:
        self.process.communicate(timeout=60)
        shutil.rmtree(self.temporary, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes with one CPU each."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    for _ in range(2):
        made.tell(add=NODE)
    yield made
    made.close()


def repair(cluster: Cluster, *more: str) -> tuple[str, ...]:
    return ("repair", "models", "--ray", cluster.address, "--journal", "j.jsonl", *QUICK, *more)


def once(folder: Path, names: list[str]) -> bool:
    """Whether the journal has each model once, and each result is whole."""
    for name in names:
        onnx.checker.check_model(folder / "models" / name.replace(".onnx", ".fixed.onnx"), full_check=True)
    return Counter(Path(line["place"]).name for line in lines(folder / "j.jsonl")) == Counter(names)


def some_done(folder: Path, number: int) -> bool:
    journal = folder / "j.jsonl"
    return journal.exists() and journal.read_bytes().count(b"\n") >= number


def test_the_nodes_share_the_work(cluster: Cluster, tmp_path: Path) -> None:
    names = [f"slow{number}.onnx" for number in range(6)]
    save(tmp_path / "models", *names)
    save(tmp_path / "models", "crash.onnx", "gone.onnx", "bug.onnx")
    (tmp_path / "models" / "text.onnx").write_text("no model")
    done = run(tmp_path, *repair(cluster))
    assert done.returncode == 2, done.stderr
    assert "10 models: 6 repaired, 4 failed" in done.stdout
    kinds = {Path(line["place"]).stem: line["error"]["kind"] for line in lines(tmp_path / "j.jsonl") if "error" in line}
    assert kinds == {"crash": "crashed", "gone": "crashed", "bug": "internal", "text": "unreadable"}
    assert Counter(line["key"] for line in lines(tmp_path / "j.jsonl")).most_common(1)[0][1] == 1
    assert len({worker for worker, place in batch_runs.performed(cluster.folder) if "slow" in place}) >= 2
    assert "10 known before" in run(tmp_path, *repair(cluster)).stdout


def test_a_worker_that_is_killed_costs_nothing(cluster: Cluster, tmp_path: Path) -> None:
    names = [f"slow{number}.onnx" for number in range(12)]
    save(tmp_path / "models", *names)
    process = start(tmp_path, *repair(cluster))
    assert wait_until(lambda: some_done(tmp_path, 2) and bool(cluster.busy()), 90)
    os.kill(cluster.busy()[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert once(tmp_path, names)


def test_a_node_that_is_gone_costs_nothing(cluster: Cluster, tmp_path: Path) -> None:
    names = [f"slow{number}.onnx" for number in range(16)]
    save(tmp_path / "models", *names)
    cluster.tell(add=NODE)
    before = cluster.busy()
    assert not before
    process = start(tmp_path, *repair(cluster))
    assert wait_until(lambda: some_done(tmp_path, 3) and len(cluster.busy()) == 3, 90)
    cluster.tell(remove=cluster.nodes - 1)
    assert not some_done(tmp_path, len(names))
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert once(tmp_path, names)


def test_a_model_that_kills_its_workers_is_given_up(cluster: Cluster, tmp_path: Path) -> None:
    save(tmp_path / "models", "a.onnx", "orphan.onnx")
    done = run(tmp_path, *repair(cluster))
    assert done.returncode == 2
    assert f"orphan.onnx: worker died, {1 + RETRIES} times" in done.stderr
    begun = [place for _, place in batch_runs.performed(cluster.folder) if place.startswith(str(tmp_path))]
    assert len([place for place in begun if "orphan" in place]) == 1 + RETRIES
    assert (tmp_path / "models" / "a.fixed.onnx").exists()


def test_interrupted_it_ends_its_tasks_and_goes_on_later(cluster: Cluster, tmp_path: Path) -> None:
    names = [f"slow{number}.onnx" for number in range(10)]
    save(tmp_path / "models", *names, "hang.onnx")
    process = start(tmp_path, *repair(cluster))
    assert wait_until(lambda: some_done(tmp_path, 2), 90)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on from here" in errors
    assert wait_until(lambda: not cluster.busy())
    (tmp_path / "models" / "hang.onnx").unlink()
    assert run(tmp_path, *repair(cluster)).returncode == 0
    assert once(tmp_path, names)


def test_a_time_limit_holds_on_the_cluster(cluster: Cluster, tmp_path: Path) -> None:
    save(tmp_path / "models", "a.onnx", "hang.onnx")
    done = run(tmp_path, *repair(cluster, "--time-limit", "5"))
    assert "hang.onnx: took longer than 5 s" in done.stderr
    assert (tmp_path / "models" / "a.fixed.onnx").exists()


def test_a_device_is_waited_for_by_its_own_node_only(cluster: Cluster, tmp_path: Path) -> None:
    save(tmp_path / "models", *(f"slow{number}.onnx" for number in range(4)))
    command = ("check", "models", "--ray", cluster.address, "--target", "t4@trt10.13", "--format", "jsonl")
    none = run(tmp_path, *command)
    assert none.returncode == 2
    assert "no worker of the cluster has t4" in none.stderr
    cluster.tell(add={**NODE, "num_gpus": 1, "resources": {"accelerator_type:T4": 1}})
    done = run(tmp_path, *command)
    cluster.tell(remove=cluster.nodes - 1)
    assert len(done.stdout.splitlines()) == 4, done.stderr
    begun = [worker for worker, place in batch_runs.performed(cluster.folder) if place.startswith(str(tmp_path))]
    assert (len(begun), len(set(begun))) == (4, 1)


def test_another_onnxfix_on_the_workers_is_told(cluster: Cluster, tmp_path: Path) -> None:
    save(tmp_path / "models", "a.onnx")
    code = "from onnxfix.batch import cluster; cluster.__version__ = '9.9'; from onnxfix.__main__ import main; main()"
    environment = {**os.environ, "ONNXFIX_CACHE": str(tmp_path)}
    words = [sys.executable, "-c", code, *repair(cluster)]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stderr.count("\n") == 1
    assert "is installed on the worker" in done.stderr
    assert "9.9 here" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide a folder from the nodes")
@pytest.mark.parametrize("output", [(), ("--in-place",), ("-o", "results")])
def test_files_that_workers_do_not_see_are_sent(tmp_path: Path, output: tuple[str, ...]) -> None:
    folder = tmp_path / "driver"
    model(folder / "models", "a.onnx", "w.bin")
    save(folder / "models", "b.onnx")
    cluster = Cluster(tmp_path, hidden=folder)
    try:
        cluster.tell(add=NODE)
        done = run(folder, *repair(cluster, *output, "--opset", "17", "--format", "jsonl"))
        reports = {Path(line["place"]).name: line for line in map(json.loads, done.stdout.splitlines())}
        assert done.returncode == 0, done.stderr + done.stdout
        home = folder / (output[1] if len(output) > 1 else "models")
        suffix = ".onnx" if output else ".fixed.onnx"
        for name in "ab":
            result = home / f"{name}{suffix}"
            assert onnx.load(result).opset_import[0].version == 17
            assert folder / reports[f"{name}.onnx"]["report"]["output"] == result
            assert "file://" not in json.dumps(reports)
        assert "2 known before" in run(folder, *repair(cluster, *output, "--opset", "17")).stdout
    finally:
        cluster.close()


def test_where_no_cluster_is_that_is_told_at_once(tmp_path: Path) -> None:
    save(tmp_path / "models", "a.onnx")
    done = run(tmp_path, "check", "models/a.onnx", "--ray", "127.0.0.1:1")
    assert done.returncode == 2
    assert "127.0.0.1:1: no Ray cluster answers" in done.stderr
