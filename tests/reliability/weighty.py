"""A model to repair with its weights in a file beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

TEXT = """<ir_version: 8, opset_import: ["" : 11]> g (float[1,3,4,4] x) => (float[1,3000] z) {
    big = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x)
    flat = Flatten (big)
    z = MatMul (flat, w)
}"""


def proto_of(columns: int) -> onnx.ModelProto:
    """The model with its weights inside: 192 rows of so many float32 ones."""
    proto = onnx.parser.parse_model(TEXT.replace("3000", str(columns)))
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((192, columns), np.float32), "w"))
    return proto


def saved(folder: Path, columns: int = 3000) -> Path:
    """in/m.onnx with 2.3 MB of weights in in/w.bin, in/whole.onnx with the same inside, and an empty folder out."""
    for name in ("in", "out"):
        (folder / name).mkdir()
    onnx.save(proto_of(columns), folder / "in" / "whole.onnx")
    onnx.save(proto_of(columns), folder / "in" / "m.onnx", save_as_external_data=True, location="w.bin")
    return folder / "in" / "m.onnx"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, **options)  # type: ignore[call-overload, no-any-return]
