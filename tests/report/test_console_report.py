"""The lines of check and repair, from records made by hand."""

from __future__ import annotations

from collections.abc import Iterable

from onnxfix.records import (
    AppliedFix,
    Check,
    CheckReport,
    Diagnostic,
    ModelSummary,
    RepairReport,
    Verdict,
    Withheld,
)
from onnxfix.report.console import check_lines, repair_lines
from onnxfix.report.text import Line

OLD, NEW = ModelSummary(7, 3, 252), ModelSummary(13, 7, 250)


def text(lines: Iterable[Line]) -> list[str]:
    """The lines without their styles."""
    return ["".join(piece if isinstance(piece, str) else piece[0] for piece in line) for line in lines]


def upsample(node: str, scope: str = "") -> AppliedFix:
    return AppliedFix("OFX001", "upsample-op", "safe", "Resize replaces it", 1, scope, node, ("a",), ("b", "c"))


def test_everything_a_repair_can_say() -> None:
    figures = {"tolerances": {"float32": (1e-5, 1e-4), "int64": (0.0, 0.0)}}
    narrowed = Diagnostic("OFX201", "int64", "warning", "is narrowed", node="g", fix="unsafe")
    report = RepairReport(
        model="yolov3.onnx",
        target="TensorRT-RTX 1.7",
        before=OLD,
        after=NEW,
        fixes=(*(upsample(f"up{n}") for n in range(4)), upsample("up", "if_1/then_branch")),
        remaining=(Diagnostic("OFX301", "nms", "error", "no engine takes it", value="boxes"),),
        withheld=(Withheld(narrowed, "unsafe: x"),),
        verdict=Verdict(
            (
                Check("structural", "passed", "valid"),
                Check("numeric", "passed", "equal (max |diff| 0)", figures),
                Check("engine", "not_verified", "no TensorRT is installed"),
            )
        ),
        output="yolov3.fixed.onnx",
        notes=("weights stay in w.bin",),
        seconds=1.26,
    )
    assert text(repair_lines(report)) == [
        "yolov3.onnx   opset 7 -> 13, 252 -> 250 nodes, target TensorRT-RTX 1.7",
        "OFX001 [*] upsample-op: Resize replaces it   up0, up1, up2 and 2 more",
        "OFX301 error [ ] nms: no engine takes it   boxes",
        "OFX201 withheld warning [!] int64: is narrowed   g",
        "       unsafe: x",
        "note: weights stay in w.bin",
        "Fixed 5 of 7.",
        "Structure passed       valid",
        "Numbers   passed       equal (max |diff| 0); allowed: float32 1e-05 of the largest + 0.0001 of each",
        "Engine    not verified no TensorRT is installed",
        "Wrote yolov3.fixed.onnx   1.3 s",
    ]


def test_diff_shows_every_fix_with_its_nodes() -> None:
    renamed = AppliedFix("OFX102", "names", "safe", "m", 2, node="n", renamed={f"v{i}": f"w{i}" for i in range(10)})
    fixes = (upsample("up0"), upsample("up1", "loop/body"), renamed)
    lines = text(repair_lines(RepairReport("m", "t", OLD, OLD, fixes), diff=True))
    assert lines[1:9] == [
        "OFX001 [*] upsample-op: Resize replaces it   up0",
        "  - a",
        "  + b",
        "  + c",
        "OFX001 [*] upsample-op: Resize replaces it   loop/body/up1",
        "  - a",
        "  + b",
        "  + c",
    ]
    assert lines[9:11] == ["OFX102 [*] names: m   n", "  ~ v0 -> w0"]
    assert "  ~ and 2 more names" in lines


def test_why_nothing_was_written() -> None:
    failed = Verdict((Check("numeric", "failed", "output y differs"),))
    told = RepairReport(
        "m", "t", OLD, OLD, (upsample("u"),), verdict=failed, unwritten="numeric check: output y differs"
    )
    assert text(repair_lines(told))[2:] == [
        "Would fix 1 of 1.",
        "Numbers   failed       output y differs",
        "Nothing written: the numeric check did not pass.   0.0 s",
    ]
    other = RepairReport("m", "t", OLD, OLD, (upsample("u"),), verdict=failed, unwritten="the disk is full")
    assert text(repair_lines(other))[-1] == "Nothing written: the disk is full   0.0 s"
    dry = RepairReport("m", "t", OLD, OLD, (upsample("u"),))
    assert text(repair_lines(dry))[2:] == ["Would fix 1 of 1.", "Nothing written (dry run).   0.0 s"]
    assert text(repair_lines(RepairReport("m", "t", OLD, OLD)))[1:] == ["Nothing to fix."]


def test_a_place_in_the_message_is_not_repeated() -> None:
    found = (
        Diagnostic("OFX102", "unused", "error", "nobody reads a, b; they go", node="a"),
        Diagnostic("OFX403", "untyped", "error", "no type", node="a"),
    )
    lines = text(check_lines(CheckReport("m", "t", OLD, found)))
    assert lines[1:3] == [
        "OFX102 error [ ] unused: nobody reads a, b; they go",
        "OFX403 error [ ] untyped: no type   a",
    ]


def test_many_messages_of_one_rule_are_counted() -> None:
    found = tuple(Diagnostic("OFX201", "int64", "error", f"{n} is too large", value=f"v{n}") for n in range(9))
    lines = text(check_lines(CheckReport("m", "t", OLD, found)))
    assert lines[1:4] == [f"OFX201 error [ ] int64: {n} is too large   v{n}" for n in range(3)]
    assert lines[4:] == ["       and 6 more of OFX201, in --format json", "9 errors."]


def test_tally_of_a_check() -> None:
    found = (
        Diagnostic("OFX001", "a", "error", "m", node="n", fix="safe"),
        Diagnostic("OFX002", "b", "error", "m", fix="unsafe"),
        Diagnostic("OFX003", "c", "note", "m", fix="safe"),
    )
    lines = text(check_lines(CheckReport("m", "t", ModelSummary(13, 8, 1), found, "bad\nnode")))
    assert lines == [
        "m   opset 13, 1 node, target t",
        "OFX001 error [*] a: m   n",
        "OFX002 error [!] b: m",
        "OFX003 note [*] c: m",
        "The ONNX checker refuses the model: bad node",
        "2 errors, 1 note. [*] `onnxfix repair` fixes 1. [!] 1 with --unsafe-fixes.",
    ]
    assert text(check_lines(CheckReport("m", "t", OLD)))[1:] == ["No defects."]
    assert text(check_lines(CheckReport("m", "t", OLD, complaint="bad")))[1:] == [
        "The ONNX checker refuses the model: bad",
        "No rule finds a defect.",
    ]


def test_hostile_records_stay_on_their_lines() -> None:
    evil = "\x1b[2J\r\n[red]\u2028" + "x" * 10_000
    fix = AppliedFix(evil, evil, "unsafe", evil, 1, evil, evil, (evil,), (evil,), {evil: evil})
    found = Diagnostic(evil, evil, "error", evil, evil, evil, evil, evil)
    verdict = Verdict((Check("numeric", "failed", evil, {"tolerances": {evil: (1.0, 1.0)}}),))
    report = RepairReport(
        evil, evil, OLD, NEW, (fix,), (found,), (Withheld(found, evil),), verdict, evil, evil, (evil,)
    )
    for diff in (False, True):
        for line in text(repair_lines(report, diff=diff)):
            assert line.isprintable()
            assert len(line) < 1000
