"""The README's commands are run, as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from fixtures import small
from onnxfix.api import engines

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (onnxfix .+?)(?:\s+#.*)?$", README, re.MULTILINE)
TARGETS = re.findall(r"^\$ (make .+)$", README, re.MULTILINE)
PYTHON = re.findall(r"```python\n(.+?)```", README, re.DOTALL)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name in ("upsample-in-11", "no-outputs", "int64-chain"):
        onnx.save(small.build(name), tmp_path / f"{name}.onnx")
    assert engines.build(tmp_path / "int64-chain.onnx", tmp_path / "chain.plan").output
    return tmp_path


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) >= 7
    assert TARGETS == ["make demo", "make test"]
    assert PYTHON


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, models: Path) -> None:
    arguments = shlex.split(command)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "onnxfix", *arguments], cwd=models, capture_output=True, text=True, timeout=120
    )
    expected = 1 if arguments[0] == "check" else 0
    assert done.returncode == expected, done.stdout + done.stderr
    assert done.stdout


def test_repair_command_writes_what_the_readme_says(models: Path) -> None:
    command = next(c for c in COMMANDS if c.startswith("onnxfix repair") and "--" not in c)
    subprocess.run([sys.executable, "-m", "onnxfix", *shlex.split(command)[1:]], cwd=models, check=True)
    repaired = onnx.load(models / "upsample-in-11.fixed.onnx")
    assert "Upsample" not in {node.op_type for node in repaired.graph.node}


@pytest.mark.parametrize("code", PYTHON)
def test_python(code: str, models: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=models, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("passed")


@pytest.mark.parametrize("target", TARGETS)
def test_make_targets_are_known(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", *target.split()[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_machine_paths_or_registries() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    forbidden = ("/" + "work/", "/" + "tmp/venv", "/" + "opt/pypi", "file" + ":///")
    for name in files:
        text = (ROOT / name).read_bytes()
        for word in forbidden:
            assert word.encode() not in text, f"{name} holds {word}"
