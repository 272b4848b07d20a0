"""The command in this process, with what must hold of every run of it: no traceback, nothing of the user's changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from onnxfix.cli.app import main


@dataclass(frozen=True)
class Ran:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def listing(tmp_path: Path) -> Callable[[], dict[str, str]]:
    """What is in tmp_path: a hash for each file, the target of each link."""

    def look() -> dict[str, str]:
        return {str(path.relative_to(tmp_path)): _content(path) for path in sorted(tmp_path.rglob("*"))}

    return look


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """`run("check", "m.onnx")` in tmp_path."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> Ran:
        code = main(arguments)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        assert "ONNXFIX_TRACEBACK" not in printed.err, printed.err
        return Ran(code, printed.out, printed.err)

    yield command


@pytest.fixture
def refused(run: Run, listing: Callable[[], dict[str, str]]) -> Callable[..., str]:
    """The one line that a command printed before it ended with 2, having changed nothing."""

    def command(*arguments: str) -> str:
        before = listing()
        ran = run(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("onnxfix: ")
        assert ran.err.count("\n") == 1
        assert listing() == before
        return ran.err

    return command
