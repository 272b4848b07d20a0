"""`onnxfix repair` from the outside: what is printed, what is written, and the exit code."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest
from outside import Command

OWN = ("--rules", "own", "--select", "USR001", "--target", "rtx1.7")


def snapshot(text: str) -> str:
    """The output without the time and without the sentences of the verifiers."""
    text = re.sub(r"\d+\.\d s$", "N s", text, flags=re.M)
    return re.sub(r"^(Structure|Numbers|Engine) +(passed|failed|not verified) .*$", r"\1 \2 ...", text, flags=re.M)


def test_a_repair_is_told_and_written(onnxfix: Command, folder: Path) -> None:
    done = onnxfix("repair", "sick.onnx", *OWN, "--verify", "numeric")
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(done.stdout) == (
        "sick.onnx   opset 13, 3 -> 2 nodes, target TensorRT-RTX 1.7\n"
        "USR001 [*] double-negation: Two negations in a row do nothing   y\n"
        "note: the engine was not checked (--verify numeric)\n"
        "Fixed 1 of 1.\n"
        "Structure passed ...\n"
        "Numbers passed ...\n"
        "Wrote sick.fixed.onnx   N s\n"
    )
    assert [node.op_type for node in onnx.load(folder / "sick.fixed.onnx").graph.node] == ["Identity", "Relu"]


def test_diff_and_dry_run(onnxfix: Command, folder: Path) -> None:
    done = onnxfix("repair", "sick.onnx", *OWN, "--verify", "none", "--diff", "--dry-run")
    assert done.returncode == 0
    assert snapshot(done.stdout) == (
        "sick.onnx   opset 13, 3 -> 2 nodes, target TensorRT-RTX 1.7\n"
        "USR001 [*] double-negation: Two negations in a row do nothing   y\n"
        "  - t = Neg (x)\n"
        "  - y = Neg (t)\n"
        "  + y = Identity (x)\n"
        "note: outputs and engine were not checked (--verify none)\n"
        "Would fix 1 of 1.\n"
        "Structure passed ...\n"
        "Nothing written (dry run).   N s\n"
    )
    assert not (folder / "sick.fixed.onnx").exists()


@pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="needs TensorRT-RTX")
def test_the_engine_is_built_by_default(onnxfix: Command) -> None:
    done = onnxfix("repair", "sick.onnx", *OWN, "-o", "out.onnx")
    assert done.returncode == 0
    assert re.search(r"^Engine    passed       TensorRT-RTX 1\.7", done.stdout, re.M)
    assert "Wrote out.onnx" in done.stdout


def test_in_place_replaces_the_input(onnxfix: Command, folder: Path) -> None:
    assert onnxfix("repair", "sick.onnx", *OWN, "--verify", "none", "--in-place").returncode == 0
    assert len(onnx.load(folder / "sick.onnx").graph.node) == 2
    again = onnxfix("repair", "sick.onnx", *OWN, "--verify", "none", "--in-place")
    assert snapshot(again.stdout) == "sick.onnx   opset 13, 2 nodes, target TensorRT-RTX 1.7\nNothing to fix.\n"


def test_json_is_the_record(onnxfix: Command) -> None:
    done = onnxfix("repair", "sick.onnx", *OWN, "--verify", "numeric", "--format", "json")
    report = json.loads(done.stdout)
    assert list(report)[:4] == ["model", "target", "before", "after"]
    assert (report["exit_code"], report["output"]) == (0, "sick.fixed.onnx")
    assert [(fix["code"], fix["node"]) for fix in report["fixes"]] == [("USR001", "y")]
    assert report["verdict"]["outcome"] == "passed"


def test_unsafe_fixes_wait_for_the_flag(onnxfix: Command, folder: Path) -> None:
    rule = folder / "own" / "double-negation.toml"
    rule.write_text(rule.read_text().replace('applicability = "safe"', 'applicability = "unsafe"'))
    waiting = onnxfix("repair", "sick.onnx", *OWN, "--verify", "none")
    assert "USR001 withheld warning [!] double-negation: Two negations in a row do nothing   y\n" in waiting.stdout
    assert "Fixed 0 of 1." in waiting.stdout
    done = onnxfix("repair", "sick.onnx", *OWN, "--verify", "none", "--unsafe-fixes")
    assert done.returncode == 0
    assert "USR001 [!] double-negation" in done.stdout
