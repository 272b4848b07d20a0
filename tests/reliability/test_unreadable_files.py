"""Files that are no model, and places where no model can be written: one line, exit code 2, nothing changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from fixtures import small

Refused = Callable[..., str]
WHOLE = small.build("upsample-in-11").SerializeToString()

FILES = {
    "empty": (b"", "is empty (export or download the model again)"),
    "text": (b"Hello, I am a text.\n", "is a text file"),
    "git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is a Git-LFS pointer"),
    "zip": (b"PK\x03\x04" + bytes(100), "is a zip archive"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file"),
    "html": (b"<!DOCTYPE html><html></html>", "is an HTML page"),
    "plan": (b"ftrt" + bytes(100), "is a TensorRT plan file"),
    "zeros": (bytes(5000), "is not an ONNX model"),
    "noise": (bytes(range(256)) * 20, "is not an ONNX model"),
    "cut": (WHOLE[:-20], "is truncated or damaged"),
    "cut in the header": (WHOLE[:1], "is truncated or damaged"),
    "only a header": (WHOLE[:2], "it holds no graph"),
    "a damaged tag": (WHOLE[:2] + b"\x0f" + WHOLE[3:], "is truncated or damaged"),
    "no UTF-8": (WHOLE.replace(b"Upsample", b"Ups\xff\xfeple"), "is truncated or damaged"),
}


@pytest.mark.parametrize("command", ["check", "repair", "show"])
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_model(refused: Refused, tmp_path: Path, kind: str, command: str) -> None:
    data, said = FILES[kind]
    (tmp_path / "m.onnx").write_bytes(data)
    assert f"onnxfix: m.onnx: {said}" in refused(command, "m.onnx").replace("is truncated or damaged: it", "it")


def test_a_model_cut_anywhere(refused: Refused, tmp_path: Path) -> None:
    """A cut at the end of the graph leaves a model without opset; every other cut is told."""
    for length in range(1, len(WHOLE)):
        (tmp_path / "m.onnx").write_bytes(WHOLE[:length])
        try:
            onnx.load_from_string(WHOLE[:length])
        except Exception:
            assert "m.onnx" in refused("show", "m.onnx")


@pytest.mark.parametrize("command", ["check", "repair", "show"])
def test_no_file_at_all(refused: Refused, command: str) -> None:
    assert "onnxfix: absent.onnx: no such file" in refused(command, "absent.onnx")


def test_a_folder(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert "holds no .onnx file" in refused("repair", "folder")
    assert "holds no .onnx file" in refused("check", "folder")


@pytest.mark.skipif(os.name == "nt", reason="POSIX special files")
def test_things_that_are_no_files(refused: Refused, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("absent")
    assert "not a regular file" in refused("check", "pipe")
    assert "not a regular file" in refused("repair", "/dev/zero")
    assert "loop" in refused("check", "loop")
    assert "nowhere: is a link to nothing (fetch what it points to" in refused("check", "nowhere")


@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "absent.bin", "link.bin", "short.bin", "."])
@pytest.mark.parametrize("command", ["check", "repair"])
def test_weights_elsewhere(refused: Refused, tmp_path: Path, location: str, command: str) -> None:
    model = small.build("upsample-in-11")
    tensor = model.graph.initializer.add(name="w", data_type=onnx.TensorProto.FLOAT, dims=[4])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    tensor.external_data.add(key="length", value="16")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "short.bin").write_bytes(bytes(15))
    (tmp_path / "link.bin").symlink_to("/etc/hostname")
    said = refused(command, "m.onnx")
    assert "tensor 'w'" in said
    assert repr(location) in said or f"of {location}, which has 15 bytes" in said


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "m.onnx").write_bytes(WHOLE)
    return tmp_path / "m.onnx"


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("absent/o.onnx", "there is no folder 'absent' (make it, or choose another -o)"),
        ("m.onnx", "is the input itself (use --in-place to replace it)"),
        ("link.onnx", "is the input itself"),
        ("folder", "folder/m.onnx: is a folder (name a file)"),
        (".", "is the input itself"),
        ("m.onnx/o.onnx", "there is no folder 'm.onnx'"),
        ("/dev/null", "is not a regular file"),
        ("n" * 300, "cannot be written: File name too long"),
    ],
)
def test_places_where_nothing_can_be_written(refused: Refused, tmp_path: Path, output: str, said: str) -> None:
    (tmp_path / "folder/m.onnx").mkdir(parents=True)
    (tmp_path / "link.onnx").symlink_to("m.onnx")
    assert said in refused("repair", "m.onnx", "--verify", "none", "-o", output)


def test_the_weights_of_the_input_are_not_written_over(refused: Refused, tmp_path: Path) -> None:
    model = small.build("upsample-in-11")
    model.graph.initializer.append(onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [4], bytes(16), raw=True))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert "holds the weights of the input" in refused("repair", "m.onnx", "--verify", "none", "-o", "w.bin")


@pytest.mark.usefixtures("model")
def test_recorded_inputs_that_are_none(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no arrays")
    for name in ("absent.npz", "text.npz", "."):
        assert name in refused("repair", "m.onnx", "--verify", "numeric", "--inputs", name)
