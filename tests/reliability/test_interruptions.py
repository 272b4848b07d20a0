"""A full disk, a folder without permission, kill -9 and two runs at once: the output is whole or not there."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxfix
from onnxfix.model import load

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals, limits and permissions")

TEXT = """<ir_version: 6, opset_import: ["" : 11]>
g (float[1,3,4,4] x) => (float[1,3000] z) {
    big = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x)
    flat = Flatten (big)
    wide = MatMul (flat, w1)
    z = MatMul (wide, w2)
}"""


def model(columns: int = 2400) -> onnx.ModelProto:
    """Weights of 30 MB unless `columns` says otherwise, and an Upsample to repair."""
    proto = onnx.parser.parse_model(TEXT)
    numbers = np.random.default_rng(0)
    for name, shape in (("w1", (192, columns)), ("w2", (columns, 3000))):
        proto.graph.initializer.append(numpy_helper.from_array(numbers.random(shape, np.float32), name))
    return proto


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "onnxfix", *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, **options)


@pytest.mark.parametrize("output", [["-o", "o.onnx"], [], ["--in-place"], ["-o", "there/o.onnx"]])
def test_a_full_disk(tmp_path: Path, output: list[str]) -> None:
    """Files of more than 1 MB cannot be written; the last output is in another folder than the weights."""
    import resource

    (tmp_path / "there").mkdir()
    outside = output[-1:] == ["there/o.onnx"]
    onnx.save(model(200), tmp_path / "m.onnx", save_as_external_data=outside, location="w.bin")
    before = {name: (tmp_path / name).read_bytes() for name in ("m.onnx", "w.bin") if (tmp_path / name).exists()}

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    done = command("repair", "m.onnx", "--verify", "none", *output, cwd=tmp_path, preexec_fn=limit)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be written: File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert names(tmp_path) == sorted([*before, "there"])
    assert names(tmp_path / "there") == []


def test_a_batch_on_a_full_disk(tmp_path: Path) -> None:
    """What has room is written, what has none is told, and goes on with --retry when there is room again."""
    import resource

    (tmp_path / "nets").mkdir()
    onnx.save(model(20), tmp_path / "nets" / "a.onnx")
    onnx.save(model(200), tmp_path / "nets" / "b.onnx")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    words = ("repair", "nets", "-o", "out", "--verify", "none", "--jobs", "1", "--journal", "j.jsonl")
    done = command(*words, cwd=tmp_path, preexec_fn=limit)
    assert done.returncode == 2
    assert "out/b.onnx: cannot be written: File too large" in done.stdout + done.stderr
    assert "2 models: 1 repaired, 1 failed" in done.stdout
    assert names(tmp_path / "out") == ["a.onnx"]
    again = command(*words, "--retry", cwd=tmp_path)
    assert "2 models: 2 repaired, 1 known before" in again.stdout
    assert names(tmp_path / "out") == ["a.onnx", "b.onnx"]


def powerless() -> None:
    """Take from root, in this process and its children, the right to ignore permissions."""
    drop = 24
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if os.geteuid() == 0 and ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0):
            raise OSError("root keeps its rights")


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities of Linux")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(model(20).SerializeToString())
    tmp_path.chmod(0o555)
    for output in ([], ["--in-place"], ["-o", "new.onnx"]):
        arguments = ("repair", "m.onnx", "--verify", "none", *output)
        done = command(*arguments, cwd=tmp_path, preexec_fn=powerless)
        assert (done.returncode, done.stdout) == (2, "")
        assert "cannot be written: Permission denied" in done.stderr
        assert done.stderr.count("\n") == 1
        assert names(tmp_path) == ["m.onnx"]
    for harmless in (["check", "m.onnx"], ["repair", "m.onnx", "--verify", "none", "--dry-run"]):
        assert command(*harmless, cwd=tmp_path, preexec_fn=powerless).stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities of Linux")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(model(20).SerializeToString())
    (tmp_path / "m.onnx").chmod(0)
    done = command("repair", "m.onnx", cwd=tmp_path, preexec_fn=powerless)
    assert (done.returncode, done.stderr) == (2, "onnxfix: m.onnx: cannot be read: Permission denied\n")


SERVER = """
import os, sys, time
import onnxfix.api.repair
for line in sys.stdin:
    output, seconds = line.split()
    child = os.fork()
    if not child:
        onnxfix.repair("m.onnx", None if output == "m.onnx" else output, in_place=output == "m.onnx", verify="none")
        os._exit(0)
    if seconds != "never":
        time.sleep(float(seconds))
        os.kill(child, 9)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Server:
    """A process that has onnxfix loaded, and forks one child for each repair."""

    def __init__(self, folder: Path) -> None:
        words = [sys.executable, "-W", "ignore", "-c", SERVER]
        self.process = subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def repair(self, output: str, seconds: float | str) -> int:
        """Repair m.onnx, with kill -9 after `seconds` unless they are "never", and tell how it ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{output} {seconds}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The server in tmp_path, where m.onnx is."""
    (tmp_path / "m.onnx").write_bytes(model().SerializeToString())
    server = Server(tmp_path)
    yield server
    server.process.communicate()


def test_kill_at_any_time(server: Server, tmp_path: Path) -> None:
    killed_and_checked(server, tmp_path, 20)


@pytest.mark.fuzz
def test_kill_at_any_time_two_hundred_times(server: Server, tmp_path: Path) -> None:
    killed_and_checked(server, tmp_path, 200)


def killed_and_checked(server: Server, folder: Path, times: int) -> None:
    """Kill repairs at times spread over their duration, every fourth one of a repair in place."""
    original = (folder / "m.onnx").read_bytes()
    whole, duration = first_run(server, folder)
    random = Random(0)
    for number in range(times):
        in_place = number % 4 == 3
        server.repair("m.onnx" if in_place else "o.onnx", random.uniform(0, duration))
        found = {name: (folder / name).read_bytes() for name in names(folder)}
        assert found.pop("m.onnx") in ((original, whole) if in_place else (original,))
        assert found.pop("o.onnx", whole) == whole
        for left in found:
            assert left.startswith((".o.onnx.", ".m.onnx."))
            assert left.endswith(".onnxfix-tmp")
            (folder / left).unlink()
        (folder / "o.onnx").unlink(missing_ok=True)
        if in_place:
            (folder / "m.onnx").write_bytes(original)


def first_run(server: Server, folder: Path) -> tuple[bytes, float]:
    """The whole output, and the seconds that a repair takes."""
    started = time.monotonic()
    assert server.repair("o.onnx", "never") == 0
    duration = time.monotonic() - started
    onnx.checker.check_model(folder / "o.onnx", full_check=True)
    whole = (folder / "o.onnx").read_bytes()
    (folder / "o.onnx").unlink()
    return whole, duration


@pytest.mark.parametrize("outside", [False, True])
def test_two_runs_with_one_output(tmp_path: Path, outside: bool) -> None:
    (tmp_path / "out").mkdir()
    onnx.save(model(500), tmp_path / "m.onnx", save_as_external_data=outside, location="w.bin")
    words = [sys.executable, "-m", "onnxfix", "repair", "m.onnx", "--verify", "none", "-o", "out/o.onnx"]
    runs = [subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    assert [(run.communicate()[1], run.returncode) for run in runs] == [(b"", 0)] * 2
    onnx.checker.check_model(tmp_path / "out" / "o.onnx", full_check=True)
    repaired = load(tmp_path / "out" / "o.onnx")
    tensors = [t for t in repaired.proto.graph.initializer if t.name == "w2"]
    np.testing.assert_array_equal(repaired.array(tensors[0]), numpy_helper.to_array(model(500).graph.initializer[1]))
    expected = ["o.onnx", "o.onnx.1.data", "o.onnx.data"] if outside else ["o.onnx"]
    assert names(tmp_path / "out") == expected


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_told_to_end_cleans_up(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    (tmp_path / "m.onnx").write_bytes(model(3000).SerializeToString())
    words = [sys.executable, "-m", "onnxfix", "repair", "m.onnx", "-o", "o.onnx", "--verify", "numeric"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        while not any("onnxfix-tmp" in name for name in names(tmp_path)):
            assert run.poll() is None, run.stderr and run.stderr.read()
            time.sleep(0.01)
        run.send_signal(sent)
        told = run.communicate(timeout=60)[1]
    assert (run.returncode, told) == (code, b"")
    assert names(tmp_path) == ["m.onnx"]


def test_a_refused_result_leaves_no_weights_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    onnx.save(model(20), tmp_path / "m.onnx", save_as_external_data=True, location="w.bin")
    monkeypatch.setattr("onnxfix.api.repair.refusal", lambda _: "it is refused")
    report = onnxfix.repair(tmp_path / "m.onnx", tmp_path / "out" / "o.onnx", verify="none")
    assert (report.output, report.unwritten) == ("", "it is refused")
    assert names(tmp_path / "out") == []


def test_a_refused_model_without_a_fix_is_not_written(tmp_path: Path) -> None:
    text = '<ir_version: 8, opset_import: ["": 17]> m (string[3] x) => (string[N] y) { y = Unique(x) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    report = onnxfix.repair(tmp_path / "m.onnx", tmp_path / "o.onnx", target="rtx1.7")
    assert (report.fixes, report.output, report.verdict.outcome) == ((), "", "failed")
    assert report.unwritten.startswith("engine check: ") and not (tmp_path / "o.onnx").exists()


def test_in_place_through_a_link_replaces_the_file_it_points_at(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "m.onnx").write_bytes(model(20).SerializeToString())
    (tmp_path / "link.onnx").symlink_to("real/m.onnx")
    (tmp_path / "real" / "m.onnx").chmod(0o640)
    report = onnxfix.repair(tmp_path / "link.onnx", in_place=True, verify="none")
    assert report.output == str(tmp_path / "real" / "m.onnx")
    assert (tmp_path / "link.onnx").is_symlink()
    assert (tmp_path / "real" / "m.onnx").stat().st_mode & 0o777 == 0o640
    assert onnx.load(tmp_path / "link.onnx").graph.node[0].op_type == "Resize"
    assert names(tmp_path / "real") == ["m.onnx"]


def test_in_place_is_refused_when_the_weights_lie_beside_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    onnx.save(model(20), tmp_path / "m.onnx", save_as_external_data=True, location="w.bin")
    (tmp_path / "m.onnx").rename(tmp_path / "real" / "m.onnx")
    (tmp_path / "m.onnx").symlink_to("real/m.onnx")
    with pytest.raises(onnxfix.OnnxfixError, match=r"weights lie beside a link to it, in another folder \(use -o\)"):
        onnxfix.repair(tmp_path / "m.onnx", in_place=True, verify="none")


@pytest.mark.parametrize("verify", ["none", "numeric"])
def test_the_callers_message_is_not_changed(verify: Any, tmp_path: Path) -> None:
    proto = model(20)
    before = proto.SerializeToString()
    report = onnxfix.repair(proto, tmp_path / "o.onnx", verify=verify)
    assert report.exit_code == 0
    assert proto.SerializeToString() == before
    assert names(tmp_path) == ["o.onnx"]


def test_a_healthy_model_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { [r] y = Relu(x) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    seen: list[Callable[..., object]] = []
    monkeypatch.setattr("onnxfix.api.proof.draft", seen.append)
    assert onnxfix.repair(tmp_path / "m.onnx", verify="none").output == ""
    assert seen == []
