"""kill -9 of a repair with weight files, before every step and at any time: never a model with the weights of another.

A model that loads and is wrong would be the worst.  What a killed run left is gone after the next one.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import onnx
import pytest
from onnx import numpy_helper

import onnxfix
from onnxfix.model import load
from tests.reliability.killed import INTERRUPTED, Server, served
from tests.reliability.weighty import proto_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
KILLED = 9
KILLS_EACH = 11


@dataclass(frozen=True)
class Case:
    """A repair of in/m.onnx, or of in/whole.onnx, which is larger than `limit` bytes.

    `before` says what is at the output already: nothing, the result of another model, or that without its weights.
    """

    mode: str
    output: str = "out/o.onnx"
    before: str = "nothing"
    limit: int = 0

    @property
    def source(self) -> str:
        return "in/whole.onnx" if self.limit else "in/m.onnx"

    @property
    def repair(self) -> dict[str, object]:
        place = {"in_place": True} if self.output == self.source else {"output": self.output}
        return {"model": self.source, "external_data": self.mode, **place}


MODES = [Case("copy"), Case("link"), Case("embed"), Case("reference", "o.onnx"), Case("auto", limit=20_000)]
BESIDE = [Case("copy", "in/o.onnx"), Case("link", "in/o.onnx"), Case("reference", "in/o.onnx")]
IN_PLACE = [Case("copy", "in/m.onnx"), Case("link", "in/m.onnx"), Case("auto", "in/m.onnx"), Case("embed", "in/m.onnx")]
AGAIN = [Case(case.mode, case.output, "older", case.limit) for case in MODES]
LOST = [Case("copy", before="without weights"), Case("auto", before="without weights", limit=20_000)]
CASES = [*MODES, *BESIDE, *IN_PLACE, *AGAIN, *LOST]
QUICK = {"copy out/o.onnx older", "link out/o.onnx nothing", "copy in/m.onnx nothing", "embed in/m.onnx nothing"} | {
    "auto out/o.onnx older over the limit",
    "copy out/o.onnx without weights",
    "reference o.onnx nothing",
}
INTERRUPTED_CASES = [Case("copy", before="older"), Case("link", "in/m.onnx")]


def name_of(case: Case) -> str:
    return f"{case.mode} {case.output} {case.before}{' over the limit' if case.limit else ''}"


def prepared(folder: Path, case: Case, columns: int) -> Path:
    """What the folder holds before: the models whose weights are ones, at the output one whose weights are twos."""
    for name in ("in", "out", "old"):
        (folder / name).mkdir(parents=True)
    onnx.save(proto_of(columns), folder / "in" / "whole.onnx")
    onnx.save(proto_of(columns), folder / "in" / "m.onnx", save_as_external_data=True, location="w.bin")
    if case.before != "nothing":
        old = proto_of(columns)
        old.graph.name = "old"
        twos = 2 * numpy_helper.to_array(old.graph.initializer[0])
        old.graph.initializer[0].CopyFrom(numpy_helper.from_array(twos, "w"))
        onnx.save(old, folder / "old" / "m.onnx", save_as_external_data=True, location="w.bin")
        onnxfix.repair(folder / "old" / "m.onnx", folder / case.output, external_data="copy", verify="none")
        if case.before == "without weights":
            (folder / f"{case.output}.data").unlink()
    shutil.rmtree(folder / "old")
    return folder


def restore(folder: Path, kept: Path) -> None:
    """The folder as it was; its name stays, in which a server works."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(kept, folder, dirs_exist_ok=True)


@dataclass(frozen=True)
class Found:
    """The model at a place: the name of its graph, its first operator, and its weight files."""

    name: str
    operator: str
    files: frozenset[str]


def found(path: Path) -> Found | None:
    """None for no model; one that is there has its own weights, or finds none."""
    if not path.exists():
        return None
    proto = onnx.load(path, load_external_data=False)
    (tensor,) = (tensor for tensor in proto.graph.initializer if tensor.name == "w")
    files = frozenset(entry.value for entry in tensor.external_data if entry.key == "location")
    if all((path.parent / name).exists() for name in files):
        model = load(path)
        values = model.array(next(tensor for tensor in model.proto.graph.initializer if tensor.name == "w"))
        assert (values == (2 if proto.graph.name == "old" else 1)).all()
    else:
        assert proto.graph.name == "old"
    return Found(proto.graph.name, proto.graph.node[0].op_type, files)


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def killed_and_checked(folder: Path, case: Case, before: Found | None) -> Found | None:
    """What is there after a repair that was killed: the model of before or the new one, and all else as it was."""
    output = folder / case.output
    assert (folder / "in" / "w.bin").read_bytes() == (folder.parent / "kept" / "in" / "w.bin").read_bytes()
    for path in (folder.parent / "kept" / "in").glob("*.onnx"):
        assert path.name == output.name or (folder / "in" / path.name).read_bytes() == path.read_bytes()
    after = found(output)
    assert after == before or (after and (after.name, after.operator) == ("g", "Resize"))
    return after


def next_one_cleans(server: Server, folder: Path, case: Case, known: list[Found | None]) -> None:
    """The same repair once more: then the files are there that models refer to or referred to, and no others."""
    if case.output == case.source:  # in place, where it may be repaired by now
        shutil.copy(folder.parent / "kept" / case.source, folder / case.source)
    assert server.repair(case.repair, limit=case.limit)[0] == 0
    last = found(folder / case.output)
    assert last is not None
    assert (last.name, last.operator) == ("g", "Resize")
    parent = Path(case.output).parent
    named = {str(parent / name) for item in (*known, last) if item for name in item.files}
    inputs = files_of(folder.parent / "kept")
    assert inputs | {case.output} <= files_of(folder) <= inputs | {case.output} | named


@pytest.mark.parametrize("case", [case for case in CASES if name_of(case) in QUICK], ids=name_of)
def test_a_kill_before_every_step_of_some(tmp_path: Path, case: Case) -> None:
    every_step(tmp_path, case, KILLED)


@pytest.mark.fuzz
@pytest.mark.parametrize("case", [case for case in CASES if name_of(case) not in QUICK], ids=name_of)
def test_a_kill_before_every_step_of_all_others(tmp_path: Path, case: Case) -> None:
    every_step(tmp_path, case, KILLED)


@pytest.mark.parametrize("case", INTERRUPTED_CASES, ids=name_of)
def test_ctrl_c_at_every_step(tmp_path: Path, case: Case) -> None:
    """Nothing stays but what a step of cleaning up itself was to remove, and the next run removes that."""
    every_step(tmp_path, case, INTERRUPTED << 8)


def every_step(tmp_path: Path, case: Case, ending: int) -> None:
    """A repair that ends so before each of its steps, and the one after it."""
    kept, folder = prepared(tmp_path / "kept", case, 30), tmp_path / "work"
    folder.mkdir()
    with served(folder) as server:
        restore(folder, kept)
        before = found(folder / case.output)
        status, steps, _ = server.repair(case.repair, limit=case.limit)
        assert (status, steps > 3) == (0, True)
        for step in range(steps):
            restore(folder, kept)
            ended = server.repair(case.repair, step=step, interrupt=ending != KILLED, limit=case.limit)[0]
            assert ended == ending
            after = killed_and_checked(folder, case, before)
            drafts = [name for name in files_of(folder) if name.endswith(".onnxfix-tmp")]
            assert ending == KILLED or len(drafts) <= 1
            next_one_cleans(server, folder, case, [before, after])


@pytest.mark.fuzz
def test_two_hundred_kills_at_any_time(tmp_path: Path) -> None:
    """While a model with 8 MB of weights is written: all cases in turn; the next run cleans what every second left."""
    random, left = Random(0), Counter[str]()
    for number, case in enumerate(CASES):
        base = tmp_path / str(number)
        kept, folder = prepared(base / "kept", case, 10_000), base / "work"
        folder.mkdir()
        with served(folder) as server:
            restore(folder, kept)
            before = found(folder / case.output)
            status, _, duration = server.repair(case.repair, limit=case.limit)
            assert status == 0
            kills = 0
            while kills < KILLS_EACH:
                restore(folder, kept)
                status, *_ = server.repair(case.repair, seconds=random.uniform(0, duration), limit=case.limit)
                kills += status == KILLED
                after = killed_and_checked(folder, case, before)
                draft = any(name.endswith(".onnxfix-tmp") for name in files_of(folder))
                left["ended" if status == 0 else "new" if after != before else "draft" if draft else "nothing"] += 1
                if kills % 2:
                    next_one_cleans(server, folder, case, [before, after])
        shutil.rmtree(base)
    print(dict(left))
    assert sum(left.values()) - left["ended"] >= 200
    assert left["draft"] >= 50
