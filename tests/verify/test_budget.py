"""What does not fit into memory is not tried; what fits is never held back."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from onnxfix import machine
from onnxfix.model import Model, load
from onnxfix.model.wire import set_place
from onnxfix.verify import budget
from onnxfix.verify.budget import ENGINE, NUMERIC, available_memory, short_of_memory


def heavy(folder: Path, size: int) -> Model:
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) { y = Neg (x) }'
    )
    set_place(proto.graph.initializer.add(name="w", data_type=TensorProto.UINT8, dims=[size]), "w.bin", 0, size)
    (folder / "m.onnx").write_bytes(proto.SerializeToString())
    with (folder / "w.bin").open("wb") as file:
        file.truncate(size)
    return load(folder / "m.onnx")


@pytest.mark.parametrize(
    ("size", "free", "fits"),
    [
        (10**9, 3 * 10**9, True),
        (10**9, 2 * 10**9, False),
        (10**8, 1, True),  # so little is always tried
        (10**9, None, True),  # nobody can tell
    ],
)
def test_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, free: int | None, fits: bool) -> None:
    monkeypatch.setattr(budget, "available_memory", lambda: free)
    reason = short_of_memory(heavy(tmp_path, size), NUMERIC)
    assert (not reason) == fits
    if reason:
        expected = "the weights (1.0 GB) do not fit: about 2.0 GB of memory are needed, and 2.0 GB are available"
        assert reason == expected


def test_an_engine_needs_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "available_memory", lambda: 25 * 10**8)
    model = heavy(tmp_path, 10**9)
    assert not short_of_memory(model, NUMERIC)
    assert "about 3.0 GB of memory" in short_of_memory(model, ENGINE)


def test_a_control_group_has_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = available_memory()
    if not Path("/proc/meminfo").exists() or whole is None:
        pytest.skip("only Linux tells")
    monkeypatch.setattr(machine, "_CGROUPS", ((tmp_path / "memory.max", tmp_path / "memory.current"),))
    for limit, used, free in (("1000000", "400000", 600_000), ("100", "400", 0)):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
        assert available_memory() == free
    (tmp_path / "memory.max").write_text("max\n")
    assert (available_memory() or 0) > 10**6
