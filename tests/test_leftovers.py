"""What killed processes leave goes with the next file that is written there; what belongs to living ones stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from onnxfix import leftovers
from onnxfix.files import temporary, write_whole
from onnxfix.leftovers import note

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process that is gone is told by its age")

LEAVING = """
import sys
from pathlib import Path
from onnxfix.files import temporary
from onnxfix.leftovers import note
goal = Path(sys.argv[1])
draft, weights = temporary(goal), temporary(goal)
draft.write_text("model"), weights.write_text("weights")
if len(sys.argv) > 2:
    note(temporary(goal, note=True), draft, {name: weights for name in sys.argv[2:]})
    weights.rename(goal.with_name(sys.argv[2]))
print(draft.name, flush=True)
sys.stdin.read()
"""


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def killed(goal: Path, *names: str) -> Path:
    """A process that has a draft, and perhaps weights under names that last, is killed: the draft."""
    process = started(goal, *names)
    assert process.stdout
    draft = goal.with_name(process.stdout.readline().strip())
    process.kill()
    process.communicate()
    return draft


def started(goal: Path, *names: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", LEAVING, str(goal), *names]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_drafts_of_a_killed_process_go_at_once(tmp_path: Path) -> None:
    killed(tmp_path / "o.onnx")
    assert len(left(tmp_path)) == 2
    write_whole(tmp_path / "other.onnx", b"other")
    assert len(left(tmp_path)) == 3
    write_whole(tmp_path / "o.onnx", b"new")
    assert left(tmp_path) == ["o.onnx", "other.onnx"]


def test_drafts_of_a_living_process_stay(tmp_path: Path) -> None:
    with started(tmp_path / "o.onnx") as process:
        assert process.stdout
        assert process.stdout.readline()
        before = left(tmp_path)
        write_whole(tmp_path / "o.onnx", b"new")
        assert left(tmp_path) == [*before, "o.onnx"]


@pytest.mark.parametrize(("machine", "age", "stays"), [("another1", 3600, True), ("another1", 90_000, False)])
def test_of_another_machine_only_the_age_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, age: float, stays: bool
) -> None:
    draft = killed(tmp_path / "o.onnx")
    os.utime(draft, (time.time() - age, time.time() - age))
    monkeypatch.setattr(leftovers, "_machine", lambda: machine)
    write_whole(tmp_path / "o.onnx", b"new")
    assert draft.exists() == stays


def test_weights_whose_model_was_never_there_go_too(tmp_path: Path) -> None:
    killed(tmp_path / "o.onnx", "o.onnx.data")
    assert (tmp_path / "o.onnx.data").read_text() == "weights"
    temporary(tmp_path / "o.onnx").unlink()
    assert left(tmp_path) == []


def test_weights_of_a_model_that_got_its_name_stay(tmp_path: Path) -> None:
    killed(tmp_path / "o.onnx", "o.onnx.data").rename(tmp_path / "o.onnx")
    temporary(tmp_path / "o.onnx").unlink()
    assert left(tmp_path) == ["o.onnx", "o.onnx.data"]


def test_another_file_of_that_name_stays(tmp_path: Path) -> None:
    """Somebody removed what was left and wrote a file of the same name and size."""
    killed(tmp_path / "o.onnx", "o.onnx.data")
    (tmp_path / "o.onnx.data").unlink()
    (tmp_path / "o.onnx.data").write_text("theirs!")
    temporary(tmp_path / "o.onnx").unlink()
    assert left(tmp_path) == ["o.onnx.data"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"draft": 3, "files": {}}', '{"draft": "o.onnx", "files": [1]}'])
def test_a_note_that_is_none_does_no_harm(tmp_path: Path, text: str) -> None:
    killed(tmp_path / "o.onnx", "o.onnx.data")
    (path,) = tmp_path.glob(".*.note.onnxfix-tmp")
    path.write_text(text)
    temporary(tmp_path / "o.onnx").unlink()
    assert left(tmp_path) == ["o.onnx.data"]


def test_a_note_of_this_process_is_its_own(tmp_path: Path) -> None:
    goal = tmp_path / "o.onnx"
    draft, path = temporary(goal), temporary(goal, note=True)
    (tmp_path / "o.onnx.data").write_text("weights")
    note(path, draft, {"o.onnx.data": tmp_path / "o.onnx.data"})
    write_whole(goal, b"new")
    assert left(tmp_path) == sorted([draft.name, path.name, "o.onnx", "o.onnx.data"])
