"""What is shown while a batch runs: a table on a terminal, a line now and then elsewhere, nothing in the output."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from batch_runs import QUICK, save, start

from onnxfix.batch.run import Done
from onnxfix.batch.task import Task
from onnxfix.report import batch
from onnxfix.report.batch import Progress, progress, summary_lines

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(process: subprocess.Popen[str], terminal: int) -> str:
    """What a process shows on a terminal that is its standard error, without the codes."""
    shown = bytearray()
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:
            break
        if not part:
            break
        shown += part
    process.wait(timeout=60)
    return _CODES.sub("", shown.decode())


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
@pytest.mark.parametrize("form", ["jsonl", "text"])
def test_a_table_on_a_terminal(folder: Path, form: str) -> None:
    import pty

    save(folder, *(f"nets/slow{number}.onnx" for number in range(12)))
    terminal, other = pty.openpty()
    environment = {"COLUMNS": "150", "TERM": "xterm-256color"}
    arguments = ("repair", "nets", *QUICK, "--dry-run", "--format", form, "--jobs", "2", "--memory", "2GB")
    with (folder / "out.txt").open("w") as output:
        process = start(folder, *arguments, stdout=output, stderr=other, env=environment)
    os.close(other)
    shown = on_terminal(process, terminal)
    os.close(terminal)
    assert process.returncode == 0
    assert re.search(r"\d+ of 12 models: \d+ repairable; \d+\.\d a (second|minute), 0:00:\d\d left", shown)
    assert re.search(r"; memory \d+\.\d MB of 2\.0 GB", shown)
    row = r"nets/slow\d+.onnx +(starting|repairing|reading the model) +\d s\s*"
    assert re.search(rf"━\s*\n{row}\n{row}", shown)
    text = (folder / "out.txt").read_text()
    if form == "jsonl":
        assert {json.loads(line)["outcome"] for line in text.splitlines()} == {"repairable"}
        assert "12 models: 12 repairable" in shown
    else:
        assert text.count("would be repaired (OFX001)") == 12
        assert "12 models: 12 repairable" in text
    assert "\x1b" not in text
    assert " of 12 models" not in text


def test_a_line_now_and_then_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(batch, "SECONDS", 0.05)
    with progress(9, 10**9) as shown:
        for number in range(3):
            shown.add(done(number))
        shown.add(done(3, outcome="failed"))
        time.sleep(0.4)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"^onnxfix: 4 of 9 models: 3 ready, 1 failed; \d+\.\d a second, 0:00:\d\d left$", err, re.M)
    time.sleep(0.2)
    assert capsys.readouterr().err == ""


def done(number: int, now: bool = True, **more: object) -> Done:
    task = Task(f"{number}.onnx", "check")
    line = {"key": task.key, "place": task.place, "outcome": "ready", "seconds": float(number), **more}
    return Done(number, line, now)


def test_the_summary_counts_what_happened() -> None:
    shown = Progress(6, 0)
    for number in range(4):
        shown.add(done(number))
    shown.add(done(9, now=False))
    fixes = [{"code": "OFX001"}, {"code": "OFX001"}, {"code": "OFX301"}]
    shown.add(done(5, outcome="repaired", report={"fixes": fixes}))
    lines = ["".join(part if isinstance(part, str) else part[0] for part in line) for line in summary_lines(shown)]
    assert lines[0].startswith("6 models: 1 repaired, 5 ready, 1 known before   ")
    assert lines[1:] == ["Slowest: 5.onnx 5.0 s, 3.onnx 3.0 s, 2.onnx 2.0 s", "Rules applied: OFX001 in 1, OFX301 in 1"]


def test_names_from_strangers_are_harmless() -> None:
    shown = Progress(1, 0)
    shown.add(done(1, place="\x1b[2J.onnx"))
    shown.add(done(2, place="b.onnx"))
    assert "\x1b" not in str(list(summary_lines(shown)))
