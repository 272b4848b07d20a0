"""Repairs of a model with a weight file that are killed, run at once, or may not write where the model lies."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from random import Random

import onnx
import pytest
from onnx import numpy_helper

import onnxfix
from tests.reliability.test_interruptions import powerless
from tests.reliability.weighty import contents, run, saved

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file systems")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """See `saved`."""
    return saved(tmp_path)


def test_read_only_weights_and_models(model: Path) -> None:
    """They are inputs: a copy of them may be written."""
    for path in (model, model.parent / "w.bin"):
        path.chmod(0o444)
    output = model.parents[1] / "out" / "o.onnx"
    onnxfix.repair(model, output, verify="none", target="rtx1.7")
    assert output.with_name("o.onnx.data").stat().st_mode & 0o200
    assert onnx.load(output).graph.initializer


def test_two_runs_with_one_output(model: Path) -> None:
    """Each has its own weight file, and the model that is there in the end finds its own."""
    words = [sys.executable, "-m", "onnxfix", "repair", "in/m.onnx", "-o", "out/o.onnx", "--verify", "none"]
    runs = [subprocess.Popen(words, cwd=model.parents[1], stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait() for process in runs] == [0, 0, 0]
    output = model.parents[1] / "out"
    assert sorted(contents(output)) == ["o.onnx", "o.onnx.1.data", "o.onnx.2.data", "o.onnx.data"]
    (tensor,) = (t for t in onnx.load(output / "o.onnx").graph.initializer if t.name == "w")
    assert numpy_helper.to_array(tensor).all()


def test_kill_while_the_weights_are_copied(tmp_path: Path) -> None:
    """Whatever the time: the inputs intact, the output whole or absent, and no weight file without a model."""
    model = saved(tmp_path, 30_000)
    inputs, output = contents(model.parent), model.parents[1] / "out"
    words = [sys.executable, "-m", "onnxfix", "repair", "in/m.onnx", "-o", "out/o.onnx", "--verify", "none"]
    random = Random(0)
    started = time.monotonic()
    subprocess.run(words, cwd=model.parents[1], check=True, capture_output=True)
    duration = time.monotonic() - started
    for path in output.iterdir():
        path.unlink()
    for _ in range(10):
        process = subprocess.Popen(words, cwd=model.parents[1], stdout=subprocess.DEVNULL)
        time.sleep(duration * random.uniform(0.3, 1))
        process.kill()
        process.wait()
        left = {name for name in contents(output) if not name.endswith(".onnxfix-tmp")}
        assert left in (set(), {"o.onnx", "o.onnx.data"})
        if left:
            assert (output / "o.onnx.data").read_bytes() == inputs["w.bin"]
            onnx.checker.check_model(output / "o.onnx", full_check=True)
        for path in output.iterdir():
            path.unlink()
    assert contents(model.parent) == inputs


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities of Linux")
def test_a_read_only_folder(model: Path) -> None:
    """It is checked and tried there, and repaired into another one; the result beside it is refused."""
    before, folder = contents(model.parent), model.parents[1]
    for path in (*model.parent.iterdir(), model.parent):
        path.chmod(path.stat().st_mode & ~0o222)
    command = [sys.executable, "-m", "onnxfix"]
    for words, code in (
        (["check", "in/m.onnx", "--target", "rtx1.7"], 1),
        (["repair", "in/m.onnx", "--verify", "numeric", "--dry-run"], 0),
        (["repair", "in/m.onnx", "--verify", "numeric", "-o", "out/o.onnx"], 0),
        (["repair", "in/m.onnx", "--verify", "none"], 2),
        (["repair", "in/m.onnx", "--verify", "none", "--in-place"], 2),
    ):
        done = run(*command, *words, cwd=folder, preexec_fn=powerless)
        assert done.returncode == code, done.stderr
        assert ("cannot be written: Permission denied" in done.stderr) == (code == 2)
    assert contents(model.parent) == before
    assert sorted(contents(folder / "out")) == ["o.onnx", "o.onnx.data"]
