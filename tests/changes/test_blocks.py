"""Large tensors are compared block by block, and what is told of them is what is told of small ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from onnxfix.api.diff import diff
from onnxfix.changes import blocks, figures
from onnxfix.changes.records import Change

RANDOM = np.random.default_rng(0)
W = RANDOM.random((60, 200), np.float32)
CHANGED = W.copy()
CHANGED[3, 5] += 1
HOLED = CHANGED.copy()
HOLED[7, 7] = np.nan

PAIRS: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "one value": (W, CHANGED),
    "a NaN": (W, HOLED),
    "transposed": (W, np.ascontiguousarray(W.T)),
    "a square transposed": (W[:, :60].copy(), np.ascontiguousarray(W[:, :60].T)),
    "reshaped": (W, W.reshape(120, 100)),
    "another shape": (W, CHANGED.reshape(120, 100)),
    "shuffled": (W, RANDOM.permutation(W.reshape(-1)).reshape(60, 200)),
    "rounded": (W, W.astype(np.float16)),
    "wider": (W.astype(np.float16), W.astype(np.float16).astype(np.float64)),
    "quantized": (W, np.round(W * 200).astype(np.uint8)),
    "integers": (np.arange(12_000), np.arange(1, 12_001)),
    "complex": (W.astype(np.complex64), CHANGED.astype(np.complex64)),
}


def saved(folder: Path, array: np.ndarray) -> Path:
    """A model that stores the array in w.bin and gives it back."""
    folder.mkdir()
    tensor = numpy_helper.from_array(array, "w")
    output = onnx.helper.make_tensor_value_info("y", tensor.data_type, None)
    node = onnx.helper.make_node("Identity", ["w"], ["y"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [output], [tensor]), ir_version=9)
    onnx.save(model, folder / "m.onnx", save_as_external_data=True, location="w.bin")
    return folder / "m.onnx"


def told(one: Path, two: Path) -> Change:
    (change,) = (change for change in diff(one, two).changes if change.kind == "weight")
    return change


@pytest.mark.parametrize("pair", PAIRS)
def test_the_same_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: str) -> None:
    files = [saved(tmp_path / name, array) for name, array in zip("ab", PAIRS[pair], strict=True)]
    expected = told(*files)
    monkeypatch.setattr(blocks, "LARGE", 1000)
    monkeypatch.setattr(figures, "BLOCK", 700)
    found = told(*files)
    assert (found.message, found.details["relation"]) == (expected.message, expected.details["relation"])
    for name in ("changed", "max", "not_finite", "histogram"):
        assert found.details.get(name) == expected.details.get(name)


def test_what_is_too_large_to_be_turned_around_is_compared_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [saved(tmp_path / name, array) for name, array in zip("ab", PAIRS["a square transposed"], strict=True)]
    monkeypatch.setattr(blocks, "LARGE", 1000)
    monkeypatch.setattr(blocks, "_WHOLE", 1000)
    assert told(*files).details["relation"] == "changed"


@pytest.mark.parametrize("size", [100, 9000, 200_000])
def test_a_tensor_is_the_same_wherever_its_numbers_are(tmp_path: Path, size: int) -> None:
    """In int64_data, raw_data or a file, large or small."""
    array = np.arange(size)
    first = saved(tmp_path / "a", array)
    model = onnx.load(first)
    onnx.save(model, tmp_path / "raw.onnx")
    model.graph.initializer[0].CopyFrom(onnx.helper.make_tensor("w", onnx.TensorProto.INT64, [size], array.tolist()))
    onnx.save(model, tmp_path / "typed.onnx")
    for other in ("raw.onnx", "typed.onnx"):
        assert not diff(first, tmp_path / other).changes
        assert not diff(tmp_path / other, first).changes
