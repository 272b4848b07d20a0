"""Stores on this machine, through fsspec: listed, fetched and put, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
from stored import at, model, upload, write

from onnxfix.batch import store


def test_a_listing_has_places_sizes_and_states(root: str) -> None:
    for name, data in (("a.onnx", b"123"), ("b.txt", b""), ("c.data", b"")):
        write(at(root, name), data)
    folder, file, pattern = (store.listing(url) for url in (root, at(root, "a.onnx"), at(root, "*.onnx")))
    assert folder == file == pattern
    assert [(entry.place, entry.size) for entry in folder] == [(at(root, "a.onnx"), 3)]
    assert folder[0].state == store.state(at(root, "a.onnx"))


def test_another_content_is_another_state(root: str) -> None:
    write(at(root, "a.onnx"), b"123")
    before = store.state(at(root, "a.onnx"))
    write(at(root, "a.onnx"), b"456")
    assert store.state(at(root, "a.onnx")) != before


def test_exactly_the_weights_of_the_model_are_fetched(root: str, tmp_path: Path, temporary: Path) -> None:
    local = model(tmp_path / "local", weights="deep.bin")
    write(at(root, "unused.bin"), b"unused")
    upload(local, root, "m.onnx", "deep.bin")
    with store.fetched(at(root, "m.onnx")) as copy:
        assert {path.name: path.read_bytes() for path in copy.parent.iterdir()} == {
            name: (local.parent / name).read_bytes() for name in ("m.onnx", "deep.bin")
        }
        assert copy.is_relative_to(temporary)
    assert not list(temporary.iterdir())


def test_what_is_put_is_whole_and_finds_its_weights(root: str, tmp_path: Path) -> None:
    names = store.put(model(tmp_path / "local", scale=3), at(root, "out.onnx"))
    assert list(names) == ["w.bin"]
    with store.fetched(at(root, "out.onnx")) as copy:
        assert onnx.numpy_helper.to_array(onnx.load(copy).graph.initializer[0]).tolist() == [3, 6, 9, 12]
    assert [entry.place for entry in store.listing(root)] == [at(root, "out.onnx")]
    assert sorted(path.name for path in (tmp_path / "local").iterdir()) == ["m.onnx", "w.bin"]


def test_two_models_with_one_name_for_their_weights_keep_apart(root: str, tmp_path: Path) -> None:
    for scale in (1, 2):
        store.put(model(tmp_path / f"local{scale}", scale=scale), at(root, f"{scale}.onnx"))
    for scale in (1, 2):
        with store.fetched(at(root, f"{scale}.onnx")) as copy:
            assert onnx.numpy_helper.to_array(onnx.load(copy).graph.initializer[0])[0] == scale


def test_weights_that_lie_there_already_stay(root: str, tmp_path: Path) -> None:
    local = model(tmp_path / "local")
    upload(local, root, "w.bin")
    state = store.state(at(root, "w.bin"))
    assert store.put(local, at(root, "m.onnx"), present=["w.bin"]) == {}
    assert store.state(at(root, "w.bin")) == state
    with store.fetched(at(root, "m.onnx")):
        pass


def test_what_an_earlier_try_has_brought_is_not_sent_again(root: str, tmp_path: Path) -> None:
    names = store.put(model(tmp_path / "local"), at(root, "m.onnx"))
    before = store.state(at(root, names["w.bin"]))
    store.put(tmp_path / "local" / "m.onnx", at(root, "again.onnx"))
    assert store.state(at(root, names["w.bin"])) == before


def test_a_local_batch_imports_no_fsspec() -> None:
    code = "import sys, onnxfix.batch.run, onnxfix.batch.pool, onnxfix.batch.near; print('fsspec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
