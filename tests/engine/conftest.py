"""The library that is loaded, played by the stand-in of a release; a plan that TensorRT-RTX has built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from standin import Module

from onnxfix.api import engines
from onnxfix.engine import builder, inspector

DYNAMIC = '<ir_version: 8, opset_import: ["" : 17]> g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }'
TEXT = '<ir_version: 8, opset_import: ["" : 13]> g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }'


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the stand-in of a release the library that is loaded."""

    def use(track: str, key: str) -> Module:
        module = Module(track, key)
        for room in (builder, inspector):
            monkeypatch.setattr(room, "load", lambda _: module)
        return module

    return use


@pytest.fixture
def model(tmp_path: Path) -> Path:
    onnx.save(onnx.parser.parse_model(TEXT), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with m.onnx, m.plan for compute capability 8.9 and its sidecar."""
    folder = tmp_path_factory.mktemp("plan")
    onnx.save(onnx.parser.parse_model(DYNAMIC), folder / "m.onnx")
    options = engines.BuildOptions(compute_capabilities=("8.9",), described=True)
    assert engines.build(folder / "m.onnx", folder / "m.plan", options, target="rtx").exit_code == 0
    return folder
