"""`onnxfix explain` and `onnxfix targets` from the outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from outside import WELL, Command

from onnxfix.targets import target_names


def test_a_message(onnxfix: Command) -> None:
    done = onnxfix("explain", "explicit_context_dependent failed: invalid device context")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("device-context: explicit_context_dependent failed")
    assert "  command onnxfix run MODEL.plan\n" in done.stdout


def test_a_rule_a_cause_and_nothing_known(onnxfix: Command) -> None:
    assert onnxfix("explain", "ofx001").stdout.splitlines()[0].startswith("OFX001 upsample-op")
    assert onnxfix("explain", "topk-k-max").stdout.splitlines()[0] == "topk-k-max"
    nothing = onnxfix("explain", "all", "is", "well")
    assert (nothing.returncode, nothing.stderr) == (1, "")
    assert nothing.stdout.startswith("Nothing known is said there.")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("OFX9999", "onnxfix: nothing is known of 'OFX9999' ("),
        ("no-such.log", "onnxfix: nothing is known of 'no-such.log', and there is no such file ("),
        (" ", "onnxfix: nothing to explain (give a code, a message in quotes, a log file, or -)"),
        ("well.onnx", "onnxfix: well.onnx: is not a text (`onnxfix check` takes models"),
    ],
)
def test_mistakes_are_one_line(onnxfix: Command, folder: Path, word: str, said: str) -> None:
    (folder / "well.onnx").write_bytes(b"\0" + onnx.parser.parse_model(WELL).SerializeToString())
    done = onnxfix("explain", word)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_a_log_file_and_a_pipe(onnxfix: Command, folder: Path) -> None:
    log = "fine\n[E] K exceeds the maximum value allowed (3840).\n"
    (folder / "build.log").write_bytes("\ufeff".encode("utf-16-le") + log.encode("utf-16-le"))
    report = json.loads(onnxfix("explain", "build.log", "--format", "json").stdout)
    (advice,) = report["advice"]
    assert (advice["id"], advice["line"], advice["rules"], report["lines"]) == ("topk-k-max", 2, ["OFX720"], 2)
    piped = subprocess.run(
        [sys.executable, "-m", "onnxfix", "explain", "-", "--target", "rtx1.7"],
        input=log, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "(the target is one of them)" in piped.stdout
    assert "onnxfix repair MODEL --target rtx1.7" in piped.stdout


def test_targets_as_tables(onnxfix: Command) -> None:
    lines = onnxfix("targets").stdout.splitlines()
    named = {line.split()[0] for line in lines if line.startswith("  ")}
    assert set(target_names()) - {"trt", "rtx"} <= named
    old = next(line for line in lines if line.startswith("  trt8.6 "))
    assert old.split()[1:] == [
        *("12.0,", "11.8", "5.0", "to", "9.0", "7", "to", "17", "as", "int32", "as", "fp32", "input,", "output"),
        *("yes", "no", "name", "only", "no", "no", "weak"),
    ]
    assert any(line.split() == ["jp7.1", "?", "13.0"] for line in lines)  # unknown stays unknown


def test_one_target_with_sources(onnxfix: Command) -> None:
    done = onnxfix("targets", "jetson-nano")
    assert done.stdout.startswith(
        "TensorRT 8.2 on jetson-nano   jetson-nano@trt8.2\nnote: newest known for jetson-nano"
    )
    assert "precisions of the GPU  fp16, no int8, bf16 ?" in done.stdout
    facts = json.loads(onnxfix("targets", "t4@trt8.6", "--format", "json").stdout)
    assert (facts["facts"]["int64"], facts["on"]["precisions"]["bf16"]) == ("clamped_to_int32", False)
    assert onnxfix("targets", "t44").stderr.startswith("onnxfix: unknown target 't44' (closest: t4")


def test_a_closed_standard_input_is_an_empty_question() -> None:
    command = [sys.executable, "-m", "onnxfix", "explain", "-"]
    done = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_command_of_a_rule_names_a_target_that_it_is_for(onnxfix: Command) -> None:
    last = onnxfix("explain", "OFX201").stdout.splitlines()[-1]
    assert last.split()[1:] == ["onnxfix", "repair", "MODEL", "--select", "OFX201", "--target", "trt8.6"]


def test_what_was_measured_of_tensorrt_rtx_is_told_with_its_source(onnxfix: Command) -> None:
    rows = {line[2:24].strip(): line[25:] for line in onnxfix("targets", "rtx1.7").stdout.splitlines()}
    assert rows["int64"].startswith("yes ") and "tensorrt_rtx_cu13_libs 1.7.1.116" in rows["int64"]
    assert (
        rows["compute capability"].startswith("7.5, 8.0") and "tensorrt-rtx-cu13-bindings" in rows["compute capability"]
    )
    assert rows["opset"].strip() == "?"
    older = {line[2:24].strip(): line[25:].strip() for line in onnxfix("targets", "rtx1.0").stdout.splitlines()}
    assert (older["int64"], older["fp8"]) == ("?", "?")


def test_rules_for_the_operator_that_is_named(onnxfix: Command) -> None:
    (advice,) = json.loads(onnxfix("explain", "No importer registered for op: NonZero", "--format", "json").stdout)[
        "advice"
    ]
    assert (advice["operators"], advice["rules"][0]) == (["NonZero"], "OFX718")
    (advice,) = json.loads(onnxfix("explain", "No importer registered for op: DCNv2", "--format", "json").stdout)[
        "advice"
    ]
    assert "no operator of ONNX" in advice["do"][0]


def test_a_log_of_several_problems(onnxfix: Command, folder: Path) -> None:
    (folder / "build.log").write_bytes(
        b"\x1b[33m[W] Your ONNX model has been generated with INT64 weights\x1b[0m\r\n"
        b"[E] While parsing node number 3 [NonZero -> x]:\r\n"
        b"[E] [8] No importer registered for op: NonZero\r\n"
        b"[E] Network must have at least one output\r\n"
        b"AttributeError: 'NoneType' object has no attribute 'serialize'\r\n"
    )
    lines = onnxfix("explain", "build.log").stdout.splitlines()
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == [
        "no-importer",
        "no-output-two-causes",
        "none-engine",
        "int64-narrowed",
    ]
    assert sum("follows from another error: " in line for line in lines) == 2
