"""All rules: the built-in ones and the user's, every mistake in a user's rule found before any work."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.abc import Traversable
from importlib.resources import files
from pathlib import Path

from onnxfix.actions import PARAMETERS
from onnxfix.errors import RuleError
from onnxfix.rewrite.rule import Rule
from onnxfix.rewrite.rulefile import MAX_FILE, parse_rule

MAX_RULES = 2000


def load_rules(folders: tuple[Path, ...] = ()) -> tuple[Rule, ...]:
    """The built-in rules and those of the given folders, by code.

    Raises RuleError for a mistake in a file of the folders, and for a code or name that two rules share.
    """
    rules = list(_built_in())
    for folder in folders:
        rules += _read_folder(folder)
    return _unique(rules)


@cache
def _built_in() -> tuple[Rule, ...]:
    return tuple(_read_tree(files("onnxfix_rules"), ""))


def _read_folder(folder: Path) -> list[Rule]:
    if not folder.is_dir():
        raise RuleError("no such folder of rules", where=str(folder))
    rules = []
    for count, path in enumerate(sorted(folder.rglob("*.toml"))):
        if count >= MAX_RULES:
            raise RuleError(f"more than {MAX_RULES} rule files", where=str(folder))
        rules.append(_read(path, str(path), path.parent.name, lazily=False))
    return rules


def _read_tree(folder: Traversable, family: str) -> Iterator[Rule]:
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".toml"):
            yield _read(entry, f"rules/{family}/{entry.name}", family, lazily=True)
        elif entry.is_dir():
            yield from _read_tree(entry, entry.name)


def _read(entry: Traversable, source: str, family: str, *, lazily: bool) -> Rule:
    try:
        with entry.open("rb") as file:
            text = file.read(MAX_FILE + 1).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"cannot be read: {error}", where=source) from None
    return parse_rule(text, source, family, PARAMETERS, lazily=lazily)


def _unique(rules: list[Rule]) -> tuple[Rule, ...]:
    seen: dict[str, Rule] = {}
    for rule in rules:
        for key in (rule.code, rule.name):
            if key in seen:
                raise RuleError(f"{key} is taken by {seen[key].source}", where=rule.source)
            seen[key] = rule
    return tuple(sorted(rules, key=lambda rule: rule.code))
