"""Rule files: every mistake is told with the file, the key and the cause, before any work."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from broken_rules import ACTION, BROKEN, GOOD

from onnxfix.actions import ACTIONS, PARAMETERS
from onnxfix.errors import RuleError
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.rewrite.functions import functions_for
from onnxfix.rewrite.pattern import PatternError, check_text
from onnxfix.rewrite.rulefile import example_model, parse_rule


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rule_file(case: str, tmp_path: Path) -> None:
    text, told = BROKEN[case]
    file = tmp_path / "own" / "rule.toml"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(RuleError) as caught:
        load_rules((tmp_path,))
    told = told.replace("{actions}", ", ".join(sorted(ACTIONS))).replace("{functions}", ", ".join(functions_for(None)))
    assert str(caught.value).replace(str(file), "FILE") == f"FILE: {told}"


@pytest.mark.parametrize("text", [GOOD, ACTION])
def test_the_table_starts_from_good_files(text: str) -> None:
    rule = parse_rule(text, "here", "own", PARAMETERS)
    assert (rule.code, rule.name, rule.family, rule.level) == ("ABC123", "some-rule", "own", "error")


@pytest.mark.parametrize(("text", "low", "high"), [("7..9", 7, 9), ("11..", 11, 1000), ("..12", 1, 12), ("13", 13, 13)])
def test_ranges_of_opsets(text: str, low: int, high: int) -> None:
    assert parse_rule(f'opset = "{text}"\n{GOOD}', "here", "own", PARAMETERS).opset == (low, high)


def _file(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text)
    return file


def test_rules_of_a_folder_stand_beside_the_built_in_ones(tmp_path: Path) -> None:
    _file(tmp_path / "inner", "a.toml", GOOD)
    _file(tmp_path, "b.toml", ACTION.replace("ABC123", "ABC124").replace("some-rule", "other-rule"))
    _file(tmp_path, "notes.md", "no rule")
    own = [rule for rule in load_rules((tmp_path,)) if rule not in load_rules()]
    assert [(rule.code, rule.family) for rule in own] == [("ABC123", "inner"), ("ABC124", tmp_path.name)]


def test_a_code_and_a_name_are_taken_once(tmp_path: Path) -> None:
    first = _file(tmp_path, "a.toml", GOOD)
    second = _file(tmp_path, "b.toml", GOOD.replace("some-rule", "other-rule"))
    with pytest.raises(RuleError) as caught:
        load_rules((tmp_path,))
    assert str(caught.value) == f"{second}: ABC123 is taken by {first}"
    second.write_text(GOOD.replace("ABC123", "ABC124"))
    with pytest.raises(RuleError) as caught:
        load_rules((tmp_path,))
    assert str(caught.value) == f"{second}: some-rule is taken by {first}"
    second.write_text(GOOD.replace("ABC123", "OFX001"))
    with pytest.raises(RuleError, match=r"OFX001 is taken by rules/legacy/upsample-op\.toml"):
        load_rules((second.parent,))


def test_folders_and_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="nowhere: no such folder of rules"):
        load_rules((tmp_path / "nowhere",))
    (tmp_path / "a.toml").write_bytes(b"code = '\xff'")
    with pytest.raises(RuleError, match=r"a\.toml: cannot be read: 'utf-8' codec"):
        load_rules((tmp_path,))


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(RuleError, match="larger than 200000 bytes"):
        load_rules((tmp_path,))


def test_the_examples_are_kept() -> None:
    text = f"{GOOD}[[examples]]\nbefore = 'a'\nafter = 'b'\nnote = 'c'\nopset = 9\n[[examples]]\nbefore = 'd'\n"
    first, second = parse_rule(text, "here", "own", PARAMETERS).examples
    assert (first.before, first.after, first.note, first.opset) == ("a", "b", "c", 9)
    assert (second.before, second.after, second.opset) == ("d", None, None)


HIDDEN = [
    "(" * 17,
    '")))))" ' + "(" * 17,
    '"\\")))" ' + "(" * 17,
    "# )))))\n" + "(" * 17,
    '# "\n' + "(" * 17,
    "<" * 9 + "=> " * 9 + "<" * 8,
    "".join('("}"' for _ in range(17)),
]


@pytest.mark.parametrize("text", HIDDEN)
def test_no_string_or_comment_hides_the_depth_of_brackets(text: str) -> None:
    with pytest.raises(PatternError, match="brackets nested deeper than 16"):
        check_text(text)


def test_brackets_in_strings_do_not_count() -> None:
    check_text('y = A <s = "' + "(" * 99 + '"> (x)  # ' + ")" * 99)


def test_an_example_that_is_no_model() -> None:
    with pytest.raises(PatternError, match="ParseError"):
        example_model("g (float[2] x) => ")


def test_a_rule_that_is_read_lazily_is_the_same() -> None:
    for place in sorted(Path(str(files("onnxfix_rules"))).rglob("*.toml")):
        whole, lazy = (
            parse_rule(place.read_text(encoding="utf-8"), place.name, place.parent.name, PARAMETERS, lazily=lazily)
            for lazily in (False, True)
        )
        assert lazy == whole
        assert "body" not in vars(lazy)
        assert lazy.examples == whole.examples
        assert (lazy.why, lazy.safety, len(lazy.rewrites)) == (whole.why, whole.safety, len(whole.rewrites))


def test_the_mistakes_behind_the_head_are_found_when_they_are_wanted() -> None:
    text = GOOD.replace("[[rewrite]]", "[[rewrite]]\nunheard = 1")
    with pytest.raises(RuleError, match="unheard"):
        parse_rule(text, "here", "own", PARAMETERS)
    rule = parse_rule(text, "here", "own", PARAMETERS, lazily=True)
    with pytest.raises(RuleError, match="unheard"):
        _ = rule.rewrites
