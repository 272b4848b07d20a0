"""The target's own library answers within the time that a check gives it, or rules and facts answer alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import pytest

import onnxfix
from onnxfix import sandbox
from onnxfix.api import asking
from onnxfix.batch.checking import Checking
from onnxfix.batch.task import Task
from onnxfix.cli.app import main
from onnxfix.engine import EngineError, Flavour
from onnxfix.engine import build as real_build
from onnxfix.engine.records import BUILDING, PARSING, Stage
from onnxfix.records import Check
from onnxfix.report import annotations, checks, console, junit, matrix, sarif

TEXT = """<ir_version: 8, opset_import: ["" : 11]>
g (float[1,1,2,2] x) => (float[1,1,2,2] y) <float[4] ones = {1, 1, 1, 1}>
{ t = Upsample (x, ones) y = Foo (t) }"""
FLAVOUR = Flavour("tensorrt_rtx", "1.7.1")


class Target:
    """In the place of the library: every answer takes `takes` seconds of `clock`, or as many as it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes: float, stage: Stage) -> None:
        self.takes, self.stage, self.clock = takes, stage, 0.0
        self.limits: list[float] = []
        monkeypatch.setattr(asking, "is_installed", lambda _: True)
        monkeypatch.setattr(asking, "verify_engine", self.verify)
        monkeypatch.setattr(asking, "time", self)

    def monotonic(self) -> float:
        return self.clock

    def verify(self, _path: Path, *, target: object, timeout: float, run: bool) -> Check:
        assert target and not run
        self.limits.append(timeout)
        self.clock += min(self.takes, timeout)
        late = self.takes > timeout
        code, outcome = ("TIMEOUT", "timeout") if late else ("BUILDER", "build_failed")
        error = EngineError(code, "no", op_type="" if late else "Foo", stage=self.stage if late else "build")
        details = {"outcome": outcome, "flavour": asdict(FLAVOUR), "errors": [asdict(error)]}
        return Check("engine", "not_verified" if late else "failed", "no", details)


Made = Callable[..., Target]


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Made:
    return lambda takes, stage="build": Target(monkeypatch, takes, stage)


def checked(**settings: Any) -> onnxfix.CheckReport:
    return onnxfix.check(onnx.parser.parse_model(TEXT), target="rtx1.7", **settings)


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("build", "the parser of TensorRT-RTX 1.7.1 takes the model, its builder gave no answer within 20 s; "),
        ("parse", "the parser of TensorRT-RTX 1.7.1 gave no answer within 20 s; "),
    ],
)
def test_rules_and_facts_answer_alone_when_the_time_is_up(target: Made, stage: Stage, said: str) -> None:
    library = target(1000, stage)
    report, static = checked(ask_limit=20), checked(ask_target=False)
    assert library.limits == [20]
    assert (report.asked, report.diagnostics, report.state) == ("", static.diagnostics, static.state)
    assert any(item.code == "OFX001" for item in report.diagnostics)
    rest = "what is told here comes of rules and facts (--ask-limit SECONDS lets it take longer)"
    assert report.notes == (said + rest,)


def test_all_questions_about_a_model_share_the_time(target: Made) -> None:
    library = target(15)
    report = checked(ask_limit=20)
    assert library.limits == [20, 5]  # the model as it is, and what its repair comes to
    assert report.asked == "TensorRT-RTX 1.7.1"
    assert library.clock == 20


def test_no_time_means_not_asked(target: Made) -> None:
    library = target(1)
    assert checked(ask_limit=0) == checked(ask_target=False)
    assert not library.limits


def test_every_format_tells_the_note(target: Made) -> None:
    target(1000)
    report = checked(ask_limit=20)
    note = report.notes[0]
    assert note in json.dumps(sarif.document([report], []))
    told = "".join(
        str(part) for line in (*console.check_lines(report), *matrix.matrix_lines([report])) for part in line
    )
    assert told.count(note) == 2
    assert note in annotations.text([report], []) and note in junit.text([report], [])
    assert "gave no answer within 20 s" in checks.markdown([report], [])
    assert note in json.dumps(checks.document([report], []))


def test_a_report_is_kept_for_the_time_that_it_was_given(target: Made, tmp_path: Path) -> None:
    library = target(30)
    onnx.save(onnx.parser.parse_model(TEXT), tmp_path / "m.onnx")
    asked = [
        Checking(("rtx1.7",), cache=str(tmp_path / "kept"), ask_limit=seconds).reports(tmp_path / "m.onnx", str)[0]
        for seconds in (20, 100, 20)
    ]
    assert [report.asked for report in asked] == ["", "TensorRT-RTX 1.7.1", ""]
    assert library.limits == [20, 100, 70]


@pytest.mark.parametrize(("phases", "stage"), [((), "parse"), ((PARSING,), "parse"), ((PARSING, BUILDING), "build")])
def test_a_timeout_says_whether_the_parser_was_done(
    phases: tuple[str, ...], stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        def call(self, *_: object, progress: Callable[[object], object], **__: object) -> None:
            for phase in phases:
                progress((phase, 0.0))
            raise sandbox.SandboxTimeout("f", 3)

    monkeypatch.setattr(sandbox, "default", Slow)
    monkeypatch.setattr("onnxfix.engine.api.choose", lambda _: FLAVOUR)
    (tmp_path / "m.onnx").touch()
    result = real_build(tmp_path / "m.onnx", timeout=3)
    assert (result.outcome, result.errors[0].stage) == ("timeout", stage)


@pytest.mark.parametrize(
    ("models", "options", "limit"),
    [
        (1, (), 300),
        (2, (), 300),
        (1, ("--time-limit", "10"), 300),
        (2, ("--time-limit", "10"), 5),
        (2, ("--ask-limit", "3"), 3),
    ],
)
def test_rules_and_facts_answer_before_a_model_of_a_batch_is_stopped(
    models: int, options: tuple[str, ...], limit: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--time-limit ends the work on a model; the library it asks gets no more than half of that."""
    tasks: list[Task] = []

    @contextmanager
    def recorded(_: object, given: list[Task], __: object) -> Iterator[tuple[Iterator[object], None]]:
        tasks.extend(given)
        yield iter(()), None

    monkeypatch.setattr("onnxfix.cli.check.batch", recorded)
    for number in range(models):
        onnx.save(onnx.parser.parse_model(TEXT), tmp_path / f"{number}.onnx")
    assert main(["check", str(tmp_path), *options]) == 0
    assert [task.settings["ask_limit"] for task in tasks] == [limit] * models


def test_a_limit_that_is_no_number_of_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("soon", "-1", "inf", "nan"):
        assert main(["check", "m.onnx", "--ask-limit", text]) == 2
        assert f"'{text}' is not a number of seconds" in capsys.readouterr().err
