"""action.yml: of the form that GitHub asks for, and its steps run by bash as a runner does, with inputs filled in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml
from outside import WELL

from fixtures import small

ROOT = Path(__file__).parent.parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
EXPRESSION = re.compile(r"\$\{\{\s*([\w.]+)\s*\}\}")

Step = Callable[..., subprocess.CompletedProcess[str]]


def test_the_form_of_the_file() -> None:
    """What the metadata syntax of composite actions asks for (docs.github.com, "Metadata syntax reference")."""
    assert set(ACTION) == {"name", "description", "inputs", "runs"}
    assert all(isinstance(ACTION[key], str) for key in ("name", "description"))
    assert ACTION["runs"]["using"] == "composite"
    for name, given in ACTION["inputs"].items():
        assert re.fullmatch(r"[a-z_][a-z0-9_-]*", name)
        assert isinstance(given["description"], str)
        assert isinstance(given["default"], str)
    for step in ACTION["runs"]["steps"]:
        assert {"run", "shell"} <= set(step) <= {"name", "run", "shell", "env"}
        assert step["shell"] == "bash"


def test_inputs_reach_bash_through_the_environment_only() -> None:
    """An expression inside `run` would let the name of a branch or a file be run as a command."""
    known = {f"inputs.{name}" for name in ACTION["inputs"]} | {"github.action_path"}
    used: set[str] = set()
    for step in ACTION["runs"]["steps"]:
        assert not EXPRESSION.search(step["run"])
        found = {name for text in step["env"].values() for name in EXPRESSION.findall(text)}
        assert found <= known
        used |= found
    assert used == known


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a model that is well."""
    work = tmp_path / "work"
    work.mkdir()
    subprocess.run(["git", "init", "--quiet", str(work)], check=True)
    onnx.save(onnx.parser.parse_model(WELL), work / "well.onnx")
    return work


@pytest.fixture
def step(repository: Path, tmp_path: Path) -> Step:
    """`step(1, targets="trt8.6")` runs a step in the repository; inputs that are not given have their defaults."""

    def run(number: int, action_path: Path = ROOT, more: dict[str, str] | None = None, **inputs: str) -> Any:
        values = {f"inputs.{name}": given["default"] for name, given in ACTION["inputs"].items()}
        values |= {f"inputs.{name}": value for name, value in inputs.items()} | {"github.action_path": str(action_path)}
        own = ACTION["runs"]["steps"][number]
        filled = {name: EXPRESSION.sub(lambda found: values[found[1]], text) for name, text in own["env"].items()}
        script = tmp_path / "step.sh"
        script.write_text(own["run"])
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        environment = {**os.environ, "PATH": path, "ONNXFIX_CACHE": str(tmp_path / "cache"), **filled, **(more or {})}
        return subprocess.run(  # as a runner calls `shell: bash`
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def test_a_clean_repository(step: Step) -> None:
    done = step(1, targets="trt8.6")
    assert (done.returncode, done.stderr) == (0, "")
    assert "::error" not in done.stdout


def test_findings_are_annotations_and_fail_the_job(step: Step, repository: Path) -> None:
    (repository / "models").mkdir()
    onnx.save(small.build("no-outputs"), repository / "models" / "bare.onnx")
    done = step(1, targets="trt8.6,jetson-nano")
    assert done.returncode == 1
    assert "::error file=models/bare.onnx" in done.stdout
    assert step(1, targets="trt8.6", models="well.onnx").returncode == 0
    assert step(1, targets="trt8.6", models="well.onnx models/*.onnx").returncode == 1


def test_a_file_for_code_scanning(step: Step, repository: Path) -> None:
    onnx.save(small.build("no-outputs"), repository / "bare.onnx")
    done = step(1, targets="trt8.6", sarif="onnx.sarif")
    assert (done.returncode, done.stdout) == (1, "")
    results = json.loads((repository / "onnx.sarif").read_text())["runs"][0]["results"]
    assert "OFX401" in {result["ruleId"] for result in results}


def test_a_baseline(step: Step, repository: Path) -> None:
    onnx.save(small.build("no-outputs"), repository / "bare.onnx")
    command = [sys.executable, "-m", "onnxfix", "check", ".", "--target", "trt8.6", "--write-baseline", "known.json"]
    subprocess.run(command, cwd=repository, capture_output=True, check=True)
    assert step(1, targets="trt8.6", baseline="known.json").returncode == 0


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"targets": "trt99"}, "onnxfix: unknown target 'trt99'"),
        ({"targets": "trt8.6", "models": "none/*.onnx"}, "onnxfix: none/*.onnx: matches no file"),
        ({"targets": "$(touch hacked)"}, "unknown target"),
    ],
)
def test_mistakes(inputs: dict[str, str], said: str, step: Step, repository: Path) -> None:
    done = step(1, **inputs)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (repository / "hacked").exists()


def test_the_package_is_installed_and_used(step: Step, tmp_path: Path) -> None:
    """The first step with the real pip, in an environment of its own; the dependencies are those of this one."""
    copy, home = tmp_path / "action", tmp_path / "env"
    copy.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    for name in ("onnxfix", "rules"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy / name)
    path = os.pathsep.join((str(home / "bin"), os.environ["PATH"]))
    done = step(0, action_path=copy, more={"PATH": path, "PIP_NO_DEPS": "1"})
    assert done.returncode == 0, done.stderr
    assert list(home.glob("lib/python*/site-packages/onnxfix_rules"))
    used = step(1, targets="trt8.6", more={"PATH": path, "PYTHONPATH": str(Path(onnx.__file__).parent.parent)})
    assert used.returncode == 0, used.stderr
