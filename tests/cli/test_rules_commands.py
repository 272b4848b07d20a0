"""`onnxfix rules`, `rules test` and `rules new`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onnxfix.cli.app import main

Printed = pytest.CaptureFixture[str]


def test_catalogue_names_every_rule_once(folder: Path, capsys: Printed) -> None:
    capsys.readouterr()
    assert main(["rules", "--rules", str(folder / "own")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if "double-negation" in line).startswith("  USR001 [*] warning double-negation ")
    assert main(["rules", "--format", "json"]) == 0
    catalogue = json.loads(capsys.readouterr().out)
    assert {rule["code"] for rule in catalogue} == {line.split()[0] for line in lines if line[:5] == "  OFX"}


@pytest.mark.parametrize("word", ["USR001", "usr001", "double-negation"])
def test_page_of_one_rule(word: str, folder: Path, capsys: Printed) -> None:
    capsys.readouterr()
    assert main(["rules", word, "--rules", str(folder / "own")]) == 0
    page = capsys.readouterr().out
    assert page.startswith("USR001 double-negation   own, warning\nTwo negations in a row do nothing\n\nWhy\n")
    assert "\nApplies to\n  opset 7 and later; any target\n" in page
    assert "\nRewrite\n  t = Neg (x)\n  y = Neg (t)\n    ->\n  y = Identity (x)\n" in page
    assert page.count("\nExample") == 2


def test_new_rules_pass_their_tests(folder: Path, capsys: Printed) -> None:
    own = str(folder / "own")
    assert main(["rules", "new", "second", "-d", own]) == 0
    capsys.readouterr()
    assert main(["rules", "test", own]) == 0
    assert capsys.readouterr().out == ("USR001 double-negation: 2 examples passed\nUSR002 second: 2 examples passed\n")


def test_new_keeps_what_is_there(folder: Path, capsys: Printed) -> None:
    path = folder / "own" / "double-negation.toml"
    before = path.read_text()
    assert main(["rules", "new", "double-negation", "-d", str(path.parent)]) == 2
    assert "a rule is called 'double-negation' already" in capsys.readouterr().err
    (path.parent / "other.toml").write_text(before)
    path.unlink()
    assert main(["rules", "new", "other", "-d", str(path.parent)]) == 2
    assert "cannot be written: File exists" in capsys.readouterr().err
    assert (path.parent / "other.toml").read_text() == before


def test_a_wrong_example_fails(folder: Path, capsys: Printed) -> None:
    path = folder / "own" / "double-negation.toml"
    path.write_text(path.read_text().replace("{ y = Identity(x)", "{ y = Abs(x)"))
    capsys.readouterr()
    assert main(["rules", "test", str(path.parent)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "USR001 double-negation: 2 examples failed"
    assert lines[1].startswith("  example 1: ")


def test_a_rule_that_never_fires_fails(folder: Path, capsys: Printed) -> None:
    path = folder / "own" / "double-negation.toml"
    text = path.read_text()
    first, second = text.index("[[examples]]"), text.rindex("[[examples]]")
    path.write_text(text[:first] + text[second:])
    capsys.readouterr()
    assert main(["rules", "test", str(path.parent)]) == 1
    assert "nothing shows that the rule ever fires" in capsys.readouterr().out


def test_a_folder_without_rules_is_an_error(tmp_path: Path, capsys: Printed) -> None:
    assert main(["rules", "test", str(tmp_path)]) == 2
    assert "holds no rule" in capsys.readouterr().err
