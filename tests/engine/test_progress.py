"""TensorRT's phases as one fraction, and real builds that tell theirs."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfix.engine import build, monitor
from onnxfix.engine.monitor import Phases

TEXT = '<ir_version: 8, opset_import: ["" : 17]> g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }'


@pytest.fixture(autouse=True)
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "INTERVAL", 0)


def test_nested_phases_share_the_step_they_are_in() -> None:
    told: list[tuple[str, float]] = []
    phases = Phases(told.append)
    phases.start("all", None, 4)
    phases.step("all", 0)
    phases.start("part", "all", 2)
    phases.step("part", 0)
    phases.finish("part")
    phases.step("all", 1)
    phases.finish("all")
    assert told == [("all", 0.0), ("all", 0.25), ("part", 0.25), ("part", 0.375), ("all", 0.5)]


def test_what_never_began_is_no_trouble() -> None:
    told: list[tuple[str, float]] = []
    phases = Phases(told.append)
    phases.step("ghost", 3)
    phases.finish("ghost")
    phases.start("all", "nobody", 0)
    phases.step("all", 5)
    assert [share for _, share in told] == [0.0, 0.0]


@given(st.lists(st.tuples(st.sampled_from("sxf"), st.sampled_from("abc"), st.integers(0, 5)), max_size=60))
def test_the_fraction_never_falls_and_stays_a_fraction(events: list[tuple[str, str, int]]) -> None:
    told: list[float] = []
    phases = Phases(lambda now: told.append(now[1]))
    phases.start("root", None, 5)
    for kind, name, number in events:
        if kind == "s":
            phases.start(name, "root", number)
        elif kind == "x":
            phases.step(name, number)
        else:
            phases.finish(name)
    assert told == sorted(told)
    assert all(0 <= share <= 1 for share in told)


def test_few_reports_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "INTERVAL", 60)
    told: list[tuple[str, float]] = []
    phases = Phases(told.append)
    phases.start("all", None, 1000)
    for index in range(1000):
        phases.step("all", index)
    assert told == [("all", 0.0)]


def test_a_real_build_tells_how_far_it_is(tmp_path: Path) -> None:
    onnx.save(onnx.parser.parse_model(TEXT), tmp_path / "m.onnx")
    told: list[tuple[str, float]] = []
    assert build(tmp_path / "m.onnx", "tensorrt_rtx", progress=told.append).built
    assert told[0] == ("Parsing", 0.0)
    assert len(told) > 1
    assert all(isinstance(name, str) and 0 <= share <= 1 for name, share in told)


def test_a_caller_that_gives_up_stops_the_build(tmp_path: Path) -> None:
    onnx.save(onnx.parser.parse_model(TEXT), tmp_path / "m.onnx")

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "m.onnx", "tensorrt_rtx", progress=stop)
    assert build(tmp_path / "m.onnx", "tensorrt_rtx").built
