"""A bug report has the messages, the smallest model without the user's weights, and the command."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxfix
from onnxfix.errors import OnnxfixError
from onnxfix.isolate.weights import randomized, weights_of, without_remarks
from onnxfix.model import Model

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
    assert "m.onnx: does not fail the check `build`" in (tmp_path / "r.md").read_text()


def test_another_kind_of_file(model: Path, tmp_path: Path) -> None:
    with pytest.raises(OnnxfixError, match=r"neither \.zip nor \.md"):
        onnxfix.bug_report(model, tmp_path / "r.pdf")


def test_weights_are_known_as_such() -> None:
    stored = {"w": np.ones((2, 2), np.float32), "one": np.array(1, np.float32), "shape": np.array([2, 2])}
    graph = onnx.helper.make_graph([], "g", [], [], [onnx.numpy_helper.from_array(a, n) for n, a in stored.items()])
    assert [weight.name for weight in weights_of(onnx.helper.make_model(graph))] == ["w"]


WHOLE_NUMBERS = ",".join(str(1000 + place) for place in range(80))
EVERYWHERE = f"""<ir_version: 10, opset_import: ["" : 21, "own" : 1], doc_string: "SECRET",
  metadata_props: ["licence": "SECRET"]>
g (float[2,2] x, bool c) => (float[2,2] y)
<float[2,2] w = {{7.125, 7.125, 7.125, 7.125}}, int8[4] q = {{77, 78, 77, 78}},
 int64[80] t = {{{WHOLE_NUMBERS}}}, int64[2] s = {{2, 2}}>
{{
  a = Add(x, w)
  b = own.f(a)
  k = Constant<value = float[2,2] {{7.125, 7.125, 7.125, 7.125}}>()
  d = Mul(b, k)
  y = If(c) <then_branch = one () => (float[2,2] u) <float[2,2] v = {{7.125, 7.125, 7.125, 7.125}}> {{ u = Add(d, v) }},
             else_branch = two () => (float[2,2] o) {{ o = Neg(d) }}>
}}
<domain: "own", opset_import: ["" : 21]>
f (m) => (n) {{ z = Constant<value = float[2] {{7.125, 7.125}}>() n = Add(m, z) }}
"""


def test_made_up_weights_wherever_they_are_stored() -> None:
    proto = onnx.parser.parse_model(EVERYWHERE)
    proto.graph.node[0].doc_string = proto.graph.doc_string = "SECRET"
    proto.graph.initializer[0].doc_string = proto.functions[0].doc_string = "SECRET"
    proto.graph.node[4].attribute[0].g.node[0].metadata_props.add(key="k", value="SECRET")
    assert len(weights_of(proto)) == 6
    blind = without_remarks(randomized(Model(proto), range(6)))
    onnx.checker.check_model(blind, full_check=True)
    held = blind.SerializeToString()
    assert b"SECRET" not in held and np.float32(7.125).tobytes() not in held and bytes([77, 78, 77, 78]) not in held
    assert not any(
        onnx.numpy_helper.to_array(weight).tobytes() == onnx.numpy_helper.to_array(old).tobytes()
        for weight, old in zip(weights_of(blind), weights_of(proto), strict=True)
    )
    assert list(onnx.numpy_helper.to_array(blind.graph.initializer[3])) == [2, 2]
    assert [node.op_type for node in blind.graph.node] == [node.op_type for node in proto.graph.node]


def test_what_is_told_of_the_machine_and_the_program(model: Path, tmp_path: Path) -> None:
    whole = onnx.load(model)
    for node in whole.graph.node:
        node.doc_string = "/home/someone/net.py(7): forward"
    whole.doc_string = "SECRET"
    onnx.save(whole, model)
    onnxfix.bug_report(model, tmp_path / "r.zip")
    with zipfile.ZipFile(tmp_path / "r.zip") as archive:
        for name in archive.namelist():
            held = archive.read(name)
            assert b"/home/someone" not in held and b"SECRET" not in held and str(tmp_path).encode() not in held, name
        assert "names of nodes and values are those of your model" in archive.read("report.md").decode()


def test_the_commands_of_a_page_show_the_refusal(model: Path, tmp_path: Path) -> None:
    onnxfix.bug_report(model, tmp_path / "r.md")
    commands = (tmp_path / "r.md").read_text().split("```console\n")[1].split("```")[0].replace("$ ", "")
    ended = subprocess.run(
        ["sh", "-c", commands.replace("onnxfix", f"{sys.executable} -m onnxfix")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "no importer for operator Det" in ended.stdout, ended.stderr
