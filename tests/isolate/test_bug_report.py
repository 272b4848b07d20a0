"""A bug report has the messages, the smallest model without the user's weights, and the command."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxfix
from onnxfix.errors import OnnxfixError
from onnxfix.isolate.shrink import loose_weights

pytest.importorskip("tensorrt_rtx")
HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
SECRET = 41.25


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A Det with a weight of its own; the parser has no importer for it."""
    whole = onnx.parser.parse_model(
        HEAD + "g (float[4,4] x) => (float k, float[4,4] y) { a = Mul(x, w) k = Det(w) y = Relu(a) }"
    )
    whole.graph.initializer.append(onnx.numpy_helper.from_array(np.full((4, 4), SECRET, np.float32), "w"))
    file = tmp_path / "m.onnx"
    onnx.save(whole, file)
    return file


def test_the_archive(model: Path, tmp_path: Path) -> None:
    found = onnxfix.bug_report(model, tmp_path / "r.zip")
    with zipfile.ZipFile(found.output) as archive:
        assert sorted(archive.namelist()) == ["report.json", "report.md", "small.onnx"]
        small = onnx.load_model_from_string(archive.read("small.onnx"))
        text, document = archive.read("report.md").decode(), json.loads(archive.read("report.json"))
    assert [node.op_type for node in small.graph.node] == ["Det"]
    assert not any((onnx.numpy_helper.to_array(t) == SECRET).any() for t in small.graph.initializer)
    assert "Det: no importer for operator Det" in text and "onnxfix build small.onnx" in text
    assert document["errors"][0]["op_type"] == "Det" and document["doctor"]["findings"]


def test_a_page(model: Path, tmp_path: Path) -> None:
    onnxfix.bug_report(model, tmp_path / "r.md")
    text = (tmp_path / "r.md").read_text()
    assert "= Det" in text and "TensorRT-RTX" in text and str(tmp_path) not in text


def test_a_model_that_builds(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { y = Relu(x) }"), file)
    found = onnxfix.bug_report(file, tmp_path / "r.md")
    assert found.reduced is None and not found.errors
    assert "builds an engine of the model" in (tmp_path / "r.md").read_text()


def test_another_kind_of_file(model: Path, tmp_path: Path) -> None:
    with pytest.raises(OnnxfixError, match=r"neither \.zip nor \.md"):
        onnxfix.bug_report(model, tmp_path / "r.pdf")


def test_weights_are_known_as_such() -> None:
    stored = {"w": np.ones((2, 2), np.float32), "one": np.array(1, np.float32), "shape": np.array([2, 2])}
    graph = onnx.helper.make_graph([], "g", [], [], [onnx.numpy_helper.from_array(a, n) for n, a in stored.items()])
    assert loose_weights(onnx.helper.make_model(graph)) == ["w"]
