"""Models with weight files, and files in stores."""

from __future__ import annotations

from pathlib import Path

import fsspec
import onnx
from onnx.external_data_helper import convert_model_to_external_data

TEXT = """<ir_version: 8, opset_import: ["" : 13]>
g (float[4] x) => (float[4] y) <float[4] w = {1.0, 2.0, 3.0, 4.0}> { y = Add (x, w) }"""


def write(url: str, data: bytes) -> None:
    with fsspec.open(url, "wb") as file:
        file.write(data)


def at(root: str, name: str) -> str:
    head, mark, tail = root.partition("::")
    return f"{head}/{name}{mark}{tail}"


def model(folder: Path, name: str = "m.onnx", weights: str = "w.bin", scale: float = 1.0) -> Path:
    """A model with one weight file in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    proto = onnx.parser.parse_model(TEXT)
    stored = onnx.numpy_helper.to_array(proto.graph.initializer[0]) * scale
    proto.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(stored.astype("float32"), "w"))
    convert_model_to_external_data(proto, location=weights, size_threshold=0)
    (folder / weights).unlink(missing_ok=True)
    onnx.save(proto, folder / name)
    return folder / name


def upload(local: Path, root: str, *names: str) -> None:
    for name in names:
        write(at(root, name), (local.parent / name).read_bytes())
