"""benchmarks.refusals goes on where it was, and its page says what it found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from benchmarks import refusals
from benchmarks.cases import Case
from benchmarks.refusals import Row, measure, rows_of
from benchmarks.refusals_page import page

pytest.importorskip("tensorrt_rtx")
TEXTS = {
    "well": "g (float[2] x) => (float[2] y) { a = Abs(x) y = Relu(a) }",
    "det": "g (float[2,2] x) => (float y) { a = Abs(x) d = Det(a) y = Relu(d) }",
    "zero": "g (float[4] x, float s, int8 z) => (int8[4] y) { a = Relu(x) y = QuantizeLinear(a, s, z) }",
}


def cases() -> Iterator[Case]:
    for name, text in TEXTS.items():
        model = onnx.parser.parse_model('<ir_version: 8, opset_import: ["" : 17]>\n' + text)
        yield Case(name, "node", model, {}, {})


def test_parser_and_builder_are_asked_and_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "all_cases", cases)
    state = tmp_path / "state.jsonl"
    assert [row.case for row in measure(state, 2, 1e9)] == ["well", "det"]
    with state.open("a") as file:
        file.write('{"case": "zero", "sta')  # killed while writing
    state.write_text(state.read_text() + "\n")
    assert [row.case for row in measure(state, 9, 1e9)] == ["zero"]
    assert not list(measure(state, 9, 1e9)) and not list(measure(tmp_path / "other", 9, 0))
    rows = rows_of(state)
    assert [(row.stage, row.left, row.after) for row in rows.values()] == [
        ("", "", 0),
        ("parse", "Det", 1),
        ("build", "QuantizeLinear", 1),
    ]
    assert rows["det"].repaired and rows["det"].rules == ("OFX707",)


def test_the_page() -> None:
    det = Row("a", "parse", "parse Det", "no importer for operator Det", "Det", 3, 1, 4, True, ("OFX790",))
    rows = [Row("w"), det, replace(det, case="b", repaired=False, rules=(), why="x refuses it"), Row("c", trouble="no")]
    text = page(rows, 9)
    assert "asked: 4 of 9" in text and "refused: 2 (2 by the parser, 0 by the builder)" in text
    assert "repaired: 1 of 2" in text and "explained: 2 of 2" in text and "errors of the search: 1" in text
    assert "| 2 | parser | Det | `no importer for operator Det` | 1 | OFX790 | no-importer |" in text
    assert "| 1 | Det | the operator has no importer" in text
