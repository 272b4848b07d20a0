"""The text of a model, which git compares line by line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from page_models import hostile, residual

from onnxfix.model import load
from onnxfix.report.model_text import model_text

MODEL = """<ir_version: 8, opset_import: ["" : 17, "own" : 1], producer_name: "me", doc_string: "about">
g (float[N,4] x, bool c) => (float[N,4] y) <float[4] w = {1, 2, 3, 4}> {
  [first] a = Mul(x, w)
  k = Constant <value = float {2}> ()
  b = own.twice <scale: float = 0.1>(a)
  y = If(c) <then_branch = t () => (float[N,4] p) { p = Neg(b) },
             else_branch = e () => (float[N,4] r) { r = Add(a, k) }> }
<domain: "own", opset_import: ["" : 17]> twice <scale> (a) => (b) { b = LeakyRelu <alpha: float = @scale>(a) }"""


def lines(model: onnx.ModelProto) -> list[str]:
    return list(model_text(load(model)))


def test_everything_has_its_line() -> None:
    text = lines(onnx.parser.parse_model(MODEL))
    assert text[:5] == ["ir_version 8", "opset ai.onnx 17", "opset own 1", "producer me", "doc about"]
    assert "  input float[N,4] x" in text
    assert "  [first] a = Mul (x, w)" in text
    assert "  b = own.twice <scale = 0.100000001> (a)" in text
    assert "    p = Neg (b)" in text and "    r = Add (a, k)" in text
    assert "  b = LeakyRelu <alpha = @scale> (a)" in text
    assert "  output float[N,4] y" in text


CHANGES = [
    ("{1, 2, 3, 4}", "{1, 2, 3, 5}", 1),
    ("<value = float {2}>", "<value = float {3}>", 1),
    ("p = Neg(b)", "p = Abs(b)", 1),
    ("= 0.1>", "= 0.10000001>", 1),
    ("[first] ", "[second] ", 1),
    ("float[N,4] x", "float[M,4] x", 1),
    ("Mul(x, w)", "Mul(w, x)", 1),
    ('"" : 17, "own"', '"" : 18, "own"', 1),
    ("about", "About", 1),
]


@pytest.mark.parametrize("old, new, expected", CHANGES)
def test_a_change_changes_its_line_only(old: str, new: str, expected: int) -> None:
    one, two = (lines(onnx.parser.parse_model(text)) for text in (MODEL, MODEL.replace(old, new)))
    assert len(one) == len(two)
    assert sum(a != b for a, b in zip(one, two, strict=True)) == expected


def test_the_text_is_the_same_wherever_the_file_lies(tmp_path: Path) -> None:
    model = residual(10)
    onnx.save(model, tmp_path / "m.onnx")
    assert list(model_text(load(tmp_path / "m.onnx"))) == lines(model)
    assert lines(model)[2] == "graph net {"


def test_texts_are_harmless_and_their_ends_count() -> None:
    text = lines(hostile())
    assert all(line.isprintable() for line in text)
    assert max(map(len, text)) < 2500
    model = hostile()
    model.graph.node[3].doc_string += "x"
    assert lines(model) != text


def test_every_kind_of_attribute_counts() -> None:
    kinds = [1, 2.0, "text", [1, 2], [1.0, 2.0], ["a", "b"], numpy_helper.from_array(np.ones(3))]
    kinds += [helper.make_tensor_type_proto(1, [2]), list(range(1000)), [numpy_helper.from_array(np.ones(2))]]
    others = [2, 2.5, "Text", [1, 3], [1.0, 2.5], ["a", "c"], numpy_helper.from_array(np.zeros(3))]
    others += [helper.make_tensor_type_proto(1, [3]), [*range(999), 0], [numpy_helper.from_array(np.zeros(2))]]
    for one, two in zip(kinds, others, strict=True):
        texts = []
        for value in (one, one, two):
            model = residual(10)
            model.graph.node[0].attribute.append(helper.make_attribute("odd", value))
            texts.append(lines(model))
        assert texts[0] == texts[1] != texts[2]
