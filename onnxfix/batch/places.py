"""The models behind what a user names: files, folders, patterns, lists of them, and URLs."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onnxfix.batch.urls import is_remote, name_of
from onnxfix.errors import ModelFileError, OnnxfixError


@dataclass(frozen=True)
class Place:
    """A model: its path or URL, and its name below the folder that was named (`nets/a.onnx`).

    `scanned` tells a model that a folder, pattern or listing had from one that was named itself; `size` and `state`
    are those of a Task, for a model in a store.
    """

    path: str
    name: str
    scanned: bool = False
    size: int = 0
    state: str = ""


def is_many(words: Sequence[str]) -> bool:
    """Whether several models may be meant: by several words, a folder, a pattern, a list, or such a URL."""
    return len(words) != 1 or _kind(words[0]) != "file"


def found(words: Iterable[str]) -> list[Place]:
    """The models behind files, folders (with all below them), patterns such as `**/*.onnx`, lists and URLs, each once.

    A list is `@FILE`, or `@-` for standard input, with one of the others in each line; empty lines and those that start
    with # do not count.  Files that were named themselves are called as below the folder that all of them are in.
    Raises OnnxfixError for a list that cannot be read, and ModelFileError for a folder or pattern without a model.
    """
    every = [word for given in words for word in (_listed(given) if _kind(given) == "list" else [given])]
    homes = [Path(word).absolute().parent for word in every if _kind(word) == "file" and not is_remote(word)]
    home = Path(os.path.commonpath(homes)) if homes else Path()
    places: dict[str, Place] = {}
    for word in every:
        for place in _found(word, home):
            places.setdefault(place.path if is_remote(place.path) else os.path.abspath(place.path), place)  # noqa: PTH100
    return list(places.values())


def _kind(word: str) -> Literal["list", "folder", "pattern", "file"]:
    if is_remote(word):
        return "file" if word.endswith(".onnx") and not glob.has_magic(word) else "folder"
    if Path(word).is_dir():
        return "folder"
    if Path(word).exists():
        return "file"
    if word.startswith("@"):
        return "list"
    return "pattern" if glob.has_magic(word) else "file"


def _listed(word: str) -> list[str]:
    """The lines of a list."""
    try:
        text = (sys.stdin.read() if sys.stdin else "") if word == "@-" else Path(word[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise OnnxfixError(f"cannot be read: {reason}", where=word[1:], hint="@FILE names a list of models") from None
    lines = [line.strip() for line in text.splitlines()]
    places = [line for line in lines if line and not line.startswith("#")]
    if not places:
        raise OnnxfixError("names no model", where=word[1:])
    return places


def _found(word: str, home: Path) -> Iterator[Place]:
    kind, path = _kind(word), Path(word)
    if is_remote(word):
        yield from _in_store(word, kind == "folder")
    elif kind == "file":
        yield Place(str(path), path.absolute().relative_to(home).as_posix())
    else:
        root = path if kind == "folder" else _before_magic(path)
        files = path.rglob("*.onnx") if kind == "folder" else _matching(path)
        models = sorted(file for file in files if file.is_file())
        if not models:
            raise ModelFileError("holds no .onnx file" if kind == "folder" else "matches no file", where=str(path))
        yield from (Place(str(file), file.relative_to(root).as_posix(), scanned=True) for file in models)


def _in_store(url: str, scanned: bool) -> Iterator[Place]:
    from onnxfix.batch.store import listing

    head = re.split(r"[*?\[]", url)[0]
    root = head[: head.rfind("/") + 1] if head != url or not scanned else f"{url.rstrip('/')}/"
    for entry in listing(url):
        name = entry.place.removeprefix(root) if entry.place.startswith(root) else name_of(entry.place)
        yield Place(entry.place, name, scanned, entry.size, entry.state)


def _before_magic(pattern: Path) -> Path:
    """The folder in front of the first part of a pattern that is one."""
    parts = pattern.parts[: next(place for place, part in enumerate(pattern.parts) if glob.has_magic(part))]
    return Path(*parts)


def _matching(pattern: Path) -> Iterator[Path]:
    return map(Path, glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - Path.glob knows no absolute pattern
