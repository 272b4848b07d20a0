"""Checks that users bring: some fail for everything, some now and then, some leave programs behind."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

import onnx
import pytest

import onnxfix
from benchmarks.planted import network
from onnxfix.errors import OnnxfixError
from onnxfix.isolate.command import Command
from onnxfix.model import load

READ = "import os, sys, onnx\nbad = any(n.op_type == 'Erf' for n in onnx.load(sys.argv[1]).graph.node)\n"


def program(folder: Path, text: str) -> str:
    """The command that runs a program with the model."""
    file = folder / "check.py"
    file.write_text(READ + text)
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(file))} {{model}}"


def left(file: Path) -> list[str]:
    return [node.name for node in onnx.load(file).graph.node]


@pytest.mark.parametrize("match", ["", "always"])
def test_a_check_that_fails_for_everything_finds_nothing(tmp_path: Path, match: str) -> None:
    check = program(tmp_path, "sys.exit('always')")
    with pytest.raises(OnnxfixError, match="fails for every model, in the same way for a single node"):
        onnxfix.reduce(network(20, {9: "Erf"}, 0), tmp_path / "o.onnx", check=check, match=match)
    assert not list(tmp_path.glob("o.onnx*"))


def test_a_single_node_that_is_refused_is_no_such_check(tmp_path: Path) -> None:
    check = program(tmp_path, "sys.exit(4 if bad else 0)")
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) { y = Erf(x) }'
    )
    assert onnxfix.reduce(model, tmp_path / "o.onnx", check=check).nodes == 1


def test_another_exception_is_another_failure(tmp_path: Path) -> None:
    """The last value is gone in most candidates: that is a KeyError of the check, and not what is looked for."""
    model = network(20, {9: "Erf"}, 0)
    last = model.graph.output[0].name
    check = program(tmp_path, f"{{o.name: o for o in onnx.load(sys.argv[1]).graph.output}}[{last!r}]\nassert not bad")
    report = onnxfix.reduce(model, tmp_path / "o.onnx", check=check)
    assert "n9" in left(tmp_path / "o.onnx") and "AssertionError" in report.failure


def test_a_failure_that_comes_and_goes(tmp_path: Path) -> None:
    """It is seen in every second run of the check only."""
    count = tmp_path / "count"
    every_second = (
        f"open({str(count)!r}, 'a').write('x')\nsys.exit(3 if bad and os.path.getsize({str(count)!r}) % 2 else 0)"
    )
    report = onnxfix.reduce(
        network(30, {9: "Erf"}, 0), tmp_path / "o.onnx", check=program(tmp_path, every_second), repeat=2
    )
    assert left(tmp_path / "o.onnx") == ["n9"] and not report.complaint and report.exit_code == 0


def test_a_result_that_does_not_fail_again_is_told(tmp_path: Path) -> None:
    """The check fails for what a candidate is called, which the result is not."""
    check = program(tmp_path, "sys.exit(3 if bad and 'candidate' in sys.argv[1] else 0)")
    report = onnxfix.reduce(network(10, {4: "Erf"}, 0), tmp_path / "o.onnx", check=check)
    assert report.exit_code == 1 and "it did not fail" in report.complaint and "--repeat" in report.complaint


def test_what_a_check_starts_ends_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = f"sleep 60 & echo $! > {note}; sleep 60"
    onnx.save(network(3, {}, 0), tmp_path / "m.onnx")
    answer = Command(("sh", "-c", script), timeout=1.0)(tmp_path / "m.onnx", load(tmp_path / "m.onnx"))
    assert answer.sign == "timeout"
    until = time.monotonic() + 20
    while _runs(int(note.read_text())) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(int(note.read_text()))


def _runs(process: int) -> bool:
    """Whether it is there, and no zombie."""
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("place", ["{}", "{model}", "--onnx={}", ""])
def test_where_the_model_stands(tmp_path: Path, place: str) -> None:
    words = ("sh", "-c", 'echo "$@"; exit 1', "sh", *filter(None, [place]))
    answer = Command(words)(tmp_path / "m.onnx", load(network(3, {}, 0)))
    assert answer.message.endswith(f"{tmp_path / 'm.onnx'}") and "{" not in answer.message


def test_answers_of_another_program_do_not_count(tmp_path: Path) -> None:
    check = program(tmp_path, "sys.exit(3)")
    command = Command(tuple(shlex.split(check)))
    before = command.state()
    os.utime(tmp_path / "check.py", (1, 1))
    assert before and command.state() != before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"match": "("}, "is no regular expression"),
        ({"timeout": -1.0}, "is no time to wait"),
        ({"timeout": float("nan")}, "is no time to wait"),
        ({"repeat": 0}, "runs no check"),
    ],
)
def test_senseless_options(tmp_path: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(OnnxfixError, match=said):
        onnxfix.reduce(network(3, {}, 0), tmp_path / "o.onnx", check="false", **options)  # type: ignore[arg-type]


def test_why_numbers_cannot_be_compared(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[1] x) => (float[1] y) { y = own.Op(x) }'
    )
    with pytest.raises(OnnxfixError, match=r"own:Op.* is not a registered"):
        onnxfix.reduce(model, tmp_path / "o.onnx", check="numeric")


def test_where_a_node_was(tmp_path: Path) -> None:
    head = '<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[2] x, bool c) => (float[2] y) '
    body = "then_branch = t () => (float[2] u) { p = Neg(x) q = Erf(p) u = Abs(q) },"
    body += "else_branch = e () => (float[2] v) { v = Neg(x) }"
    function = ' { a = own.f(x) y = Neg(a) } <domain: "own", opset_import: ["" : 17]>'
    function += " f (m) => (n) { p = Neg(m) q = Erf(p) n = Abs(q) }"
    for text, place in ((f"{{ y = If(c) <{body}> }}", "If_y/then_branch"), (function, "function own.f")):
        report = onnxfix.reduce(
            onnx.parser.parse_model(head + text),
            tmp_path / "o.onnx",
            check=program(
                tmp_path, "m = onnx.load(sys.argv[1])\nsys.exit(3 if b'Erf' in m.SerializeToString() else 0)"
            ),
        )
        assert [(item.node, item.scope) for item in report.origin] == [("q", place)]
