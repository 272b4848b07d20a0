"""Weights are never loaded: a model with 100 GB of them is worked with in the time and memory of a small one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxfix
from onnxfix.model import SELF, load, place_of, save
from onnxfix.model.wire import set_place
from tests.wire_fields import head

GIBIBYTE = 1 << 30
TENSORS = 10

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """m.onnx with ten tensors of 10 GiB in a sparse w.bin, and n.onnx, the same with the opset converted."""
    folder = tmp_path_factory.mktemp("large")
    path = folder / "m.onnx"
    path.write_bytes(_large().SerializeToString())
    with (folder / "w.bin").open("wb") as file:
        file.truncate(TENSORS * 10 * GIBIBYTE)
    yield folder
    assert (folder / "w.bin").stat().st_blocks * 512 < 1 << 24


def _large() -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 11]> g (float[1,1,4,4] x) => (float[1,1,8,8] y, float[8,335544320] z0) {
            y = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x)
            flat = Reshape (y, shape)
            z0 = MatMul (flat, w0)
        }"""
    )
    model.graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [2], [8, 8]))
    for index in range(TENSORS):
        dims = (8, 10 * GIBIBYTE // 32)
        tensor = model.graph.initializer.add(name=f"w{index}", data_type=TensorProto.FLOAT, dims=dims)
        set_place(tensor, "w.bin", index * 10 * GIBIBYTE, 10 * GIBIBYTE)
        if index:
            model.graph.node.append(helper.make_node("Sub", [f"z{index - 1}", f"w{index}"], [f"z{index}"]))
    model.graph.output[1].name = f"z{TENSORS - 1}"
    return model


def measured(*arguments: str, cwd: Path) -> tuple[subprocess.CompletedProcess[str], int, float]:
    """A command, the most memory its whole process tree had (bytes), and its CPU seconds."""
    words = [sys.executable, "-m", "onnxfix", *arguments]
    before = os.times()
    child = subprocess.Popen(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            peak[0] = max(peak[0], sum(map(resident, descendants(child.pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        out, err = child.communicate(timeout=300)
    finally:
        over.set()
        watcher.join()
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    return subprocess.CompletedProcess(words, child.returncode, out, err), peak[0], seconds


def descendants(process: int) -> Iterator[int]:
    yield process
    try:
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from descendants(int(child))
    except OSError:  # it has ended
        return


def resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


COMMANDS = {
    "check": ["check", "m.onnx", "--no-cache", "--format", "json"],
    "repair": ["repair", "m.onnx", "--verify", "none", "-o", "fixed.onnx"],
    "in place": ["repair", "copy.onnx", "--verify", "none", "--in-place"],
    "page": ["repair", "m.onnx", "--verify", "none", "-o", "fixed.onnx", "--html", "page.html"],
    "link": ["repair", "m.onnx", "--verify", "none", "-o", "out/fixed.onnx", "--external-data", "link"],
    "conversion": ["repair", "m.onnx", "--verify", "none", "--opset", "17", "-o", "converted.onnx"],
    "opset": ["opset", "m.onnx"],
    "diff": ["diff", "m.onnx", "m.onnx"],
    "diff of files": ["diff", "m.onnx", "other/m.onnx"],
    "show": ["show", "m.onnx"],
    "extract": ["extract", "m.onnx", "--inputs", "z3", "--outputs", "z5", "-o", "part.onnx"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_hundred_gigabytes_of_weights(folder: Path, name: str) -> None:
    (folder / "copy.onnx").write_bytes((folder / "m.onnx").read_bytes())
    for place in ("out", "other"):
        (folder / place).mkdir(exist_ok=True)
    (folder / "other" / "m.onnx").write_bytes((folder / "m.onnx").read_bytes())
    with (folder / "other" / "w.bin").open("wb") as file:
        file.truncate(TENSORS * 10 * GIBIBYTE)
    done, peak, seconds = measured(*COMMANDS[name], cwd=folder)
    assert done.returncode == (1 if name == "check" else 0), done.stderr
    assert peak < 500_000_000
    assert seconds < 10
    for path in folder.rglob("*.onnx"):
        assert path.stat().st_size < 10_000


def test_what_does_not_fit_is_not_tried(folder: Path) -> None:
    """Of a 100 GB model neither the numbers nor the engine are checked, and nothing unproven is written."""
    done, peak, seconds = measured("repair", "m.onnx", "-o", "proven.onnx", "--format", "json", cwd=folder)
    report = json.loads(done.stdout)
    checks = {check["kind"]: check for check in report["verdict"]["checks"]}
    assert done.returncode == 1
    for kind in ("numeric", "engine"):
        assert checks[kind]["outcome"] == "not_verified"
    assert "the weights (107 GB) do not fit: about 162 GB of memory are needed" in checks["numeric"]["reason"]
    assert (peak < 500_000_000, seconds < 10) == (True, True)
    assert not (folder / "proven.onnx").exists()


WHOLE = {
    "build": (["build", "m.onnx", "-o", "m.plan"], 269),
    "run": (["run", "m.onnx"], 269),
    "compare": (["compare", "m.onnx"], 269),
    "check --run": (["check", "m.onnx", "--static", "--no-cache", "--run"], 162),
    "reduce": (["reduce", "m.onnx", "--check", "parse", "-o", "small.onnx"], 269),
    "reduce to a value": (["reduce", "m.onnx", "--check", "nan", "-o", "small.onnx"], 162),
    "report": (["report", "m.onnx", "-o", "bug.zip"], 269),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_needs_all_weights_in_memory_says_so(folder: Path, name: str) -> None:
    """One line with what is needed, what is there and what to do, before a weight is read or copied."""
    arguments, gigabytes = WHOLE[name]
    before = set(folder.rglob("*"))
    done, peak, seconds = measured(*arguments, cwd=folder)
    assert done.returncode == 2
    said = rf"the weights \(107 GB\) do not fit: about {gigabytes} GB of memory are needed, and \S+ .?B are available"
    advice = r"\(run it where there is more memory, or on a part of the model: `onnxfix extract`\)"
    assert re.fullmatch(rf"onnxfix: m\.onnx: {said} {advice}\n", done.stderr)
    assert (peak < 500_000_000, seconds < 10) == (True, True)
    assert set(folder.rglob("*")) == before


def test_a_file_of_over_two_gibibytes_is_split(tmp_path: Path) -> None:
    """No protobuf library reads it; onnxfix does."""
    proto = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 11]> g (float[1,1,4,4] x, float[4,1000] q)
        => (float[1,1,8,8] y, float[4,?] z) {
            y = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x)
            z = MatMul (q, w)
        }"""
    )
    size = 600_000 * 4000
    graph, tensor = proto.graph.SerializeToString(), TensorProto(name="w", data_type=1, dims=[1000, 600_000])
    proto.ClearField("graph")
    start = tensor.SerializeToString() + head(9, size)
    middle = graph + head(5, len(start) + size) + start
    with (tmp_path / "m.onnx").open("wb") as file:
        file.write(proto.SerializeToString() + head(7, len(middle) + size) + middle)
        file.truncate(file.tell() + size)
    report = onnxfix.check(tmp_path / "m.onnx", target="rtx1.7")
    assert [item.code for item in report.diagnostics if item.level == "error"] == ["OFX001"]
    assert any("no parser reads a file of over 2 GiB" in note for note in report.notes) or not report.asked
    model = load(tmp_path / "m.onnx")
    assert model.extent(model.proto.graph.initializer[0]).length == size


def test_a_model_that_grows_over_two_gibibytes_is_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is lowered here, so that no gigabytes need to be written."""
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[2000] x) => (float[2000] y) { y = Add (x, w) }'
    )
    proto.graph.initializer.append(numpy_helper.from_array(np.arange(2000, dtype=np.float32), "w"))
    limit = len(proto.SerializeToString()) - 1
    monkeypatch.setattr(sys.modules["onnxfix.model.save"], "PROTOBUF_LIMIT", limit)
    save(load(proto), tmp_path / "m.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    (tensor,) = onnx.load(tmp_path / "m.onnx").graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), np.arange(2000, dtype=np.float32))


def test_a_message_near_the_limit_is_not_serialized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its large tensors go to the disk one after another; it is saved as it was, and not changed."""
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[2000] x) => (float[2000] y) { y = Add (x, w) }'
    )
    typed = helper.make_tensor("typed", TensorProto.INT64, [2000], range(2000))
    texts = TensorProto(name="texts", data_type=TensorProto.STRING, dims=[2], string_data=[b"a", b"b" * 9000])
    proto.graph.initializer.extend([numpy_helper.from_array(np.arange(2000, dtype=np.float32), "w"), typed, texts])
    before = proto.SerializeToString()
    monkeypatch.setattr("onnxfix.model.file._LARGE_MESSAGE", 1000)
    model = load(proto)
    assert [place_of(tensor)[0] for tensor in model.proto.graph.initializer] == [SELF, SELF, ""]
    save(model, tmp_path / "m.onnx")
    saved = onnx.load(tmp_path / "m.onnx")
    for one, other in zip(saved.graph.initializer, proto.graph.initializer, strict=True):
        np.testing.assert_array_equal(numpy_helper.to_array(one), numpy_helper.to_array(other))
    assert saved.graph.node == proto.graph.node
    assert proto.SerializeToString() == before
