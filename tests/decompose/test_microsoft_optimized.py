"""Networks that ONNX Runtime has optimized and saved: TensorRT-RTX takes them again, with the same numbers."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from onnxfix.api.repair import repair
from tests.decompose.optimized import convolutional, decoder, encoder, fused, operators, optimized
from tests.decompose.proving import builds

NETWORKS = {
    "encoder, free sizes": encoder(("N", "S"), 14),
    "encoder, fixed sizes": encoder((2, 5), 17),
    "encoder, opset 12": encoder(("N", "S"), 12),
    "decoder": decoder(14),
    "convolutional": convolutional(1, 13),
    "convolutional, free batch": convolutional("N", 17),
}


@pytest.mark.parametrize("level", ["EXTENDED", "ALL"])
@pytest.mark.parametrize("name", list(NETWORKS))
def test_optimized_network(name: str, level: str, tmp_path: Path) -> None:
    saved = optimized(NETWORKS[name], level)
    assert any(operator.startswith("com.microsoft") for operator in operators(saved))
    repaired(saved, tmp_path)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("sizes", [("N", "S"), (2, 5)])
def test_fused_encoder(half: bool, sizes: tuple[int | str, int | str], tmp_path: Path) -> None:
    saved = fused(encoder(sizes, 14), 8, half=half)
    assert {"com.microsoft.Attention", "com.microsoft.SkipLayerNormalization"} <= operators(saved)
    repaired(saved, tmp_path)


def repaired(saved: onnx.ModelProto, tmp_path: Path) -> None:
    """Refused before; proven, built and without ONNX Runtime's own operators after."""
    assert not builds(saved)
    onnx.save(saved, tmp_path / "saved.onnx")
    report = repair(tmp_path / "saved.onnx", tmp_path / "repaired.onnx", target="rtx1.7")
    assert report.unwritten == "", report.unwritten
    result = onnx.load(tmp_path / "repaired.onnx")
    foreign = {operator for operator in operators(result) if "com.microsoft" in operator}
    assert foreign <= {"com.microsoft.Gelu"}  # which is the standard's, and TensorRT takes it by its name
    assert builds(result)
