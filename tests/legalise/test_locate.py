"""From the words of a real parser and builder to the node they are about."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import onnx
import pytest

from onnxfix import engine
from onnxfix.legalise.locate import located
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes

HEAD = '<ir_version: 8, opset_import: ["" : 18]>\n'

PARSER = {
    "a node with a name": ("g (float[6] x) => (float[N] y) { a = Relu(x) [wanted] y = Unique(a) }", "Unique"),
    "a node without a name": ("g (float[6] x) => (float[N] y) { a = Relu(x) y = Unique(a) }", "Unique"),
    "two nodes of one operator": (
        "g (float[6] x) => (float[N] y, float[M] z) { [one] y = Unique(x) a = Relu(x) [two] z = Unique(a) }",
        "Unique Unique",
    ),
    "two operators": (
        "g (float[6] x, float[3,3] s) => (float[N] y, float d) { y = Unique(x) d = Det(s) }",
        "Det Unique",
    ),
    "a node in a branch": (
        """g (bool c, float[6] x) => (float[6] y) { y = If (c) <
        then_branch = t () => (float[6] p) { a, b = Unique(x) p = Pow(x, x) },
        else_branch = e () => (float[6] q) { q = Relu(x) }> }""",
        "Unique",
    ),
}


def places(text: str, folder: Path) -> tuple[list[str], list[str]]:
    path = folder / "model.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + text), path)
    result = engine.build(path, "tensorrt_rtx", "8.9")
    assert not result.built
    scopes, _ = typed_scopes(load(path))
    parse, build = located(scopes, [asdict(error) for error in result.errors])
    names = [sorted(scope.nodes[index].op_type for scope, index, _ in found) for found in (parse, build)]
    return names[0], names[1]


@pytest.mark.parametrize("kind", PARSER)
def test_the_parser_is_understood(kind: str, tmp_path: Path) -> None:
    text, expected = PARSER[kind]
    parse, build = places(text, tmp_path)
    assert (" ".join(parse), build) == (expected, [])


def test_the_builder_is_understood(tmp_path: Path) -> None:
    text = """g (float[1,6000] x) => (float[1,5000] y) <int64[1] k = {5000}>
    { a = Relu(x) [top] v, i = TopK(a, k) y = Neg(v) }"""
    parse, build = places(text, tmp_path)
    assert parse == [] and "TopK" in build


def test_an_error_without_a_place_is_nobody(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + "g (float[6] x) => (float[6] y) { y = Relu(x) }"), path)
    scopes, _ = typed_scopes(load(path))
    error = {"code": "X", "message": "out of memory", "node": "", "op_type": "", "stage": "parse", "index": -1}
    assert located(scopes, [error, {**error, "stage": "build"}, {**error, "index": 7}]) == ([], [])
