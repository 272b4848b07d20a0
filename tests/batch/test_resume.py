"""A batch that is killed or interrupted goes on: nothing twice, nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import onnx
import pytest
from batch_runs import QUICK, WELL, alive, lines, performed, run, save, start, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

JOURNAL = ("--journal", "j.jsonl")


def sick(folder: Path, number: int) -> list[str]:
    names = [f"nets/{place % 3}/slow{place:02}.onnx" for place in range(number)]
    save(folder, *names)
    return names


def killed(process: subprocess.Popen[str]) -> None:
    """kill -9 of the process group, and the workers are gone soon after."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_killed_at_any_time_nothing_is_lost_or_done_twice(folder: Path) -> None:
    """As often as it takes to get through; models that were begun and not journalled are begun again."""
    names, random, kills = sick(folder, 24), Random(8), 0
    arguments = ("repair", "nets", "-o", "out", *QUICK, *JOURNAL, "--jobs", "2")
    while kills < 8:
        process = start(folder, *arguments)
        time.sleep(random.uniform(0.3, 3.0))
        if process.poll() is not None:
            process.communicate()
            break
        killed(process)
        kills += 1
        assert_whole(folder, names)
    assert kills
    last = run(folder, *arguments)
    assert (last.returncode, last.stderr) == (0, "")
    assert "24 models: 24 repaired" in last.stdout
    every = lines(folder / "j.jsonl")
    assert Counter(line["place"] for line in every) == Counter(names)
    assert {line["outcome"] for line in every} == {"repaired"}
    assert wait_until(lambda: not any(alive(worker) for worker, _ in performed(folder)))
    assert len(performed(folder)) <= 24 + 2 * kills
    for name in names:
        onnx.checker.check_model(folder / "out" / name.removeprefix("nets/"), full_check=True)
    left = [path for path in (folder / "out").rglob("*") if path.is_file() and path.suffix != ".onnx"]
    assert len(left) <= 2 * kills
    again = run(folder, *arguments)
    assert "24 models: 24 repaired, 24 known before" in again.stdout
    assert lines(folder / "j.jsonl") == every


def assert_whole(folder: Path, names: list[str]) -> None:
    """What the journal tells is there, and every output is a whole model."""
    text = (folder / "j.jsonl").read_bytes() if (folder / "j.jsonl").exists() else b""
    (folder / "whole.jsonl").write_bytes(text[: text.rfind(b"\n") + 1])
    places = [line["place"] for line in lines(folder / "whole.jsonl")]
    assert len(set(places)) == len(places)
    for name in names:
        output = folder / "out" / name.removeprefix("nets/")
        assert output.exists() or name not in places
        if output.exists():
            assert onnx.load(output).graph.node[0].op_type == "Resize"
    assert all(path.stat().st_size for path in (folder / "nets").rglob("*.onnx"))


def test_ctrl_c_ends_all_and_says_so(folder: Path) -> None:
    names = [*sick(folder, 3), *save(folder, "nets/hang1.onnx", "nets/hang2.onnx")]
    process = start(folder, "repair", "nets", *QUICK, *JOURNAL, "--jobs", "2")
    assert wait_until(lambda: len(performed(folder)) == len(names))
    assert wait_until(lambda: len(lines(folder / "j.jsonl")) == 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.startswith("onnxfix: interrupted: 3 of 5 models: 3 repaired")
    assert err.endswith("; the same command goes on from here\n")
    assert err.count("\n") == 1
    assert "Traceback" not in out
    assert not any(alive(worker) for worker, _ in performed(folder))
    assert len(lines(folder / "j.jsonl")) == 3
    assert not list(folder.rglob("*.onnxfix-tmp"))


def test_workers_end_with_a_batch_that_is_killed(folder: Path) -> None:
    save(folder, "nets/hang1.onnx", "nets/hang2.onnx")
    process = start(folder, "check", "nets", "--static", "--jobs", "2")
    assert wait_until(lambda: len(performed(folder)) == 2)
    process.kill()
    process.communicate()
    assert wait_until(lambda: not any(alive(worker) for worker, _ in performed(folder)), 10)


def known(folder: Path, *arguments: str) -> tuple[str, int]:
    """The summary of a repair of nets, and how many models were begun for it."""
    before = len(performed(folder))
    done = run(folder, "repair", "nets", *QUICK, *JOURNAL, *arguments)
    (summary,) = [line for line in done.stdout.splitlines() if " models: " in line]
    return summary.rpartition("   ")[0], len(performed(folder)) - before


def test_what_changed_is_done_again(folder: Path) -> None:
    save(folder, "nets/a.onnx", "nets/b.onnx", "nets/c.onnx", "nets/crash.onnx")
    (folder / "nets/bad.onnx").write_text("no model")
    assert known(folder) == ("5 models: 3 repaired, 2 failed", 5)
    assert known(folder) == ("5 models: 3 repaired, 2 failed, 5 known before", 0)
    save(folder, "nets/a.onnx", text=WELL)
    assert known(folder) == ("5 models: 2 repaired, 1 ready, 2 failed, 4 known before", 1)
    (folder / "nets/b.fixed.onnx").unlink()
    assert known(folder) == ("5 models: 2 repaired, 1 ready, 2 failed, 4 known before", 1)
    (folder / "nets/c.fixed.onnx").write_bytes(b"somebody else's")
    assert known(folder) == ("5 models: 2 repaired, 1 ready, 2 failed, 4 known before", 1)
    save(folder, "nets/bad.onnx")
    assert known(folder, "--retry") == ("5 models: 3 repaired, 1 ready, 1 failed, 3 known before", 2)
    assert known(folder, "--ignore", "OFX105") == ("5 models: 3 repaired, 1 ready, 1 failed", 5)
    assert len(lines(folder / "j.jsonl")) == 5 + 1 + 1 + 1 + 2 + 5


def test_an_output_without_a_line_is_written_again(folder: Path) -> None:
    save(folder, "nets/a.onnx", "nets/b.onnx")
    assert known(folder)[1] == 2
    (folder / "nets/b.fixed.onnx").write_bytes(b"half")
    journal = folder / "j.jsonl"
    (first,) = [line for line in journal.read_bytes().splitlines(keepends=True) if b'"nets/a.onnx"' in line]
    journal.write_bytes(first + b'{"key": "abc')
    assert known(folder)[1] == 1
    assert onnx.load(folder / "nets/b.fixed.onnx").graph.node[0].op_type == "Resize"
    assert Counter(line["place"] for line in lines(journal)) == {"nets/a.onnx": 1, "nets/b.onnx": 1}


def test_models_repaired_in_place_are_known(folder: Path) -> None:
    """Their content is another one after the repair, and that is theirs."""
    save(folder, "nets/a.onnx", "nets/b.onnx")
    save(folder, "nets/c.onnx", text=WELL)
    assert known(folder, "--in-place") == ("3 models: 2 repaired, 1 ready", 3)
    assert known(folder, "--in-place") == ("3 models: 2 repaired, 1 ready, 3 known before", 0)
    save(folder, "nets/a.onnx")
    assert known(folder, "--in-place") == ("3 models: 2 repaired, 1 ready, 2 known before", 1)


def test_a_weight_file_that_changed_is_a_change(folder: Path) -> None:
    model = onnx.parser.parse_model(WELL)
    model.graph.initializer.append(onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [4], bytes(16), raw=True))
    (folder / "nets").mkdir()
    save(folder, "nets/b.onnx")
    onnx.save(model, folder / "nets/a.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert known(folder)[1] == 2
    os.utime(folder / "nets/w.bin", (1, 1))
    assert known(folder)[1] == 1


def test_two_batches_on_one_journal(folder: Path) -> None:
    save(folder, "nets/hang.onnx", "nets/a.onnx")
    first = start(folder, "repair", "nets", *QUICK, *JOURNAL)
    assert wait_until(lambda: (folder / "j.jsonl").exists() and len(lines(folder / "j.jsonl")) == 1)
    second = run(folder, "repair", "nets", *QUICK, *JOURNAL)
    assert (second.returncode, second.stdout) == (2, "")
    said = "onnxfix: j.jsonl: another batch writes this journal (wait for it, or name another file)"
    assert second.stderr.splitlines()[-1] == said
    killed(first)
    assert len(lines(folder / "j.jsonl")) == 1


@pytest.mark.fuzz
def test_two_hundred_kills(folder: Path) -> None:
    names, random = sick(folder, 400), Random(9)
    arguments = ("repair", "nets", "-o", "out", *QUICK, *JOURNAL, "--jobs", "2")
    for _ in range(200):
        process = start(folder, *arguments, stdout=subprocess.DEVNULL)
        time.sleep(random.uniform(0.2, 2.5))
        killed(process)
        assert_whole(folder, names)
    assert run(folder, *arguments).returncode == 0
    assert Counter(line["place"] for line in lines(folder / "j.jsonl")) == Counter(names)
