"""The benchmark of speed: what it measures, what it keeps, and what it says of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import onnx
import pytest

from benchmarks import measure, speed_models, speed_page, speed_tools
from benchmarks.measure import Limits, Run, in_turns, last_line, measured
from benchmarks.speed_results import Entry, Results
from onnxfix import sandbox

PAGE = Path(__file__).parents[1] / "docs" / "speed.md"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark reads /proc")


def python(script: str, limits: Limits | None = None) -> Run:
    return measured([sys.executable, "-c", script], limits or Limits())


def test_the_memory_and_the_time_of_children_count() -> None:
    child = "x = bytearray(150_000_000)\nimport time\nwhile time.process_time() < 0.4: pass"
    run = python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print('done')")
    assert (run.end, run.last_line) == ("exit 0", "done")
    assert run.cpu > 0.25
    assert 1.5e8 < run.peak < 5e8


@pytest.mark.parametrize(
    ("script", "limits", "end"),
    [
        ("import time; time.sleep(60)", Limits(0.3), "killed at 0.3 s"),
        ("x = bytearray(10**9)\nimport time; time.sleep(60)", Limits(60, 4e8), "killed at 0.4 GB"),
        ("raise SystemExit(3)", Limits(), "exit 3"),
        ("import os; os.abort()", Limits(), "SIGABRT"),
    ],
)
def test_how_a_run_ends(script: str, limits: Limits, end: str) -> None:
    run = python(script, limits)
    assert run.end == end
    assert run.killed is end.startswith("killed")
    assert run.wall < 30


def test_a_killed_run_takes_its_children_along(tmp_path: Path) -> None:
    tell = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))"
    child = f"{tell}; x = bytearray(10**9); time.sleep(60)"
    start = f"subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)"
    run = python(f"import subprocess, sys, time; {start}; time.sleep(60)", Limits(60, 4e8))
    assert run.end == "killed at 0.4 GB"
    stat = Path("/proc", (tmp_path / "pid").read_text(), "stat")
    deadline = time.monotonic() + 20
    while running(stat) and time.monotonic() < deadline:  # to give a gigabyte back takes a moment
        time.sleep(0.02)
    assert not running(stat)


def running(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (b"one\n\x1b[1;32mtwo\x1b[0m  three\n-----\n\n", "two three"),
        (b"", ""),
        (b"\xff\xfe\x07", ""),
        (b"x" * 1000, "x" * 400),
    ],
)
def test_the_last_line_that_says_something(output: bytes, line: str) -> None:
    assert last_line(output) == line


def test_commands_take_turns_and_a_killed_one_has_no_second(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def pretend(command: list[str], *_: object) -> Run:
        ran.append(command[0])
        return Run(40.0 if command == ["slow"] else 1.0, 1.0, 1.0, "killed at 9 s" if command == ["bad"] else "exit 0")

    monkeypatch.setattr(measure, "measured", pretend)
    commands = {name: [name] for name in ("good", "bad", "slow")}
    found = in_turns(commands, 3, Limits(), patience=60.0)
    assert ran == ["good", "bad", "slow", "good", "slow", "good"]
    assert {name: len(runs) for name, runs in found.items()} == {"good": 3, "bad": 1, "slow": 2}


def entry(row: str, size: int, tool: str, wall: float, *, cpu: float = 1.0, peak: float = 1e8, **more: str) -> Entry:
    return Entry(row, size, tool, (wall,), (cpu,), (peak,), more.get("end", "exit 0"), made=more.get("made", ""))


def test_figures_are_kept_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    results = Results(versions={"onnx": "1.0"})
    results.add("nodes", 200, "onnxsim", [Run(1.0, 2.0, 3.0, "exit 0", "said")], "5 nodes, valid")
    results.add("nodes", 2000, "onnxslim", [Run(1.0, 2.0, 3.0, "killed at 9 s")], "")
    results.save(file)
    kept = Results.load(file)
    assert kept == results
    kept.add("nodes", 200, "onnxsim", [Run(4.0, 2.0, 3.0, "exit 0"), Run(6.0, 2.0, 3.0, "exit 0")], "")
    assert [(e.tool, e.seconds) for e in kept.of("nodes")] == [("onnxsim", 5.0), ("onnxslim", 1.0)]
    assert kept.killed("nodes", "onnxslim", 20_000) == "killed at 9 s on 2,000 nodes"
    assert kept.killed("nodes", "onnxslim", 2000) == kept.killed("nodes", "onnxsim", 20_000) == ""
    assert Results.load(tmp_path / "absent.json") == Results()


def test_a_goal_is_met_or_not() -> None:
    own = [
        entry("nodes", size, "onnxfix", 1.0, cpu=cpu, made="7 nodes, valid")
        for size, cpu in ((20_000, 1), (200_000, 13))
    ]
    peers = [
        entry("nodes", 20_000, "onnxsim", 4.0, cpu=4.0, made="7 nodes, valid"),
        entry("nodes", 20_000, "onnxslim", 0.1, made="7 nodes, invalid: x"),
        entry("nodes", 20_000, "onnxoptimizer", 0.5, made="9 nodes, valid"),
    ]
    found = [(goal, measured, met) for _, goal, measured, met in speed_page.goals(Results([*own, *peers]))]
    assert found == [
        ("1 times the time of onnxsim", "0.25 times", True),
        ("1.2 times the time of onnxoptimizer", "2.00 times", False),
        ("0.5 times the CPU time of onnxsim", "0.25 times", True),
        ("12 times the CPU time", "13.0 times", False),
    ]


def test_a_peer_that_was_killed_needs_as_much_and_more() -> None:
    own = entry("weights", 2 * 10**9, "onnxfix", 1.0, peak=3e8, made="7 nodes, valid")
    peer = entry("weights", 2 * 10**9, "onnxsim", 20.0, end="killed at 14 GB")
    found = [(measured, met) for *_, measured, met in speed_page.goals(Results([own, peer]))]
    assert found == [("0.15 times", False), ("20 times and better: it was killed at 14 GB", True)]


def test_the_page_has_a_place_for_every_table_and_loses_nothing() -> None:
    made = [
        entry("sparse", 10**11, "onnxsim", 1.0, end="SIGSEGV"),
        entry("help", 0, "onnxfix", 0.03),
    ]
    page = PAGE.read_text()
    for name, lines in speed_page.tables(Results(made, {"onnx": "1.0"})).items():
        page = speed_page.replaced(page, name, lines)
    assert "| onnxsim | 1.00 s | 1.00 s | 100 MB | SIGSEGV: nothing written |" in page
    assert "| `--help` | 0.15 s | 0.03 s | met |" in page
    assert page.count("<!-- end -->") == PAGE.read_text().count("<!-- end -->") == 8
    with pytest.raises(ValueError, match="the page does not have the marker 'other' once"):
        speed_page.replaced(page, "other", [])


def test_the_models_are_valid_and_have_work_to_do(tmp_path: Path) -> None:
    import onnxfix

    path = speed_models.node_model(tmp_path, 100)
    onnx.checker.check_model(str(path), full_check=True)
    nodes = len(onnx.load(path).graph.node)
    report = onnxfix.repair(path, tmp_path / "fixed.onnx", target="rtx1.7", verify="none")
    assert (nodes, report.after.nodes) == (91, 64)


def test_a_sparse_file_has_a_size_and_no_content(tmp_path: Path) -> None:
    path = speed_models.weight_model(tmp_path, 3 * 10**9, sparse=True)
    facts = path.with_suffix(".data").stat()
    assert facts.st_size == 3 * 16384 * 16384 * 4
    assert facts.st_blocks * 512 < 1_000_000
    onnx.checker.check_model(str(path), full_check=True)


def test_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    call = "benchmarks.speed_tools:written"
    assert sandbox.default().call(call, str(path)) == ""
    model = speed_models.blocks(20)
    onnx.save(model, path)
    assert sandbox.default().call(call, str(path)) == "11 nodes, valid"
    model.graph.node[0].op_type = "Nothing"
    onnx.save(model, path)
    assert sandbox.default().call(call, str(path)).startswith("11 nodes, invalid: ")


def test_a_tool_that_is_not_installed_has_no_command() -> None:
    assert speed_tools.found(["no-such-tool-anywhere", "x"]) == []
    assert list(speed_tools.helps(())) == ["onnxfix"]
