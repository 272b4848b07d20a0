"""What reaches standard output and standard error, on a terminal and elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onnxfix.report import json as report_json
from onnxfix.report import terminal
from onnxfix.report.text import visible

LONG = "[red]:smile: 12 'a' " + "x" * 300

WRITE = "from onnxfix.report.terminal import write; write([(('bold text', 'bold red'), ' [red] plain ' + 'y' * 200)])"

PROGRESS = """
import time
from onnxfix.report import terminal
terminal.PATIENCE = 0.1
with terminal.progress() as tell:
    tell("quick")
    tell("comparing [red] numbers")
    time.sleep(0.6)
    tell("building")
    time.sleep(0.3)
print("done")
"""

BAR = """
import time
from onnxfix.report import terminal
with terminal.bar() as tell:
    tell(("Timing [red] tactics", 0.25))
    time.sleep(0.3)
print("done")
"""


def test_a_terminal_shows_how_far_a_build_is() -> None:
    printed = on_a_terminal(BAR)
    assert "25%" in printed
    assert "Timing [red] tactics" in printed
    assert printed.rstrip().endswith("done")


def test_elsewhere_a_build_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.bar() as tell:
        tell(("Timing", 0.5))
    assert capsys.readouterr() == ("", "")


def test_elsewhere_lines_are_plain_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.write([((LONG, "bold red"),), ("next",)])
    assert capsys.readouterr().out == f"{LONG}\nnext\n"


@given(text=st.text(), style=st.sampled_from(["", "bold red"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_plain_lines_are_those_of_rich(text: str, style: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = ("[red]", (visible(text), style), " :smile: ", (visible(text, 9), "dim"))
    terminal.write([line])
    plain = capsys.readouterr().out
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTY_COMPATIBLE", "0")
        terminal.write([line])
    assert capsys.readouterr().out == plain


def test_elsewhere_progress_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress() as tell:
        tell("reading")
    assert capsys.readouterr() == ("", "")


def on_a_terminal(code: str, **environment: str) -> str:
    """What a Python program prints on a terminal of 80 columns."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    clean = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**clean, "TERM": "xterm-256color", "COLUMNS": "80", **environment},
    ) as child:
        os.close(slave)
        printed = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # Linux says so when the last writer is gone
                break
            if not part:
                break
            printed += part
    os.close(master)
    assert child.returncode == 0
    return printed.decode()


def test_a_terminal_gets_colours_and_wrapped_lines() -> None:
    printed = on_a_terminal(WRITE)
    assert printed.startswith("\x1b[1;31mbold text\x1b[0m [red] plain ")
    assert max(map(len, printed.replace("\x1b[1;31m", "").replace("\x1b[0m", "").splitlines())) <= 80


def test_no_color_is_obeyed() -> None:
    assert "\x1b[31m" not in on_a_terminal(WRITE, NO_COLOR="1")
    assert "31m" not in on_a_terminal(WRITE, NO_COLOR="1")


def test_progress_appears_on_a_terminal_after_a_while() -> None:
    printed = on_a_terminal(PROGRESS)
    assert "comparing [red] numbers …" in printed
    assert "building …" in printed
    assert "quick" not in printed
    assert printed.rstrip().endswith("done")
    assert "building" not in on_a_terminal(PROGRESS.replace("= 0.1", "= 60.0"))


def test_json_is_strict_and_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"b": [float("inf"), 1.5, {"x": float("nan")}], "a": ("\x1b", "é", None, True, 2**70)}
    report_json.write(document)
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "\x1b" not in printed
    read = json.loads(printed)
    assert read == {"b": ["inf", 1.5, {"x": "nan"}], "a": ["\x1b", "é", None, True, 2**70]}
    assert list(read) == ["b", "a"]


def test_every_json_field_is_documented() -> None:
    from dataclasses import fields

    from onnxfix import engine_records as reports
    from onnxfix import records
    from onnxfix.api import doctor
    from onnxfix.engine import records as engine_records
    from onnxfix.engine import sidecar, tensors
    from onnxfix.model import facts

    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    kinds = [
        *(records.CheckReport, records.RepairReport, records.ModelSummary, records.Diagnostic, records.AppliedFix),
        *(records.Withheld, records.Check, records.Verdict),
        *(facts.Facts, facts.ValueFacts, facts.WeightFacts, facts.ScopeFacts),
        *(reports.PlanReport, sidecar.Sidecar, sidecar.FileFacts, tensors.IoTensor, engine_records.Layer),
        *(engine_records.EngineError, engine_records.Flavour, doctor.DoctorReport, doctor.Finding),
    ]
    for kind in kinds:
        for field in fields(kind):
            assert f"`{field.name}`" in page, f"{kind.__name__}.{field.name}"
