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

from onnxfix.batch.urls import head_of, is_pattern, is_remote, name_of
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
    with # do not count.  Models are called as below the folder that all that was named is in: of a file the one it
    lies in, a folder itself, of a pattern what is before its first `*`.
    Raises OnnxfixError for a list that cannot be read, and ModelFileError for a folder or pattern without a model.
    """
    every = [word for given in words for word in (_listed(given) if _kind(given) == "list" else [given])]
    near, far = ([word for word in every if is_remote(word) is there] for there in (False, True))
    home = os.path.commonpath([os.path.abspath(_root(word)) for word in near]) if near else ""  # noqa: PTH100
    store = _common([_root_in_store(word) for word in far])
    places: dict[str, Place] = {}
    for word in every:
        for place in _in_store(word, store) if is_remote(word) else _here(word, home):
            places.setdefault(place.path if is_remote(place.path) else os.path.abspath(place.path), place)  # noqa: PTH100
    return list(places.values())


def _kind(word: str) -> Literal["list", "folder", "pattern", "file"]:
    if is_remote(word):
        return "file" if word.endswith(".onnx") and not is_pattern(word) else "folder"
    if os.path.isdir(word):  # noqa: PTH112 - Path.is_dir fails for long names
        return "folder"
    if os.path.lexists(word):
        return "file"
    if word.startswith("@"):
        return "list"
    return "pattern" if glob.has_magic(word) else "file"


def _listed(word: str) -> list[str]:
    """The lines of a list, or what stands between its NUL bytes, as `find -print0` writes them."""
    name = "standard input" if word == "@-" else word[1:]
    try:
        data = _standard_input() if word == "@-" else Path(name).read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise OnnxfixError(f"cannot be read: {reason}", where=name, hint="@FILE names a list of models") from None
    lines = text.split("\0") if "\0" in text else [line.strip() for line in text.split("\n")]
    places = [line for line in lines if line and ("\0" in text or not line.startswith("#"))]
    if not places:
        raise OnnxfixError("names no model", where=name)
    if other := next((place for place in places if _kind(place) == "list"), None):
        raise OnnxfixError(f"names another list, {other}", where=name, hint=f"give both: {word} {other}")
    return places


def _standard_input() -> bytes:
    return sys.stdin.buffer.read() if sys.stdin else b""  # there is none when it was closed


def _root(word: str) -> Path:
    """The folder below which what a local word means has its names."""
    path, kind = Path(word), _kind(word)
    return path if kind == "folder" else path.parent if kind == "file" else _before_magic(path)


def _here(word: str, home: str) -> Iterator[Place]:
    """The models behind a file, folder or pattern, called as below the folder `home`."""
    kind, path = _kind(word), Path(word)
    files: Iterable[Path] = [path]
    if kind != "file":
        files = sorted(filter(_is_model, path.rglob("*.onnx") if kind == "folder" else _matching(path)))
        if not files:
            raise ModelFileError("holds no .onnx file" if kind == "folder" else "matches no file", where=str(path))
    for file in files:
        name = Path(os.path.relpath(os.path.abspath(file), home)).as_posix()  # noqa: PTH100 - links stay
        yield Place(str(file), name, scanned=kind != "file")


def _is_model(path: Path) -> bool:
    """A file, or a link to nothing: what git-annex has not fetched, which is told when it is read."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _root_in_store(url: str) -> str:
    """The same of a URL, up to and with the last `/`."""
    whole = head_of(url)
    head = re.split(r"[*\[]", whole)[0]
    return f"{head.removesuffix('/')}/" if head == whole and _kind(url) == "folder" else head[: head.rfind("/") + 1]


def _common(roots: Sequence[str]) -> str:
    """The URL below which all of these are, with a `/` behind it; "" when there is none."""
    parts = os.path.commonprefix([root[:-1].split("/") for root in roots])  # noqa: RUF071 - of parts, not of characters
    return "".join(f"{part}/" for part in parts)


def _in_store(url: str, home: str) -> Iterator[Place]:
    """The models behind a URL, called as below the URL `home`."""
    from onnxfix.batch.store import listing

    for entry in listing(url):
        head = head_of(entry.place)
        name = head.removeprefix(home) if head.startswith(home) else name_of(entry.place)
        yield Place(entry.place, name, _kind(url) == "folder", entry.size, entry.state)


def _before_magic(pattern: Path) -> Path:
    """The folder in front of the first part of a pattern that is one."""
    parts = pattern.parts[: next(place for place, part in enumerate(pattern.parts) if glob.has_magic(part))]
    return Path(*parts)


def _matching(pattern: Path) -> Iterator[Path]:
    return map(Path, glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - Path.glob knows no absolute pattern
