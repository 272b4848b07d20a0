"""The fixpoint ends: by itself, or with the names of the rules that keep it from ending."""

from __future__ import annotations

import time
from pathlib import Path

import onnx
import pytest
from endings import write_rule

import onnxfix
from onnxfix.errors import NotConverged
from onnxfix.fixpoint import rounds
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, repair_model
from onnxfix.model import load

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'


def own(folder: Path, text: str, **options: object) -> Outcome:
    """What the rules of a folder alone make of a model."""
    model = onnx.parser.parse_model(HEAD + text)
    return repair_model(load(model), load_rules((folder,)), Options(select=("own",), **options))  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The family of a rule is the name of its folder."""
    return tmp_path / "own"


def test_two_rules_that_fight_are_named_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    write_rule(folder, "AAA001", "y = Relu (x)", "y = Abs (x)")
    write_rule(folder, "AAA002", "y = Abs (x)", "y = Relu (x)")
    write_rule(folder, "AAA003", "y = Sin (x)", "y = Cos (x)")
    file, output = tmp_path / "m.onnx", tmp_path / "out.onnx"
    onnx.save(onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { a = Sin(x) y = Relu(a) }"), file)
    before = file.read_bytes()
    with pytest.raises(NotConverged) as caught:
        onnxfix.repair(file, output, rules=[folder], verify="none")
    assert str(caught.value) == (
        f"{file}: the fixes do not come to an end, the model is left as it was "
        "(these rules undo each other or never end: AAA001 own-aaa001, AAA002 own-aaa002; --ignore one of them)"
    )
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "own"]
    assert onnxfix.repair(file, output, rules=[folder], ignore=["AAA002"], verify="none").exit_code == 0


def test_a_ring_of_three_rules(folder: Path) -> None:
    for code, one, other in (("AAA001", "Relu", "Abs"), ("AAA002", "Abs", "Neg"), ("AAA003", "Neg", "Relu")):
        write_rule(folder, code, f"y = {one} (x)", f"y = {other} (x)")
    with pytest.raises(NotConverged, match="AAA001 own-aaa001, AAA002 own-aaa002, AAA003 own-aaa003"):
        own(folder, "g (float[2] x) => (float[2] y) { y = Abs(x) }")


def test_a_rule_that_fights_itself_in_place(folder: Path) -> None:
    write_rule(folder, "AAA001", "y = Add (a, b)", "y = Add (b, a)")
    with pytest.raises(NotConverged, match="AAA001"):
        own(folder, "g (float[2] x, float[2] z) => (float[2] y) { y = Add(x, z) }")


def test_a_rule_that_adds_a_node_for_ever(folder: Path) -> None:
    write_rule(folder, "AAA001", "y = Relu (x)", "a = Abs (x)\ny = Relu (a)")
    with pytest.raises(NotConverged, match="AAA001"):
        own(folder, "g (float[2] x) => (float[2] y) { y = Relu(x) }")


def test_a_rule_that_doubles_its_nodes_ends_soon(folder: Path) -> None:
    write_rule(folder, "AAA001", "y = Relu (x)", "a = Relu (x)\ny = Relu (a)")
    started = time.process_time()
    with pytest.raises(NotConverged, match="AAA001"):
        own(folder, "g (float[2] x) => (float[2] y) { y = Relu(x) }")
    assert time.process_time() - started < 30


def test_the_rounds_are_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round of this rule takes one node; as many rounds as allowed are an end, one more is none."""
    write_rule(folder, "AAA001", "a = Abs (x)\ny = Relu (a)", "b = Relu (x)\ny = Exp (b)")
    monkeypatch.setattr(rounds, "MAX_ROUNDS", 4)
    chain = "a1 = Abs(x) a2 = Abs(a1) a3 = Abs(a2) {} y = Relu({})"
    outcome = own(folder, f"g (float[2] x) => (float[2] y) {{ {chain.format('', 'a3')} }}")
    assert [entry.round for entry in outcome.journal] == [1, 2, 3]
    with pytest.raises(NotConverged):
        own(folder, f"g (float[2] x) => (float[2] y) {{ {chain.format('a4 = Abs(a3)', 'a4')} }}")


def test_nothing_to_do_is_the_same_model(folder: Path) -> None:
    write_rule(folder, "AAA001", "y = Relu (x)", "y = Abs (x)")
    outcome = own(folder, "g (float[2] x) => (float[2] y) { y = Neg(x) }")
    assert (outcome.journal, outcome.remaining, outcome.withheld, outcome.complaint) == ([], [], [], "")


def test_what_the_checker_says_of_the_result(folder: Path) -> None:
    write_rule(folder, "AAA001", "y = Relu (x)", "y = Relu (x, x)")
    write_rule(folder, "AAA002", "y = Neg (x)", "y = NoSuchOperator (x)")
    outcome = own(folder, "g (float[2] x) => (float[2] y) { y = Neg(x) }")
    assert "NoSuchOperator" in outcome.complaint


WITHHELD = {
    "display": (
        {"applicability": "display"},
        {"unsafe_fixes": True},
        "shown only; it changes what the model computes",
    ),
    "unsafe": ({"applicability": "unsafe"}, {}, "unsafe: pass --unsafe-fixes to apply it"),
    "note": ({"level": "note"}, {}, "the target takes it as it is: pass --select AAA001 to apply it"),
}


@pytest.mark.parametrize("case", WITHHELD)
def test_withheld_fixes_have_a_reason(folder: Path, case: str) -> None:
    keys, options, reason = WITHHELD[case]
    write_rule(folder, "AAA001", "y = Relu (x)", "y = Abs (x)", **keys)
    outcome = own(folder, "g (float[2] x) => (float[2] y) { y = Relu(x) }", **options)
    assert outcome.journal == []
    assert [why for _, why in outcome.withheld] == [reason]
    assert outcome.remaining == []


def test_unsafe_fixes_and_notes_on_request(folder: Path) -> None:
    write_rule(folder, "AAA001", "y = Relu (x)", "y = Abs (x)", applicability="unsafe")
    write_rule(folder, "AAA002", "y = Sin (x)", "y = Cos (x)", level="note")
    model = onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { a = Sin(x) y = Relu(a) }")
    options = Options(select=("own-aaa001", "AAA002"), unsafe_fixes=True)
    outcome = repair_model(load(model), load_rules((folder,)), options)
    assert sorted(entry.code for entry in outcome.journal) == ["AAA001", "AAA002"]


SELECTIONS = {
    ("AAA001",): ["AAA001"],
    ("AAA",): ["AAA001", "AAA002"],
    ("aaa002",): ["AAA002"],
    ("own-aaa002",): ["AAA002"],
    ("own",): ["AAA001", "AAA002", "BBB001"],
    ("ALL",): ["AAA001", "AAA002", "BBB001"],
    (): ["AAA001", "AAA002", "BBB001"],
    ("AAA001", "BBB"): ["AAA001", "BBB001"],
}


@pytest.mark.parametrize("words", SELECTIONS)
def test_select_and_ignore(folder: Path, words: tuple[str, ...]) -> None:
    write_rule(folder, "AAA001", "y = Relu (x)", "y = Abs (x)")
    write_rule(folder, "AAA002", "y = Sin (x)", "y = Cos (x)")
    write_rule(folder, "BBB001", "y = Tan (x)", "y = Exp (x)")
    text = "g (float[2] x) => (float[2] y) { a = Relu(x) b = Sin(a) y = Tan(b) }"
    model, rules = load(onnx.parser.parse_model(HEAD + text)), load_rules((folder,))
    selected = repair_model(model, rules, Options(select=words))
    assert sorted(entry.code for entry in selected.journal) == SELECTIONS[words]
    ignored = repair_model(model, rules, Options(ignore=words))
    every = {"AAA001", "AAA002", "BBB001"}
    assert {entry.code for entry in ignored.journal} == (every - set(SELECTIONS[words]) if words else every)
