"""A folder in which workers do what the names of models say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import batch_runs
import fsspec
import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """tmp_path as working directory, with planted workers for this process and those it starts."""
    for name, value in batch_runs.plant(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("ONNXFIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files, which a test can look into."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


@pytest.fixture(params=["memory", "file", "dir"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty folder in stores of several kinds."""
    if request.param == "memory":
        memory = fsspec.filesystem("memory")
        memory.pipe("/root/kept", b"")
        yield "memory://root"
        memory.rm("/root", recursive=True)
    else:
        (tmp_path / "root").mkdir()
        yield f"file://{tmp_path}/root" if request.param == "file" else f"dir://root::file://{tmp_path}"
