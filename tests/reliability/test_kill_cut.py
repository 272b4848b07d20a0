"""kill -9 and Ctrl-C before every step of a repair with a cut: a rest that is there is that of the model beside it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxfix
from onnxfix.model import load
from tests.reliability.killed import INTERRUPTED, served

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
KILLED = 9

TEXT = """<ir_version: 8, opset_import: ["" : 11]> g (float[1,3,4,4] x) => (float[1,30] z) {
    big = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x)
    flat = Flatten (big)
    h = MatMul (flat, w)
    r = Relu (h)
    z = Mul (r, v)
}"""
REPAIRS: dict[str, dict[str, object]] = {
    "copy": {"output": "out/m.onnx", "external_data": "copy"},
    "reference": {"output": "m.fixed.onnx", "external_data": "reference"},
    "in place": {"in_place": True},
}


def model(path: Path, value: float) -> None:
    """A model whose weights, before and behind the cut, are of one value and lie in a file beside it."""
    proto = onnx.parser.parse_model(TEXT)
    for name, shape in (("w", (192, 30)), ("v", (30,))):
        proto.graph.initializer.append(numpy_helper.from_array(np.full(shape, value, np.float32), name))
    onnx.save(proto, path, save_as_external_data=True, location=f"{path.stem}.bin", size_threshold=0)


def found(path: Path) -> str:
    """The first operator of a model and the value of its weights, which must be whole; "" without a model."""
    if not path.exists():
        return ""
    loaded = load(path)
    weights = [loaded.array(tensor).ravel() for tensor in loaded.proto.graph.initializer if tensor.name in "wv"]
    (value,) = set(np.concatenate(weights).tolist())
    return f"{loaded.proto.graph.node[0].op_type} {value:g}"


def prepared(folder: Path, place: str) -> Path:
    """The model m.onnx of ones, and at `place` the pair of a cut one of twos."""
    folder.mkdir()
    (folder / "out").mkdir()
    model(folder / "old.onnx", 2)
    onnxfix.repair(folder / "old.onnx", folder / place, cut="Relu", external_data="embed", verify="none")
    if place != "m.onnx":
        model(folder / "m.onnx", 1)
    return folder


@pytest.mark.parametrize("ending", [KILLED, INTERRUPTED << 8], ids=["kill", "Ctrl-C"])
@pytest.mark.parametrize("mode", REPAIRS)
def test_a_rest_is_that_of_its_model(tmp_path: Path, mode: str, ending: int) -> None:
    order: dict[str, object] = {"model": "m.onnx", "cut": "Relu", **REPAIRS[mode]}
    place = str(order.get("output", "m.onnx"))
    kept, folder = prepared(tmp_path / "kept", place), tmp_path / "work"
    if mode == "in place":  # the rest beside the model is of a cut of before
        model(kept / "m.onnx", 1)
    rest = folder / place.replace(".onnx", ".rest.onnx")
    new = "Resize 1", "Relu 1"
    old = "Upsample 1" if mode == "in place" else "Resize 2", "Relu 2"
    assert (found(kept / place), found(kept / rest.relative_to(folder))) == old
    folder.mkdir()
    seen = set()
    with served(folder) as server:
        restore(folder, kept)
        status, steps, _ = server.repair(order)
        assert (status, (found(folder / place), found(rest))) == (0, new)
        for step in range(steps):
            restore(folder, kept)
            assert server.repair(order, step=step, interrupt=ending != KILLED)[0] == ending
            pair = found(folder / place), found(rest)
            assert pair in {old, (new[0], ""), new} or (pair == (old[0], "") and ending == KILLED)
            seen.add(pair)
            if mode != "in place":
                assert server.repair(order)[0] == 0
                assert (found(folder / place), found(rest)) == new
                assert not list(folder.rglob(".*.onnxfix-tmp"))
    assert {old, (new[0], "")} <= seen


def restore(folder: Path, kept: Path) -> None:
    """The folder as it was; its name stays, in which a server works."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(kept, folder, dirs_exist_ok=True)


def test_the_old_rest_comes_back_when_the_result_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepared(tmp_path / "kept", "out/m.onnx")
    before = sorted(path.name for path in (folder / "out").iterdir())
    replace = Path.replace

    def refusing(self: Path, target: Path) -> Path:
        if target.name == "m.onnx":
            raise PermissionError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refusing)
    with pytest.raises(onnxfix.OnnxfixError, match=r"m\.onnx: cannot be written: Permission denied"):
        onnxfix.repair(folder / "m.onnx", folder / "out" / "m.onnx", cut="Relu", verify="none")
    assert [found(folder / "out" / name) for name in ("m.onnx", "m.rest.onnx")] == ["Resize 2", "Relu 2"]
    assert sorted(path.name for path in (folder / "out").iterdir()) == before


def test_a_rest_does_not_replace_the_input(tmp_path: Path) -> None:
    model(tmp_path / "m.rest.onnx", 1)
    with pytest.raises(onnxfix.OnnxfixError, match="is the input itself, and the rest would replace it"):
        onnxfix.repair(tmp_path / "m.rest.onnx", tmp_path / "m.onnx", cut="Relu", verify="none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.rest.bin", "m.rest.onnx"]
