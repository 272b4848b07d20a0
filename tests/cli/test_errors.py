"""Every failure is one line and an exit code, never a traceback."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from outside import Command

import onnxfix as package
from onnxfix.cli import app


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "onnxfix: error: name a command"),
        (["mend"], "onnxfix: error: no command is called mend"),
        (["repair"], "onnxfix repair: error: the following arguments are required: MODEL"),
        (["check", "a.onnx", "--bogus\x1b[31m"], r"onnxfix check: error: unrecognized arguments: --bogus\x1b[31m"),
        (["repair", "a", "--verify", "x"], "argument --verify: invalid choice: 'x'"),
        (["repair", "a", "-o", "b", "--in-place"], "argument --in-place: not allowed with argument -o/--output"),
        (["repair", "absent.onnx"], "onnxfix: absent.onnx: no such file"),
        (["repair", "a\x1b]31m\nb.onnx"], r"onnxfix: a\x1b]31m b.onnx: no such file"),
        (
            ["check", "a.onnx", "--select", "nonsense"],
            "onnxfix: no rule is called 'nonsense' (`onnxfix rules` lists them)",
        ),
        (["check", "a.onnx", "--rules", "absent"], "onnxfix: absent: no such folder of rules"),
        (["rules", "upsample-opp"], "onnxfix: no rule is called 'upsample-opp' (upsample-op"),
        (["rules", "new", "Bad Name"], "onnxfix: 'Bad Name' is no name of a rule"),
        (["show", "/"], "onnxfix: /: is a folder, not an ONNX file"),
    ],
)
def test_bad_usage(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert app.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err.splitlines()[-1]


def test_a_bug_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def bug(words: list[str]) -> int:
        raise KeyError(f"oops\x1b{len(words)}")

    monkeypatch.setattr(app, "_run", bug)
    monkeypatch.delenv("ONNXFIX_TRACEBACK", raising=False)
    assert app.main([]) == 2
    assert capsys.readouterr().err == (
        r"onnxfix: KeyError: 'oops\x1b0' (run with ONNXFIX_TRACEBACK=1 for details)" + "\n"
    )
    monkeypatch.setenv("ONNXFIX_TRACEBACK", "1")
    assert app.main([]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_help_and_version_load_nothing_heavy() -> None:
    for argument in ("--help", "--version"):
        done = _traced(argument)
        loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
        assert done.returncode == 0
        assert loaded.isdisjoint({"onnx", "numpy", "rich", "google.protobuf", "yaml"})
    assert _traced("--version").stdout == f"onnxfix {package.__version__}\n"


def _traced(argument: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "importtime", "-m", "onnxfix", argument]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_interrupt_is_quiet() -> None:

    command = [sys.executable, "-c", _WAITING]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (130, "", "")


_WAITING = """
import sys, time
from onnxfix.cli import app
def wait(words):
    print("ready", flush=True)
    time.sleep(30)
app._run = wait
sys.exit(app.main([]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "onnxfix", "rules"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


TARGET = ("--target", "rtx1.7")
REPORTS = [
    ("--version",),
    ("check", "--help"),
    ("rules",),
    ("rules", "--format", "json"),  # more than a buffer holds
    ("show", "well.onnx"),
    ("check", "well.onnx", "--static", *TARGET),
    ("check", "well.onnx", "--static", "--format", "sarif", *TARGET),
    ("check", "well.onnx", "well.onnx", "well.onnx", "--static", "--format", "jsonl", *TARGET),
    ("diff", "well.onnx", "well.onnx"),
    ("diff", "well.onnx", "other.onnx", "--format", "json"),
    ("repair", ".", "-o", "out", "--format", "jsonl", "--jobs", "1", "--verify", "none", *TARGET),
]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", REPORTS, ids=" ".join)
@pytest.mark.parametrize("output", [">/dev/full", ">&-", "<&- >&-"])
def test_a_report_that_is_not_written_is_one_line_and_a_failure(
    folder: Path, output: str, arguments: tuple[str, ...]
) -> None:
    shutil.copy(folder / "well.onnx", folder / "other.onnx")
    done = in_shell(folder, output, *arguments)
    reason = "No space left on device (make room" if "full" in output else "it is closed (send it"
    assert done.returncode == 2
    assert done.stderr.startswith(f"onnxfix: standard output: the report cannot be written: {reason}")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("output", [">/dev/full", ">&-"])
def test_without_a_report_no_output_is_needed(folder: Path, output: str) -> None:
    done = in_shell(folder, output, "diff", "-q", "well.onnx", "well.onnx")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("output", ["2>/dev/full", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_a_failure_that_cannot_be_told_keeps_its_exit_code(folder: Path, output: str) -> None:
    assert in_shell(folder, output, "check", "absent.onnx").returncode == 2
    assert in_shell(folder, output, "show", "well.onnx").returncode == (0 if output.startswith("2") else 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(("signal_", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interruption_keeps_its_exit_code_when_the_disk_is_full(tmp_path: Path, signal_: str, code: int) -> None:
    script = f"""
import os, signal, sys
from onnxfix.cli import app
app._run = lambda words: (print("half a report"), os.kill(os.getpid(), signal.{signal_}), signal.pause())
sys.exit(app.main([]))
"""
    with Path("/dev/full").open("wb") as full:
        words = [sys.executable, "-c", script]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stderr) == (code, b"")


def in_shell(folder: Path, output: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command with its streams as a shell redirects them."""
    script = f"exec {shlex.join([sys.executable, '-m', 'onnxfix', *arguments])} {output}"
    environment = {**os.environ, "ONNXFIX_CACHE": str(folder / "cache")}
    return subprocess.run(
        ["sh", "-c", script], cwd=folder, env=environment, stderr=subprocess.PIPE, timeout=60, text=True
    )


def test_output_in_an_old_encoding(onnxfix: Command) -> None:
    done = onnxfix("show", "well.onnx", "--format", "json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["operators"] == {"Relu": 1}
    page = onnxfix("check", "absent\u2026.onnx", PYTHONIOENCODING="ascii")
    assert page.stderr == "onnxfix: absent\\u2026.onnx: no such file\n"
