"""Weights in files beside the model: read only where two could be equal, once, and piece by piece."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import pytest

from benchmarks.diff import sparse_weights
from onnxfix.api.diff import diff
from onnxfix.changes import contents
from onnxfix.model import Model


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tensors that were read, in order."""
    names: list[str] = []
    plain = contents.tensor_digest

    def counted(model: Model, tensor: onnx.TensorProto) -> bytes:
        names.append(tensor.name)
        return plain(model, tensor)

    monkeypatch.setattr(contents, "tensor_digest", counted)
    return names


def test_a_file_that_both_models_share_is_read_once(tmp_path: Path, read: list[str]) -> None:
    sparse_weights(tmp_path / "a.onnx", 1 << 20, changed=False, tensors=4)
    shutil.copy(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert not diff(tmp_path / "a.onnx", tmp_path / "b.onnx").changes
    assert sorted(read) == ["w0", "w1", "w2", "w3"]


def test_a_tensor_is_read_once_for_its_digest_unless_a_sample_tells_it_apart(tmp_path: Path, read: list[str]) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        sparse_weights(tmp_path / name / "m.onnx", 1 << 20, changed=name == "b", tensors=4)
    (change,) = diff(tmp_path / "a" / "m.onnx", tmp_path / "b" / "m.onnx").changes
    assert (change.kind, change.subject, change.details["changed"]) == ("weight", "w2", 1)
    assert sorted(read) == ["w0", "w0", "w1", "w1", "w2", "w3", "w3"]


def test_inside_or_outside_of_the_file_is_no_change(tmp_path: Path) -> None:
    sparse_weights(tmp_path / "a.onnx", 1 << 20, changed=True, tensors=4)
    onnx.save(onnx.load(tmp_path / "a.onnx"), tmp_path / "b.onnx")
    assert not diff(tmp_path / "a.onnx", tmp_path / "b.onnx").changes
