"""Files are read as they were when they were opened, or not at all; new tensors lie behind them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from onnxfix.errors import ModelFileError
from onnxfix.model import SELF, load, place_of
from onnxfix.model import model as models
from onnxfix.model.stored import Extent, ModelBytes, StoredFile

DATA = bytes(range(256)) * 1000


@given(st.integers(0, len(DATA)), st.integers(0, len(DATA)))
def test_a_file_is_indexed_and_sliced_like_bytes(tmp_path_factory: pytest.TempPathFactory, one: int, two: int) -> None:
    path = tmp_path_factory.getbasetemp() / "data"
    if not path.exists():
        path.write_bytes(DATA)
    file = StoredFile(path, held=True)
    assert file[one:two] == DATA[one:two]
    for place in {one, two} - {len(DATA)}:
        assert file[place] == DATA[place]


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: os.truncate(path, 10), "changed while onnxfix worked"),
        (lambda path: path.write_bytes(DATA + b"x"), "changed while onnxfix worked"),
        (lambda path: os.utime(path, (1, 1)), "changed while onnxfix worked"),
        (Path.unlink, "vanished or cannot be read any more"),
        (lambda path: path.with_name("new").replace(path), "changed while onnxfix worked"),
    ],
)
def test_a_file_that_is_spoilt(tmp_path: Path, spoil: Callable[[Path], object], said: str, held: bool) -> None:
    """A held one is read to its end when its name is gone or has gone to another file."""
    path = tmp_path / "data"
    path.write_bytes(DATA)
    (tmp_path / "new").write_bytes(DATA)
    file = StoredFile(path, held=held)
    spoil(path)
    if held and ("vanished" in said or not (tmp_path / "new").exists()):
        assert file.read(1000, 20) == DATA[1000:1020]
        return
    for use in (lambda: file.read(1000, 20), file.check):
        with pytest.raises(ModelFileError, match=said) as error:
            use()
        assert str(error.value).startswith(str(path))


TRUNCATED = """
import os, sys
from pathlib import Path
from onnxfix.model.stored import StoredFile
file = StoredFile(Path(sys.argv[1]), held=True)
file[0]
os.truncate(sys.argv[1], 0)
try:
    file[100_000]
except Exception as error:
    print(type(error).__name__)
"""


def test_a_file_made_shorter_kills_nobody(tmp_path: Path) -> None:
    """What a mapped file does: the process ends with SIGBUS."""
    (tmp_path / "data").write_bytes(DATA)
    words = [sys.executable, "-c", TRUNCATED, str(tmp_path / "data")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "ModelFileError\n")


def test_holes_of_a_sparse_file(tmp_path: Path) -> None:
    with (tmp_path / "data").open("wb") as file:
        file.truncate(1 << 30)
        file.seek(1 << 29)
        file.write(b"something")
    stored = StoredFile(tmp_path / "data")
    if not stored.is_hole(0, 4096):
        pytest.skip("this file system does not tell holes")
    assert stored.is_hole(1 << 28, 1 << 20)
    assert not stored.is_hole(1 << 29, 1)
    assert stored.is_hole((1 << 30) - 4096, 4096)


def test_new_bytes_lie_behind_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    store = ModelBytes(StoredFile(tmp_path / "data"))
    places = [store.append(data) for data in (b"one", b"second")]
    assert [store.read(place, 3) for place in (0, *places)] == [DATA[:3], b"one", b"sec"]
    assert len(store) == len(DATA) + 9
    far = [store.take(Extent(StoredFile(tmp_path / "data"), offset, 100)) for offset in (5, 7)]
    assert [store.read(place + 1, 4) for place in far] == [DATA[6:10], DATA[8:12]]


def test_a_large_new_tensor_leaves_the_skeleton() -> None:
    model = load(
        onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) { y = Neg (x) }'
        )
    )
    array = np.arange(1 << 19, dtype=np.float32)
    for name, values in (("large", array), ("small", array[:100])):
        model.proto.graph.initializer.append(numpy_helper.from_array(values, name))
    large, small = model.lightened().proto.graph.initializer
    assert place_of(large) == (SELF, len(model.buffer) - array.nbytes, array.nbytes)
    np.testing.assert_array_equal(model.array(large), array)
    assert small.raw_data == array[:100].tobytes()
    assert model.proto.graph.ByteSize() < 1000


def test_only_so_much_is_read_in_passing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 1 MiB of one large tensor and 2 MiB in all here; what was readable stays so."""
    monkeypatch.setattr(models, "_LARGE", 1 << 10)
    monkeypatch.setattr(models, "_IN_PASSING", 1 << 20)
    monkeypatch.setattr(models, "_IN_ALL", 2 << 20)
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) { y = Neg (x) }'
    )
    for number, size in enumerate([100, 1 << 20, (1 << 20) + 1, 1 << 20, 1 << 20, 200]):
        tensor = proto.graph.initializer.add(name=f"w{number}", data_type=TensorProto.UINT8, dims=[size])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "w.bin"), ("offset", number), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    (tmp_path / "w.bin").write_bytes(bytes(2 << 20))
    model = load(tmp_path / "m.onnx")
    readable = [True, True, False, True, False, True]
    for _ in range(2):
        assert [model.is_readable(tensor) for tensor in model.proto.graph.initializer] == readable
        model = model.with_proto(model.proto)
