"""What git shows of models: one as text, or the difference of two.  Files that are no models are told in one line."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from onnxfix.changes.models import matched_models, report_of
from onnxfix.errors import ModelFileError
from onnxfix.model import load
from onnxfix.model.facts import facts_of
from onnxfix.model.file import load_alone
from onnxfix.report.diff import diff_lines
from onnxfix.report.facts import facts_lines
from onnxfix.report.model_text import model_text
from onnxfix.report.text import Line, sentence, visible

_POINTER = b"version https://git-lfs"
_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_PATH = 400


def text_of(path: Path) -> Iterator[str]:
    """The lines of a model; of a Git-LFS pointer what it points to, and of anything else why it is no model."""
    pointer = _pointer(path)
    if pointer:
        yield "a Git-LFS pointer, not the model itself (run `git lfs pull`)"
        yield from pointer
        return
    if _absent(path):
        return
    try:
        yield from model_text(load_alone(path))
    except ModelFileError as error:
        yield sentence(f"not a readable model: {error.what}")


def driver_lines(words: Sequence[str]) -> Iterator[Line]:
    """The difference of two versions; `words` are the arguments of GIT_EXTERNAL_DIFF (git's manual, `git`)."""
    names = f"a/{words[0]}", f"b/{words[7] if len(words) > 7 else words[0]}"
    if len(words) == 1:
        yield (f"{visible(words[0], _PATH)}: not merged yet",)
        return
    yield ((f"diff --onnxfix {' '.join(visible(name, _PATH) for name in names)}", "bold"),)
    old, new = Path(words[1]), Path(words[4])
    if _absent(old) or _absent(new):
        yield from _one_side(new if _absent(old) else old, "new" if _absent(old) else "deleted")
    else:
        yield from _both(old, new, names)


def _one_side(path: Path, what: str) -> Iterator[Line]:
    yield ((f"{what} model", "bold"),)
    try:
        if _pointer(path):
            yield from ((line,) for line in text_of(path))
        else:
            yield from list(facts_lines(facts_of(load_alone(path))))[1:]
    except ModelFileError as error:
        yield (sentence(f"not a readable model: {error.what}"),)


def _both(old: Path, new: Path, names: tuple[str, str]) -> Iterator[Line]:
    """The changes; where a weight file is out of reach or a file is no model, the difference of the texts."""
    try:
        report = report_of(matched_models(load(old), load(new)), ("initializer-placement",), time.perf_counter())
        yield from list(diff_lines(replace(report, before=names[0], after=names[1])))
    except ModelFileError as error:
        yield (sentence(f"compared as text, for a version cannot be read whole: {error.what}"),)
        before, after = (visible(name, _PATH) for name in names)
        for line in difflib.unified_diff([*text_of(old)], [*text_of(new)], before, after, lineterm=""):
            yield ((line, _STYLES.get(line[0], "")),)


def _absent(path: Path) -> bool:
    return str(path) in (os.devnull, "/dev/null", "nul")


def _pointer(path: Path) -> list[str]:
    """The lines of a Git-LFS pointer, which is a text of at most 1 kB (Git-LFS specification); none for other files."""
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError:
        return []
    return [visible(line, _PATH) for line in head.decode(errors="replace").splitlines()] * head.startswith(_POINTER)
