"""The hooks in a real git repository, run by the real pre-commit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from outside import WELL

from fixtures import small

pytest.importorskip("pre_commit")

ROOT = Path(__file__).parent.parent.parent
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"

Hook = Callable[..., subprocess.CompletedProcess[str]]


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a model that is well, and beside it one that offers the hooks of this one."""
    hooks, work = tmp_path / "hooks", tmp_path / "work"
    for folder in (hooks, work):
        folder.mkdir()
        git(folder, "init", "--quiet")
    (hooks / ".pre-commit-hooks.yaml").write_bytes((ROOT / ".pre-commit-hooks.yaml").read_bytes())
    git(hooks, "add", ".")
    git(hooks, "commit", "--quiet", "-m", "hooks")
    # `language: system` takes the onnxfix of this environment; nothing else of the manifest is replaced
    (work / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {hooks}\n  rev: {git(hooks, 'rev-parse', 'HEAD')}\n  hooks:\n"
        "  - {id: onnxfix-check, language: system, args: [--target, trt8.6]}\n"
        "  - {id: onnxfix-repair, language: system, args: [--target, trt8.6], stages: [manual]}\n"
    )
    onnx.save(onnx.parser.parse_model(WELL), work / "well.onnx")
    return work


@pytest.fixture
def hook(repository: Path, tmp_path: Path) -> Hook:
    """`hook("onnxfix-check")` on all files that git knows."""
    places = {"PRE_COMMIT_HOME": str(tmp_path / "home"), "ONNXFIX_CACHE": str(tmp_path / "cache")}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))

    def run(name: str, *more: str) -> subprocess.CompletedProcess[str]:
        git(repository, "add", ".")
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", name, "--all-files", "--verbose", *more],
            cwd=repository,
            env={**os.environ, **places, "PATH": path},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def test_check_looks_at_models_only(hook: Hook, repository: Path) -> None:
    (repository / "notes.txt").write_text("no model")
    good = hook("onnxfix-check")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "well.onnx   opset 13" in good.stdout
    onnx.save(small.build("no-outputs"), repository / "sick.onnx")
    bad = hook("onnxfix-check")
    assert bad.returncode == 1
    assert "OFX401 error [*] missing-outputs" in bad.stdout


def test_a_pointer_of_git_lfs_is_told_as_one(hook: Hook, repository: Path) -> None:
    (repository / "pointer.onnx").write_text(LFS)
    done = hook("onnxfix-check")
    assert done.returncode == 1
    assert "onnxfix: pointer.onnx: is a Git-LFS pointer, not the model itself (run `git lfs pull`)" in done.stdout


def test_repair_changes_what_it_can_prove(hook: Hook, repository: Path) -> None:
    onnx.save(small.build("no-outputs"), repository / "sick.onnx")
    first = hook("onnxfix-repair", "--hook-stage", "manual")
    assert first.returncode == 1
    assert "files were modified by this hook" in first.stdout
    assert [value.name for value in onnx.load(repository / "sick.onnx").graph.output] == ["y", "z"]
    second = hook("onnxfix-repair", "--hook-stage", "manual")
    assert second.returncode == 0, second.stdout + second.stderr
