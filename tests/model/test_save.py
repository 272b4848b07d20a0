"""A saved model is complete, or not there; its weights are where it says."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from onnxfix.errors import ModelFileError
from onnxfix.model import Model, Weights, draft, load, save, weight_files
from onnxfix.model.settling import lasting, settled
from onnxfix.model.weights import relocated

TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[3000] x) => (float[3000] y)
<float[1] w = {0.0}, float[2] v = {1.0, 2.0}> { y = Add(x, w) }
"""
W = np.arange(3000, dtype=np.float32)


def proto() -> onnx.ModelProto:
    model = onnx.parser.parse_model(TEXT)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(W, "w"))
    return model


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A model whose weights lie in in/w.bin, behind 4096 bytes of something else."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    path = tmp_path / "in" / "m.onnx"
    onnx.save(proto(), path, save_as_external_data=True, location="w.bin", size_threshold=100)
    return path


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_comes_back_as_it_was(tmp_path: Path) -> None:
    onnx.save(proto(), tmp_path / "a.onnx")
    save(load(tmp_path / "a.onnx"), tmp_path / "b.onnx")
    assert onnx.load(tmp_path / "b.onnx") == proto()
    assert names(tmp_path) == ["a.onnx", "b.onnx"]


def test_a_message_is_saved_too(tmp_path: Path) -> None:
    save(load(proto()), tmp_path / "b.onnx")
    assert onnx.load(tmp_path / "b.onnx") == proto()


def test_in_the_same_folder_the_weights_stay(outside: Path) -> None:
    save(load(outside), outside.with_name("b.onnx"))
    assert names(outside.parent) == ["b.onnx", "m.onnx", "w.bin"]
    assert onnx.load(outside.with_name("b.onnx")) == onnx.load(outside)


def test_in_another_folder_the_weights_are_copied(outside: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    save(load(outside), out / "b.onnx")
    assert names(out) == ["b.onnx", "b.onnx.data"]
    (tensor, _) = onnx.load(out / "b.onnx").graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), W)
    onnx.checker.check_model(out / "b.onnx", full_check=True)


def test_a_weight_file_that_is_there_is_never_overwritten(outside: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "b.onnx.data").write_bytes(b"somebody's")
    save(load(outside), out / "b.onnx")
    save(load(outside), out / "b.onnx")
    assert names(out) == ["b.onnx", "b.onnx.1.data", "b.onnx.2.data", "b.onnx.data"]
    assert (out / "b.onnx.data").read_bytes() == b"somebody's"
    assert load(out / "b.onnx").array(load(out / "b.onnx").proto.graph.initializer[0]).tolist() == W.tolist()


def test_a_name_that_the_model_there_refers_to_is_not_used(outside: Path, tmp_path: Path) -> None:
    """Its weights are lost: were the new ones under their name for a moment, it would load and be wrong."""
    out = tmp_path / "out"
    save(load(outside), out / "b.onnx")
    (out / "b.onnx.data").unlink()
    save(load(outside), out / "b.onnx")
    assert names(out) == ["b.onnx", "b.onnx.1.data"]


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_another_process_takes_meanwhile(
    outside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Between the choice of the names and the renaming; with hard links, and on a file system without them."""
    out, taken = tmp_path / "out", ["b.onnx.data", "b.onnx.1.data"]

    def slow(model: Model, renamed: Mapping[str, str]) -> Model:
        for name in taken[:1]:
            (out / taken.pop(0)).write_text(name)
        return relocated(model, renamed)

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(sys.modules["onnxfix.model.save"], "relocated", slow)
    if not links:
        monkeypatch.setattr(os, "link", refused)
    save(load(outside), out / "b.onnx")
    assert names(out) == ["b.onnx", "b.onnx.1.data", "b.onnx.2.data", "b.onnx.data"]
    for name in ("b.onnx.data", "b.onnx.1.data"):
        assert (out / name).read_text() == name
    repaired = load(out / "b.onnx")
    assert weight_files(repaired) == ["b.onnx.2.data"]
    assert repaired.array(repaired.proto.graph.initializer[0]).tolist() == W.tolist()


def test_of_several_weight_files_all_or_none_get_their_names(tmp_path: Path) -> None:
    """The second name cannot be given: the first one is taken back."""
    files = [tmp_path / ".one", tmp_path / ".two"]
    for path in (*files, tmp_path / "draft"):
        path.write_text(path.name)
    given = lasting(tmp_path / "b.onnx", files, frozenset({"b.onnx.1.data"}))
    assert [path.name for path in given.values()] == ["b.onnx.data", "b.onnx.2.data"]
    (tmp_path / "b.onnx.2.data").write_text("another's")
    with pytest.raises(FileExistsError), settled(tmp_path / "draft", tmp_path / "b.onnx", given):
        raise AssertionError("unreached")
    assert names(tmp_path) == [".one", ".two", "b.onnx.2.data", "draft"]
    assert [path.read_text() for path in files] == [".one", ".two"]


def test_an_unpublished_draft_leaves_nothing(outside: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    model = load(outside)
    with Weights(model, out / "b.onnx") as weights, draft(model, out / "b.onnx", weights) as file:
        assert len(names(out)) == 2
        onnx.checker.check_model(file.path, full_check=True)
        assert not (out / "b.onnx").exists()
    assert names(out) == []


def test_an_exception_leaves_nothing(outside: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    model = load(outside)
    with pytest.raises(KeyError), Weights(model, out / "b.onnx") as weights, draft(model, out / "b.onnx", weights):
        raise KeyError
    (outside.parent / "w.bin").unlink()
    with pytest.raises(ModelFileError, match="is missing"):
        load(outside)
    assert names(out) == []


def test_a_name_that_becomes_a_folder_leaves_nothing(outside: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    model = load(outside)
    with Weights(model, out / "b.onnx") as weights, draft(model, out / "b.onnx", weights) as file:
        (out / "b.onnx").mkdir()
        with pytest.raises(ModelFileError, match=r"b\.onnx: cannot be written"):
            file.publish()
    assert names(out) == ["b.onnx"]


def test_embedded_weights(outside: Path, tmp_path: Path) -> None:
    save(load(outside), tmp_path / "out" / "b.onnx", embed=True)
    assert names(tmp_path / "out") == ["b.onnx"]
    assert onnx.load(tmp_path / "out" / "b.onnx") == proto()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")
    path.chmod(mode)
    save(load(proto()), path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert onnx.load(path) == proto()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_new_file_has_the_permissions_of_new_files(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    save(load(proto()), tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_files_of_killed_runs_go_after_a_day(tmp_path: Path) -> None:
    left, fresh, other = (tmp_path / name for name in (".m.onnx.1.onnxfix-tmp", ".m.onnx.2.onnxfix-tmp", ".m.onnx.txt"))
    for path in (left, fresh, other):
        path.touch()
    for path in (left, other):
        os.utime(path, (0, 0))
    save(load(proto()), tmp_path / "m.onnx")
    assert names(tmp_path) == [".m.onnx.2.onnxfix-tmp", ".m.onnx.txt", "m.onnx"]


@pytest.mark.parametrize("name", ["é" * 120 + ".onnx", "m" * 250])
def test_long_names(tmp_path: Path, name: str) -> None:
    save(load(proto()), tmp_path / name)
    assert names(tmp_path) == [name]


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be written: No such file or directory"):
        save(load(proto()), tmp_path / "absent" / "m.onnx")
