"""What `check` says it does not know, and whether the commands that it names do what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import onnx
from outside import Command

from onnxfix.records import CheckReport, Diagnostic, ModelSummary
from onnxfix.report.matrix import matrix_lines

PLUGIN = '<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[2] x) => (float[2] y) { y = own.Frobnicate(x) }'
NEWER = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }'
ALONE = '<ir_version: 8, opset_import: ["" : 13]> g (float[5] x) => (float[N] y) { y = Unique(x) }'
BEHIND = '<ir_version: 8, opset_import: ["" : 13]> g (float[5] x) => (float[N] y) { t = Neg(x) y = Unique(t) }'


def saved(folder: Path, text: str) -> str:
    onnx.save(onnx.parser.parse_model(text), folder / "m.onnx")
    return "m.onnx"


def test_an_operator_of_which_no_source_tells(onnxfix: Command, folder: Path) -> None:
    model = saved(folder, PLUGIN)
    done = onnxfix("check", model, "--target", "trt10.13", "--ignore", "OFX105")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "OFX794 note [ ] unknown-operator: no source says whether TensorRT 10.13 takes Frobnicate of own" in done.stdout
    )
    asked = onnxfix("check", model, "--target", "rtx1.7", "--ignore", "OFX105").stdout
    assert "OFX794" not in asked and "OFX799" in asked  # the target itself was asked
    table = onnxfix("check", model, "--target", "trt10.13,rtx1.7", "--ignore", "OFX105").stdout.splitlines()
    assert table[-3:] == [
        "m.onnx  ready ?          blocked (1)",
        "TensorRT-RTX 1.7.1.116 asked itself; the others by the fact base. The numbers count errors.",
        "? marks a model with operators of which no source says whether the target takes them.",
    ]


def test_a_refused_operator_is_not_called_unknown(onnxfix: Command, folder: Path) -> None:
    text = PLUGIN.replace("own", "com.microsoft")
    told = onnxfix("check", saved(folder, text), "--target", "trt8.6").stdout
    assert "has no importer for Frobnicate" in told and "OFX794" not in told


def test_the_command_that_is_named_repairs(onnxfix: Command, folder: Path) -> None:
    told = onnxfix("check", saved(folder, NEWER), "--target", "jetson-nano").stdout
    (command,) = re.findall(r"`onnxfix ([^`]+)` fixes 1", told)
    assert command == "repair --target jetson-nano@trt8.2"
    done = onnxfix(*shlex.split(command), "m.onnx", "-o", "out.onnx")
    assert "Fixed 1 of 1." in done.stdout
    left = onnxfix("check", "out.onnx", "--target", "jetson-nano")
    assert (left.returncode, "OFX599" in left.stdout) == (0, False)


def test_the_command_for_a_note_selects_its_rule(onnxfix: Command, folder: Path) -> None:
    told = onnxfix("check", saved(folder, NEWER), "--target", "trt8.6", "--format", "github").stdout
    (command,) = re.findall(r"`onnxfix ([^`]+)` fixes it", told)
    assert "Fixed 1 of 1." in onnxfix(*shlex.split(command), "m.onnx", "-o", "out.onnx", "--verify", "none").stdout
    assert onnx.load(folder / "out.onnx").graph.node[0].name


def test_a_cut_is_advised_where_something_is_left(onnxfix: Command, folder: Path) -> None:
    only = ("--target", "trt8.6", "--select", "OFX799")
    assert "--cut" not in onnxfix("check", saved(folder, ALONE), *only).stdout
    assert "--cut y ends the graph before it" in onnxfix("check", saved(folder, BEHIND), *only).stdout
    onnxfix("repair", "m.onnx", "--target", "trt8.6", "--cut", "y", "-o", "out.onnx")
    assert [node.op_type for node in onnx.load(folder / "out.onnx").graph.node] == ["Neg"]


def test_a_baseline_is_no_folder(onnxfix: Command, folder: Path) -> None:
    done = onnxfix("check", saved(folder, NEWER), "--write-baseline", ".")
    assert (done.returncode, done.stderr) == (2, "onnxfix: .: cannot be written: Is a directory (choose another -o)\n")


def test_a_table_wider_than_the_terminal_is_cut() -> None:
    finding = Diagnostic("OFX794", "unknown-operator", "note", "not known", kind="unknown")
    summary = ModelSummary(17, 8, 1, ("x",), ("y",))
    reports = [
        CheckReport("a.onnx", name, summary, (finding,) if name == "trt8.6" else (), target_name=name)
        for name in ("trt8.2", "trt8.6", "trt10.13")
    ]
    shown = ["".join(p if isinstance(p, str) else p[0] for p in line) for line in matrix_lines(reports, 45)]
    assert shown[-6:-2] == [
        "        trt8.2           trt8.6",
        "a.onnx  ready            ready ?",
        "        trt10.13",
        "a.onnx  ready",
    ]
    assert len(list(matrix_lines(reports))) == len(shown) - 2
