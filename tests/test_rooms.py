"""The rooms of the package depend on one another downwards only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "onnxfix"
LAYERS = (
    *("__main__", "cli", "report", "batch", "api", "changes", "isolate", "legalise", "verify", "fixpoint", "actions"),
    *("decompose", "opset", "rewrite", "engine", "targets", "model", "sandbox", "engine_records", "records"),
    *("scratch", "files", "leftovers", "machine", "errors"),
)
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
ROOMS = sorted({file.parts[0].removesuffix(".py") for file in FILES} - {"__init__"})


def depth(room: str) -> int:
    return LAYERS.index(room)


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that are imported when the program runs, in functions too; a name is told behind its module."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ("." * node.level + f"{node.module}.{name.name}" for name in node.names)
        yield from imported(node)


@cache
def imports_of(file: Path) -> tuple[str, ...]:
    return tuple(imported(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))))


def others(room: str) -> Iterator[tuple[str, str]]:
    """(file, other room) for each import of another room; what `onnxfix` itself has, its version, is in no room."""
    for file in FILES:
        if file.parts[0].removesuffix(".py") == room:
            for name in imports_of(file):
                package, other, *_ = (*name.split("."), "")
                if package == "onnxfix" and other in ROOMS and other != room:
                    yield str(file), other


def test_every_room_has_its_place() -> None:
    assert set(LAYERS) == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_looks_down_only(room: str) -> None:
    wrong = [(file, other) for file, other in others(room) if depth(other) < depth(room)]
    assert not wrong


def test_no_two_need_each_other() -> None:
    order = list(TopologicalSorter({room: {other for _, other in others(room)} for room in ROOMS}).static_order())
    assert sorted(order) == ROOMS


def test_imports_are_absolute() -> None:
    names = [name for file in FILES for name in imports_of(file)]
    assert names
    assert not [name for name in names if name.startswith(".")]


def test_imports_of_all_shapes_are_seen() -> None:
    text = (
        "import onnxfix.a\nif TYPE_CHECKING:\n    from onnxfix.b import c\ndef f():\n    from onnxfix import d as e\n"
    )
    assert list(imported(ast.parse(text + "from . import g\n"))) == ["onnxfix.a", "onnxfix.d", ".None.g"]
