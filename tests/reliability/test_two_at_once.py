"""Two processes with one output, or one journal, at the same moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest

from onnxfix.model import load
from tests.reliability.weighty import proto_of

ROUNDS = 30

TWO = """
import os, sys
import onnxfix
import onnxfix.api.repair

onnxfix.repair(sys.argv[1], dry_run=True, verify="none", target="rtx1.7")  # what is loaded at the first repair
for line in sys.stdin:
    goal, mode = line.split()
    ready, go = os.pipe(), os.pipe()
    children = []
    for model in sys.argv[1:3]:
        if not (child := os.fork()):
            os.write(ready[1], b" ")
            os.read(go[0], 1)
            onnxfix.repair(model, goal, verify="none", target="rtx1.7", external_data=mode)
            os._exit(0)
        children.append(child)
    for _ in children:
        os.read(ready[0], 1)
    os.write(go[1], b"  ")
    print(*(os.waitpid(child, 0)[1] for child in children), flush=True)
    for end in (*ready, *go):
        os.close(end)
"""
"""Repairs two models to one goal, each in a process of its own, which begin when both are ready."""


def models(folder: Path) -> list[str]:
    """Two models with weights in files beside them: of ones and of twos, and of that name."""
    for value in (1, 2):
        (folder / str(value)).mkdir()
        proto = proto_of(300)
        proto.graph.name = str(value)
        weights = value * onnx.numpy_helper.to_array(proto.graph.initializer[0])
        proto.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w"))
        onnx.save(proto, folder / str(value) / "m.onnx", save_as_external_data=True, location="w.bin")
    return [str(folder / value / "m.onnx") for value in "12"]


def whole(path: Path) -> str:
    """The name of the model there, which has the weights of that name."""
    loaded = load(path)
    name: str = loaded.proto.graph.name
    (weights,) = (tensor for tensor in loaded.proto.graph.initializer if tensor.name == "w")
    assert (loaded.array(weights) == int(name)).all()
    assert next(node.op_type for node in loaded.proto.graph.node) == "Resize"
    return name


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("mode", ["copy", "link", "embed"])
def test_one_output_is_always_whole_and_of_one_of_both(tmp_path: Path, mode: str) -> None:
    """Also over the result of the round before."""
    winners = set()
    command = [sys.executable, "-W", "ignore", "-c", TWO, *models(tmp_path)]
    (tmp_path / "out").mkdir()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for number in range(ROUNDS):
            goal = tmp_path / "out" / f"{number // 2}.onnx"
            print(goal, mode, file=server.stdin, flush=True)
            assert server.stdout.readline() == "0 0\n"
            winners.add(whole(goal))
            files = {path.name for path in goal.parent.glob(f"*{goal.name}*")}
            assert not [name for name in files if name.endswith(".onnxfix-tmp")]
        server.communicate()
    assert winners == {"1", "2"}


def test_a_batch_that_goes_on_twice_does_each_model_once(tmp_path: Path) -> None:
    """Of two at one moment, one has the journal, and the other says so in one line and does nothing."""
    (tmp_path / "in").mkdir()
    for number in range(6):
        onnx.save(proto_of(3), tmp_path / "in" / f"{number}.onnx")
    refused = 0
    for _ in range(3):
        both = [start(tmp_path, "--retry"), start(tmp_path, "--retry")]
        ended = [(process.returncode, *texts) for process in both if (texts := process.communicate(timeout=120))]
        said = [error for code, _, error in ended if code]
        assert all(
            error == "onnxfix: j.jsonl: another batch writes this journal (wait for it, or name another file)\n"
            for error in said
        )
        assert len(said) <= 1
        refused += len(said)
        lines = (tmp_path / "j.jsonl").read_text().splitlines()
        assert len(lines) == 6
    assert refused >= 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{number}.onnx" for number in range(6)]


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    words: Sequence[str] = ("repair", "in", "-o", "out", "--verify", "none", "--target", "rtx1.7", "--jobs", "1")
    command = [sys.executable, "-m", "onnxfix", *words, "--journal", "j.jsonl", *more]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
