"""A folder with models and a rule of one's own, and the command run in it as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from outside import SICK, WELL, Command

from onnxfix.cli.app import main


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports that other tests have cached are not seen."""
    monkeypatch.setenv("ONNXFIX_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """sick.onnx, which USR001 of own/double-negation.toml repairs, and well.onnx."""
    onnx.save(onnx.parser.parse_model(SICK), tmp_path / "sick.onnx")
    onnx.save(onnx.parser.parse_model(WELL), tmp_path / "well.onnx")
    assert main(["rules", "new", "double-negation", "-d", str(tmp_path / "own")]) == 0
    return tmp_path


@pytest.fixture
def onnxfix(folder: Path) -> Command:
    """`onnxfix("check", "sick.onnx")` in a process of its own, in `folder`."""

    def run(*arguments: str | bytes, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "onnxfix", *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run
