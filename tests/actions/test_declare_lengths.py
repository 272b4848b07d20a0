"""Vectors of free length that can have one length only (OFX414)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest

import onnxfix

HEAD = '<ir_version: 8, opset_import: ["" : 18]>\n'
rtx = pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="needs TensorRT-RTX")
REFUSED = {
    "count": ("g (float[3,9] x, int64[n] k) => (float[3,b] v, int64[3,b] i) { v, i = TopK (x, k) }", "k", 1),
    "gathered": (
        "g (float[3,9] x, int64[n] k) => (float[3,b] v, int64[3,b] i) "
        "{ s = Shape (x) g = Gather (s, k) v, i = TopK (x, g) }",
        "k",
        1,
    ),
    "nameless": ("g (float[3,9] x, int64[?] k) => (float[3,b] v, int64[3,b] i) { v, i = TopK (x, k) }", "k", 1),
    "runs": (
        "g (float[4] x, int64[n] k) => (float[4] y) <bool t = {1}> { y = Loop (k, t, x) "
        "<body = b (int64 i, bool c, float[4] v) => (bool d, float[4] w) { d = Identity (c) w = Neg (v) }> }",
        "k",
        1,
    ),
    "pads-of-axes": (
        "g (float[3,4,5] x, int64[n] p) => (float[a,b,c] y) <int64[1] k = {2}> { y = Pad (x, p, , k) }",
        "p",
        2,
    ),
    "bias": (
        "g (float[1,2,8,8] x, float[4,1,3,3] w, float[n] b) => (float[1,4,6,6] y) { y = Conv <group = 2> (x, w, b) }",
        "b",
        4,
    ),
    "deconvolution": (
        "g (float[1,2,8,8] x, float[2,3,3,3] w, float[n] b) => (float[1,6,c,d] y) "
        "{ y = ConvTranspose <group = 2> (x, w, b) }",
        "b",
        6,
    ),
    "scales": (
        "g (float[1,3,4] x, float[n] s) => (int8[1,3,4] y) <int8[3] z = {0, 0, 0}> "
        "{ y = QuantizeLinear <axis = 1> (x, s, z) }",
        "s",
        3,
    ),
}
"""Models that TensorRT-RTX 1.7 refuses or crashes on, the input in question, and its only length."""


def saved(folder: Path, text: str) -> Path:
    onnx.save(onnx.parser.parse_model(HEAD + text), folder / "m.onnx")
    return folder / "m.onnx"


def declared(path: Path) -> dict[str, list[int | str]]:
    graph = onnx.load(path).graph
    return {
        value.name: [dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim]
        for value in graph.input
    }


@rtx
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_builds(name: str, tmp_path: Path) -> None:
    """With the length alone: what was refused for it is not rewritten besides."""
    text, vector, length = REFUSED[name]
    report = onnxfix.repair(saved(tmp_path, text), tmp_path / "out.onnx", target="rtx1.7")
    assert report.verdict.outcome == "passed" and report.exit_code == 0
    assert "vector-of-free-length" in {fix.rule for fix in report.fixes}
    assert {fix.rule for fix in report.fixes} <= {"vector-of-free-length", "constant-subgraph"}
    assert declared(tmp_path / "out.onnx")[vector] == [length]
    assert [(change.name, change.kind) for change in report.interface] == [(vector, "input")]


def test_without_the_target_too(tmp_path: Path) -> None:
    found = onnxfix.check(saved(tmp_path, REFUSED["count"][0]), target="rtx1.7", ask_target=False)
    assert found.state == "repairable"
    assert [item.code for item in found.diagnostics if item.level == "error"] == ["OFX414"]


def test_a_name_that_stands_for_more(tmp_path: Path) -> None:
    """Vectors of that name get the length; an input of another rank keeps the name, an output loses it."""
    text = (
        "g (float[n,9] x, int64[n] k, int64[n] s) => (float[m,b] v, int64[m,b] i, int64[n] t) "
        "{ v, i = TopK (x, k) t = Neg (s) }"
    )
    onnxfix.repair(saved(tmp_path, text), tmp_path / "out.onnx", target="rtx1.7", verify="none")
    assert declared(tmp_path / "out.onnx") == {"x": ["n", 9], "k": [1], "s": [1]}
    output = onnx.load(tmp_path / "out.onnx").graph.output[2].type.tensor_type.shape.dim[0]
    assert output.dim_param != "n" and output.dim_value in (0, 1)


def test_an_inner_value_of_the_same_name(tmp_path: Path) -> None:
    """What a branch calls k is not the input."""
    text = (
        "g (bool c, float[3,9] x, int64[n] k) => (float[d,e] y, int64[n] z) { z = Neg (k) y = If (c) "
        "<then_branch = t () => (float[f,h] p) { k = Shape (x) q = Unsqueeze (k, k) p, i = TopK (x, q) }, "
        "else_branch = e () => (float[f,h] r) { r = Neg (x) }> }"
    )
    model = onnx.parser.parse_model(HEAD + text)
    onnx.save(model, tmp_path / "m.onnx")
    found = onnxfix.check(tmp_path / "m.onnx", target="rtx1.7", ask_target=False)
    assert "OFX414" not in {item.code for item in found.diagnostics}
