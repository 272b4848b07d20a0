"""Settings: those of `[tool.onnxfix]` in the nearest pyproject.toml, under those of the command line."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

from onnxfix.errors import OnnxfixError

Verification = Literal["none", "numeric", "engine"]
VERIFICATIONS: tuple[Verification, ...] = get_args(Verification)


@dataclass(frozen=True)
class Settings:
    """What a command runs with; folders of rules in pyproject.toml are relative to that file, as is the baseline.

    `targets` are those of `check`, before `target`.  The patterns of `per_file_ignores` are absolute.
    """

    target: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    unsafe_fixes: bool = False
    rules: tuple[Path, ...] = ()
    verify: Verification = "engine"
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    baseline: Path | None = None
    targets: tuple[str, ...] = ()

    def for_file(self, path: Path) -> Settings:
        """The settings for one model: rules that `per-file-ignores` names for a pattern of its path are ignored too."""
        place = Path(os.path.abspath(path)).as_posix()  # noqa: PTH100 - links are left as they are
        more = (rules for pattern, rules in self.per_file_ignores if fnmatch(place, pattern))
        return replace(self, ignore=(*self.ignore, *chain.from_iterable(more)))


def settings(options: argparse.Namespace, start: Path | None = None) -> Settings:
    """The settings of a command, with the pyproject.toml nearest to `start` (the working directory).

    Raises OnnxfixError for a pyproject.toml that is no TOML, an unknown key or a value of the wrong type.
    """
    given = {field.name: getattr(options, field.name, None) for field in fields(Settings)}
    wins: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value is not None
    }
    return replace(read(nearest(start or Path.cwd())), **wins)


def nearest(start: Path) -> Path | None:
    """The pyproject.toml in `start` or the closest folder above it."""
    candidates = (folder / "pyproject.toml" for folder in (start, *start.parents))
    return next((path for path in candidates if path.is_file()), None)


def read(path: Path | None) -> Settings:
    """The settings of one file; the defaults when there is no file or no table."""
    if path is None:
        return Settings()
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OnnxfixError(f"cannot be read: {error}", where=str(path)) from None
    table = tool.get("onnxfix", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise OnnxfixError("must be a table", where=f"{path}: tool.onnxfix")
    values = {key.replace("-", "_"): _value(path, key, value) for key, value in table.items()}
    return Settings(**values)


def _value(path: Path, key: str, value: Any) -> Any:
    where = f"{path}: tool.onnxfix.{key}"
    if key not in _KEYS:
        raise OnnxfixError("unknown key", where=where, hint=f"there are: {', '.join(_KEYS)}")
    fits, form, convert = _KEYS[key]
    if not fits(value):
        raise OnnxfixError(f"must be {form}", where=where)
    return convert(path, value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _as_it_is(_: Path, value: Any) -> Any:
    return value


def _as_tuple(_: Path, value: list[str]) -> tuple[str, ...]:
    return tuple(value)


def _as_folders(path: Path, value: list[str]) -> tuple[Path, ...]:
    return tuple(path.parent / folder for folder in value)


def _is_texts_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_texts, value.values()))


def _as_patterns(path: Path, value: dict[str, list[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Patterns such as `legacy/*.onnx`, in which `*` stands for folders too, below the folder of the file."""
    home = path.parent.absolute().as_posix()
    return tuple((f"{home}/{pattern}", tuple(rules)) for pattern, rules in value.items())


def _as_path(path: Path, value: str) -> Path:
    return path.parent / value


_KEYS: dict[str, tuple[Callable[[Any], bool], str, Callable[[Path, Any], Any]]] = {
    "target": (lambda value: isinstance(value, str), 'a text such as "trt8.6"', _as_it_is),
    "targets": (_is_texts, "a list of targets", _as_tuple),
    "select": (_is_texts, "a list of rules", _as_tuple),
    "ignore": (_is_texts, "a list of rules", _as_tuple),
    "unsafe-fixes": (lambda value: isinstance(value, bool), "true or false", _as_it_is),
    "rules": (_is_texts, "a list of folders", _as_folders),
    "verify": (lambda value: value in VERIFICATIONS, f"one of {', '.join(VERIFICATIONS)}", _as_it_is),
    "per-file-ignores": (_is_texts_by_name, "a table of lists of rules", _as_patterns),
    "baseline": (lambda value: isinstance(value, str), "the path of a file", _as_path),
}
