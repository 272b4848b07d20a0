"""The journal file: whole lines, one writer, and nobody else's file."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.batch.journal import Journal, encoded
from onnxfix.errors import OnnxfixError


def line(work: str, state: str = "0", **more: Any) -> dict[str, Any]:
    return {"key": f"{work}-{state}", "place": f"{work}.onnx", "verb": "check", "outcome": "ready", **more}


def test_lines_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        assert journal.last("a") is None
        journal.write(line("a"))
        journal.write(line("b", text="ü\n\u2028"))
        journal.write(line("a", "1"))
        assert journal.last("a") == line("a", "1")
        assert json.loads(path.read_text().splitlines()[1])["text"] == "ü\n\u2028"
    assert path.read_bytes().count(b"\n") == 3
    with Journal(path) as journal:
        assert journal.last("a") == line("a", "1")
        assert journal.last("b") == line("b", text="ü\n\u2028")
        journal.write(line("c"))
    assert path.read_bytes().count(b"\n") == 4


@settings(max_examples=200)
@given(st.data())
def test_a_torn_last_line_is_cut_off(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    works = data.draw(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=6))
    whole = [encoded(line(work, str(number))) for number, work in enumerate(works)]
    text = b"".join(whole)
    cut = data.draw(st.integers(0, len(text)))
    path.write_bytes(text[:cut])
    kept = text[: text.rfind(b"\n", 0, cut) + 1]
    with Journal(path) as journal:
        assert path.read_bytes() == kept
        for work in works:
            mine = [json.loads(item) for item in kept.splitlines() if json.loads(item)["place"] == f"{work}.onnx"]
            assert journal.last(work) == (mine[-1] if mine else None)
        journal.write(line("new"))
    assert path.read_bytes() == kept + encoded(line("new"))


@pytest.mark.parametrize(
    "content", [b"\x08\x07\x12", b"no journal", b"{}\n", b'{"key": "a"}\n', b"[1]\n", b"\n", b'{"kex']
)
def test_another_file_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(OnnxfixError, match=r"model.onnx:1: is no journal of onnxfix \(name another file\)"):
        Journal(path)
    assert path.read_bytes() == content


def test_garbage_in_the_middle_is_told(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(encoded(line("a")) + b'{"key": "b\n' + encoded(line("c")))
    with pytest.raises(OnnxfixError, match=r"j.jsonl:2: is damaged \(remove this line\)"):
        Journal(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])  # as was said
    with Journal(path) as journal:
        assert journal.last("a") and journal.last("c")


def test_zeros_behind_the_last_line_are_cut_off(tmp_path: Path) -> None:
    """A machine that lost its power may leave blocks that were never written."""
    path = tmp_path / "j.jsonl"
    path.write_bytes(encoded(line("a")) + bytes(4096))
    with Journal(path) as journal:
        assert journal.last("a")
    assert path.read_bytes() == encoded(line("a"))


def test_one_batch_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    said = re.escape(f"{path}: another batch writes this journal (wait for it, or name another file)")
    with Journal(path) as journal:
        journal.write(line("a"))
        with pytest.raises(OnnxfixError, match=said):
            Journal(path)
        journal.write(line("b"))
    with Journal(path) as journal:
        assert journal.last("b")


def _hold(path: Path, ready: Any) -> None:
    journal = Journal(path)
    journal.write(line("a"))
    ready.set()
    time.sleep(600)


def test_a_killed_batch_lets_go(tmp_path: Path) -> None:
    path, context = tmp_path / "j.jsonl", multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold, args=(path, ready))
    process.start()
    assert ready.wait(60)
    with pytest.raises(OnnxfixError, match="another batch"):
        Journal(path)
    process.kill()
    process.join()
    with Journal(path) as journal:
        assert journal.last("a")


def test_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OnnxfixError, match=r"absent/j.jsonl: cannot be written: No such file .*--journal"):
        Journal(tmp_path / "absent" / "j.jsonl")
    with pytest.raises(OnnxfixError, match=r"cannot be written: File name too long"):
        Journal(tmp_path / ("n" * 300))
    for place in (tmp_path, Path(os.devnull)):
        with pytest.raises(OnnxfixError, match=r"is not a regular file"):
            Journal(place)


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("onnxfix.batch.journal.locked", refuse)
    with pytest.raises(OnnxfixError, match=r"j.jsonl: cannot be written: No locks available"):
        Journal(tmp_path / "j.jsonl")


FULL = """import resource, sys
from pathlib import Path
from onnxfix.batch.journal import Journal
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
with Journal(Path(sys.argv[1])) as journal:
    for number in range(9):
        journal.write({"key": f"{number}-0", "place": "a.onnx", "verb": "check", "outcome": "ready"})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    done = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True, timeout=60)
    said = f"OnnxfixError: {path}: cannot be written: File too large (choose another --journal)"
    assert done.stderr.splitlines()[-1].endswith(said)  # and closing the file says nothing else
    with Journal(path) as journal:
        assert journal.last("0")
        assert journal.last("1") is None
    assert path.read_bytes().count(b"\n") == 1
