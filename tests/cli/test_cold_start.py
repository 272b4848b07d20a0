"""What a command imports and starts: no more than its work needs.  Counted, not timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

from onnxfix.cli.app import COMMANDS

HEAVY = {"onnx", "numpy", "rich", "google.protobuf", "yaml", "onnxruntime", "tensorrt", "tensorrt_rtx"}

CHAIN = """<ir_version: 8, opset_import: ["" : 13]>
g (float[2,3] x) => (float[n,m] y) <int64 zero = {0}, int64[1] end = {-1}> {
    s = Shape (x)  first = Gather <axis = 0> (s, zero)  axes = Constant <value = int64[1] {0}> ()
    row = Unsqueeze (first, axes)  shape = Concat <axis = 0> (row, end)  y = Reshape (x, shape)
}"""

WATCHED = """
import json, sys
started = []
sys.addaudithook(lambda event, given: started.append(event) if event in ("subprocess.Popen", "os.fork") else None)
from onnxfix.cli.app import main
code = main(sys.argv[1:])
rules = sys.modules.get("onnxfix.fixpoint.catalogue")
whole = sum("body" in vars(rule) for rule in rules.load_rules()) if rules else 0
told = {"code": code, "children": len(started), "modules": sorted(sys.modules), "rules": whole}
print(json.dumps(told), file=sys.stderr)
"""


def watched(folder: Path, *words: str) -> tuple[int, int, set[str]]:
    """(exit code, child processes started, modules imported) of one command; its cache is in `folder`."""
    told = told_by(folder, *words)
    return told["code"], told["children"], set(told["modules"])


def told_by(folder: Path, *words: str) -> dict[str, Any]:
    """What the command did, `rules` is the number of those that were read to their end."""
    environment = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    environment["ONNXFIX_CACHE"] = str(folder / "cache")
    command = [sys.executable, "-c", WATCHED, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=300)
    told: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cold")
    onnx.save(onnx.parser.parse_model(CHAIN), place / "chain.onnx")
    return place


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_nothing(command: str, folder: Path) -> None:
    code, children, modules = watched(folder, *command.split(), "--help")
    assert (code, children) == (0, 0)
    assert not modules & HEAVY


def test_a_mistake_in_the_arguments_needs_nothing(folder: Path) -> None:
    code, children, modules = watched(folder, "repair", "--verify", "perhaps", "chain.onnx")
    assert (code, children) == (2, 0)
    assert not modules & HEAVY


def test_a_model_that_has_not_changed_is_looked_up(folder: Path) -> None:
    words = ("check", "chain.onnx", "--static", "--target", "rtx1.7")
    code, children, modules = watched(folder, *words)
    assert (code, children) == (1, 1)
    assert "onnx" in modules
    code, children, modules = watched(folder, *words)
    assert (code, children) == (1, 0)
    assert not modules & HEAVY
    assert not {name for name in modules if name.startswith(("onnxfix.model", "onnxfix.rewrite", "onnxfix.actions"))}


def test_a_repair_without_proof_starts_the_checker_only(folder: Path) -> None:
    words = ("repair", "chain.onnx", "-o", "out.onnx", "--verify", "none", "--target", "rtx1.7")
    told = told_by(folder, *words)
    modules = set(told["modules"])
    assert (told["code"], told["children"]) == (0, 1)
    assert (folder / "out.onnx").exists()
    assert 0 < told["rules"] < 12
    bodies = {name for name in modules if name.startswith("onnxfix.decompose.")}
    assert not modules & (HEAVY - {"onnx", "numpy", "google.protobuf", "yaml"})
    assert not {name for name in modules if name.startswith(("onnxfix.isolate", "onnxfix.verify.session"))}
    assert len(bodies) < 15


@pytest.mark.parametrize("words", [("rules",), ("rules", "OFX001"), ("targets", "jetson-nano"), ("explain", "OFX001")])
def test_looking_things_up_starts_no_child(words: tuple[str, ...], folder: Path) -> None:
    code, children, _ = watched(folder, *words)
    assert (code, children) == (0, 0)
