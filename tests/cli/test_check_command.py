"""`onnxfix check` from the outside."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from outside import SICK, Command

OWN = ("--rules", "own", "--select", "USR001", "--target", "trt8.6")


def test_findings_and_exit_codes(onnxfix: Command) -> None:
    done = onnxfix("check", "sick.onnx", "well.onnx", *OWN)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "sick.onnx   opset 13, 3 nodes, target TensorRT 8.6\n"
        "USR001 warning [*] double-negation: Two negations in a row do nothing   y\n"
        "1 warning. [*] `onnxfix repair --target trt8.6` fixes 1.\n"
        "well.onnx   opset 13, 1 node, target TensorRT 8.6\n"
        "No defects.\n"
    )
    assert onnxfix("check", "well.onnx", *OWN).returncode == 0


def test_a_folder_stands_for_its_models(onnxfix: Command, folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "well.onnx").rename(folder / "deep" / "a.onnx")
    report = json.loads(onnxfix("check", ".", *OWN, "--format", "json").stdout)
    assert [model["model"] for model in report["models"]] == ["deep/a.onnx", "sick.onnx"]
    assert (report["errors"], report["exit_code"]) == ([], 1)
    (folder / "none").mkdir()
    empty = onnxfix("check", "none")
    assert (empty.returncode, empty.stderr) == (2, "onnxfix: none: holds no .onnx file\n")


def test_an_unreadable_model_stops_no_other(onnxfix: Command, folder: Path) -> None:
    (folder / "broken.onnx").write_text("no model")
    done = onnxfix("check", "broken.onnx", "well.onnx", *OWN)
    assert done.returncode == 2
    assert done.stderr == "onnxfix: broken.onnx: is a text file, not an ONNX model (name the .onnx file)\n"
    assert done.stdout.endswith("No defects.\n")


def test_hostile_names_reach_the_terminal_as_escapes(onnxfix: Command, folder: Path) -> None:
    model = onnx.parser.parse_model(SICK)
    model.graph.node[1].name = "\x1b]0;title\x07[red]\r\n\u202e" + "n" * 10_000
    onnx.save(model, folder / "evil.onnx")
    lines = onnxfix("check", "evil.onnx", *OWN).stdout.splitlines()
    assert len(lines) == 3
    assert r"   \x1b]0;title\x07[red]\r\n\u202ennn" in lines[1]
    assert len(lines[1]) < 200
    repaired = onnxfix("repair", "evil.onnx", *OWN, "--verify", "none", "--diff").stdout
    assert all(line.isprintable() and len(line) < 500 for line in repaired.splitlines())
