"""Repairs and checks of models in stores: what goes where, and under which names it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import onnx
import pytest
from batch_runs import SICK, WELL
from stored import model, write

from onnxfix.batch import store
from onnxfix.batch.near import near, renamed
from onnxfix.batch.task import Line, Task, perform
from onnxfix.errors import OnnxfixError

QUICK = {"target": "rtx1.7", "verify": "none"}
SICK_URL, GOAL = "memory://nets/a.onnx", "memory://made/deep/a.onnx"


@pytest.fixture(autouse=True)
def nets(temporary: Path) -> Iterator[Any]:
    """The file system of a store with a model to repair; nothing may be left in the folder for temporary files."""
    system = fsspec.filesystem("memory")
    system.store.clear()  # all tests of a process share it
    write(SICK_URL, onnx.parser.parse_model(SICK).SerializeToString())
    yield system
    system.store.clear()
    assert not list(temporary.iterdir())


def repair(place: str, **settings: Any) -> Line:
    return perform(Task(place, "repair", {**QUICK, **settings}))


def at(place: str) -> onnx.ModelProto:
    with fsspec.open(place) as file:
        return onnx.load_from_string(file.read())


def found(system: Any) -> list[str]:
    return sorted(system.find("/"))


@pytest.mark.parametrize(
    ("settings", "goal"),
    [({}, "memory://nets/a.fixed.onnx"), ({"in_place": True}, SICK_URL), ({"output": GOAL}, GOAL)],
)
def test_a_result_in_a_store_is_told_under_its_url(settings: dict[str, Any], goal: str, nets: Any) -> None:
    line = repair(SICK_URL, **settings)
    assert (line["outcome"], line["place"]) == ("repaired", SICK_URL)
    assert (line["report"]["model"], line["report"]["output"]) == (SICK_URL, goal)
    assert line["written"] == {goal: store.state(goal)}
    assert at(goal).graph.node[0].op_type == "Resize"
    assert at(SICK_URL).graph.node[0].op_type == ("Resize" if "in_place" in settings else "Upsample")
    assert "onnxfix-far" not in json.dumps(line)
    assert found(nets) == sorted({"/nets/a.onnx", goal.removeprefix("memory:/")})


def test_a_local_model_goes_to_a_store_with_its_weights(tmp_path: Path) -> None:
    line = repair(str(model(tmp_path / "local")), output="memory://made/m.onnx", opset=17)
    assert line["outcome"] == "repaired"
    with store.fetched("memory://made/m.onnx") as copy:
        assert onnx.load(copy).opset_import[0].version == 17
        weights = next(path.name for path in copy.parent.iterdir() if path.suffix != ".onnx")
    assert any(weights in note for note in line["report"]["notes"])


def test_a_model_in_a_store_goes_to_this_machine(tmp_path: Path) -> None:
    line = repair(SICK_URL, output=str(tmp_path / "new" / "a.onnx"))
    assert line["report"]["output"] == str(tmp_path / "new" / "a.onnx")
    assert onnx.load(tmp_path / "new" / "a.onnx").graph.node[0].op_type == "Resize"


def test_what_needs_no_repair_is_written_when_an_output_is_named(nets: Any) -> None:
    write(SICK_URL, onnx.parser.parse_model(WELL).SerializeToString())
    assert repair(SICK_URL)["written"] == {}
    assert repair(SICK_URL, in_place=True)["written"] == {}
    assert found(nets) == ["/nets/a.onnx"]
    assert list(repair(SICK_URL, output="memory://made/a.onnx")["written"]) == ["memory://made/a.onnx"]
    assert at("memory://made/a.onnx") == at(SICK_URL)


def test_a_dry_run_writes_nothing(nets: Any) -> None:
    assert repair(SICK_URL, dry_run=True)["outcome"] == "repairable"
    assert found(nets) == ["/nets/a.onnx"]


@pytest.mark.parametrize("output", [None, "memory://made/a.onnx"])
def test_what_was_cut_off_goes_beside_the_result(output: str | None) -> None:
    two = WELL.replace("[relu] y = Relu (x)", "[relu] h = Relu (x) [abs] y = Abs (h)")
    write(SICK_URL, onnx.parser.parse_model(two).SerializeToString())
    line = repair(SICK_URL, cut="abs", output=output)
    head = (output or "memory://nets/a.fixed.onnx").removesuffix(".onnx")
    assert line["outcome"] == "repaired", line
    assert list(line["written"]) == [f"{head}.onnx", f"{head}.rest.onnx"]
    assert (line["report"]["output"], line["report"]["rest"]) == (f"{head}.onnx", f"{head}.rest.onnx")
    assert [at(f"{head}{end}.onnx").graph.node[0].op_type for end in ("", ".rest")] == ["Relu", "Abs"]


def test_a_check_is_told_under_the_url() -> None:
    line = perform(Task(SICK_URL, "check", {"targets": ["trt8.6"]}))
    assert line["reports"][0]["model"] == SICK_URL
    assert "onnxfix-far" not in json.dumps(line)


def test_credentials_are_in_no_line(tmp_path: Path) -> None:
    place = "memory://user:secret@nets/a.onnx"
    write(place, onnx.parser.parse_model(SICK).SerializeToString())
    for line in (repair(place), repair(place, output=str(tmp_path)), repair(place.replace("a.onnx", "b.onnx"))):
        assert line["place"].startswith("memory://nets/")
        assert "secret" not in json.dumps(line)


@pytest.mark.parametrize("settings", [{"output": SICK_URL}, {"output": GOAL, "in_place": True}])
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], nets: Any) -> None:
    line = repair(SICK_URL, **settings)
    assert line["error"]["kind"] == "refused"
    assert line["error"]["message"].startswith(SICK_URL)
    assert found(nets) == ["/nets/a.onnx"]


def test_errors_of_the_work_name_the_url() -> None:
    words = r"^memory://nets/a\.onnx: wrong in memory://nets/w\.bin$"
    with pytest.raises(OnnxfixError, match=words), near(SICK_URL) as files:
        raise OnnxfixError(f"wrong in {files.model.parent}/w.bin", where=str(files.model))


def test_local_places_stay_as_they_are() -> None:
    with near("a.onnx", "b.onnx", repairs=True) as files:
        assert (files.model, files.output, files.publish(["b.onnx"])) == (Path("a.onnx"), Path("b.onnx"), ["b.onnx"])
        assert files.told(report := {"model": "a.onnx"}) is report


def test_longer_paths_are_renamed_first() -> None:
    names = {"/x/": "s3://b/", "/x/a.onnx": "s3://c/z.onnx"}
    assert renamed({"/x/a.onnx": ["/x/w", 3, None]}, names) == {"s3://c/z.onnx": ["s3://b/w", 3, None]}
