"""What travels to a worker that does not see the files of a task, and what comes back."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from batch_runs import save
from stored import model

from onnxfix import __version__
from onnxfix.batch import baggage
from onnxfix.batch.near import renamed
from onnxfix.batch.rayworker import work
from onnxfix.batch.task import Task
from onnxfix.errors import ModelFileError

QUICK = {"target": "rtx1.7", "verify": "none"}


def order(task: Task, **other: Any) -> dict[str, Any]:
    fields = {"place": task.place, "verb": task.verb, "settings": dict(task.settings)}
    seen = baggage.states(task)
    return {"version": __version__, "task": fields, "seconds": 60.0, "seen": seen, "token": "", **other}


def test_a_worker_says_what_it_lacks(tmp_path: Path) -> None:
    task = Task(save(tmp_path, "a.onnx")[0], "repair", QUICK)
    assert work(order(task, version="9.9"), None) == {"version": __version__, "node": platform.node()}
    assert work(order(task, token=str(tmp_path / "token")), None) == {"unseen": True}
    other = order(task)
    Path(task.place).write_bytes(b"another")
    assert work(other, None) == {"unseen": True}
    Path(task.place).unlink()
    assert work(other, None) == {"unseen": True}


def test_a_worker_that_sees_the_files_does_the_task_there(tmp_path: Path) -> None:
    task = Task(save(tmp_path, "a.onnx")[0], "repair", QUICK)
    reply = work(order(task), None)
    assert (reply["line"]["outcome"], reply["files"]) == ("repaired", {})
    assert (tmp_path / "a.fixed.onnx").exists()


@pytest.mark.parametrize("settings", [{}, {"in_place": True}, {"output": "models/b.onnx"}, {"output": "made/a.onnx"}])
def test_files_travel_and_results_come_back(
    settings: dict[str, Any], tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = model(tmp_path / "models", "a.onnx", "w.bin")
    given = Task("models/a.onnx", "repair", {**QUICK, "opset": 17, **settings})
    task, names = baggage.absolute(given)
    files = baggage.packed(task)
    assert set(files) == {"model/a.onnx", "model/w.bin"}
    reply = work(order(task), files)
    assert not list(temporary.iterdir())
    assert onnx.load(own).opset_import[0].version == 13
    baggage.placed(task, reply["files"])
    goal = settings.get("output", "models/a.onnx" if settings else "models/a.fixed.onnx")
    assert onnx.load(tmp_path / goal).opset_import[0].version == 17
    assert len(list((tmp_path / "models").glob("*.bin"))) == 1
    line = renamed(reply["line"], names)
    assert (line["place"], line["report"]["model"], line["report"]["output"]) == (
        "models/a.onnx",
        "models/a.onnx",
        goal,
    )
    assert list(line["written"]) == [goal]


def test_weights_come_back_before_their_model(tmp_path: Path) -> None:
    model(tmp_path / "models", "a.onnx", "w.bin")
    task = Task(
        str(tmp_path / "models" / "a.onnx"), "repair", {**QUICK, "opset": 17, "output": str(tmp_path / "b.onnx")}
    )
    names = list(work(order(task), baggage.packed(task))["files"])
    assert names[-1] == "made/b.onnx"
    assert len(names) == 2


def test_inputs_and_rules_travel_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.zeros((1, 3, 4, 4), "float32"))
    (tmp_path / "rules" / "deep").mkdir(parents=True)
    (tmp_path / "rules" / "deep" / "a.toml").write_text("# none")
    settings = {"inputs": str(tmp_path / "in.npz"), "rules": [str(tmp_path / "rules")]}
    task = Task(save(tmp_path, "a.onnx")[0], "repair", settings)
    files = baggage.packed(task)
    assert set(files) == {"model/a.onnx", "inputs/in.npz", "rules/0/deep/a.toml"}
    assert set(map(Path, baggage.states(task))) == {
        tmp_path / name for name in ("a.onnx", "in.npz", "rules/deep/a.toml")
    }
    own, _ = baggage.unpacked(task, files, tmp_path / "home")
    assert Path(own.settings["inputs"]).read_bytes() == files["inputs/in.npz"]
    assert (Path(own.settings["rules"][0]) / "deep" / "a.toml").exists()


def test_what_is_too_large_to_travel_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(save(tmp_path, "a.onnx")[0], "repair", QUICK)
    files = baggage.packed(task)
    monkeypatch.setattr(baggage, "LARGEST", 50)
    with pytest.raises(ModelFileError, match=r"a\.onnx: \d+ bytes are too many to send"):
        baggage.packed(task)
    line = work(order(task), files)["line"]
    assert "too large to be sent back" in line["error"]["message"]


@pytest.mark.parametrize("name", ["a b%20#.onnx", "ä&=+.onnx", "[a]*.onnx", "a?b.onnx"])
def test_files_with_odd_names_travel(name: str, tmp_path: Path) -> None:
    task = Task(save(tmp_path, name)[0], "repair", QUICK)
    baggage.placed(task, work(order(task), baggage.packed(task))["files"])
    assert onnx.load(tmp_path / name.replace(".onnx", ".fixed.onnx")).graph.node[0].op_type == "Resize"


def test_a_name_that_is_a_chain_of_urls_does_not_travel(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be sent"):
        baggage.packed(Task(save(tmp_path, "a::b.onnx")[0], "repair", QUICK))


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none\.onnx: cannot be read: No such file"):
        baggage.states(Task(str(tmp_path / "none.onnx"), "check"))
    (own := model(tmp_path / "models")).with_name("w.bin").unlink()
    with pytest.raises(ModelFileError, match=r"weight file 'w\.bin' is missing"):
        baggage.packed(Task(str(own), "check"))


def test_a_model_by_url_stays_where_it_is(tmp_path: Path) -> None:
    task = Task("s3://bucket/a.onnx", "repair", {**QUICK, "output": str(tmp_path / "a.onnx")})
    assert (baggage.states(task), baggage.packed(task)) == ({}, {})
    own, _ = baggage.unpacked(task, {}, tmp_path)
    assert (own.place, own.settings["output"]) == (task.place, f"file://{tmp_path}/made/a.onnx")
    assert baggage.output_folder(Task(task.place, "repair", {"output": "s3://bucket/b.onnx"})) is None
