"""A search that was killed goes on where it was; a terminal shows how far it is."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from benchmarks.planted import network

PROGRAM = [sys.executable, "-m", "onnxfix", "reduce"]
CHECK = """import sys, time
time.sleep(0.1)
data = open(sys.argv[1], "rb").read()
sys.exit(b"Erf" in data and b"Sin" in data)
"""


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A reduce that takes a while, of 60 nodes to the 2 that fail together."""
    onnx.save(network(60, {7: "Erf", 45: "Sin"}, 0), tmp_path / "m.onnx")
    check = shlex.join([sys.executable, "-S", "-c", CHECK])
    return [*PROGRAM, str(tmp_path / "m.onnx"), "--check", check, "-o", str(tmp_path / "small.onnx")]


def test_a_search_that_was_killed_goes_on(words: list[str], tmp_path: Path) -> None:
    answers = tmp_path / "small.onnx.search.json"
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if answers.exists() and len(json.loads(answers.read_text())["answers"]) >= 5:
                break
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    known = len(json.loads(answers.read_text())["answers"])
    assert known >= 5 and not (tmp_path / "small.onnx").exists()
    done = subprocess.run([*words, "--format", "json"], capture_output=True, text=True, timeout=300)
    report = json.loads(done.stdout)
    assert (done.returncode, report["nodes"]) == (0, 2)
    assert report["recalled"] >= known - 1  # the first candidate is asked anew
    assert sorted(path.name for path in tmp_path.iterdir() if "tmp" not in path.name) == ["m.onnx", "small.onnx"]


def _said(master: int) -> Iterator[str]:
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:  # the other end is closed
            return
        if not data:
            return
        yield data.decode(errors="replace")


def test_a_terminal_shows_the_current_size(words: list[str]) -> None:
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True)
    os.close(slave)
    text = "".join(_said(master))
    assert process.wait() == 0
    sizes = [int(size) for size in re.findall(r"checks, (\d+) of 60 nodes left", text)]
    shares = [int(share) for share in re.findall(r"(\d+)%", text)]
    assert len(set(sizes)) > 3 and min(sizes) <= 4 and sizes == sorted(sizes, reverse=True)
    assert len(set(shares)) > 3 and shares == sorted(shares)
    assert "60 nodes -> 2" in text
