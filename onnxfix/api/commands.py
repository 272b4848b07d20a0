"""What to type to see a failure again, in a folder that holds the reduced model and nothing else."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from onnxfix.isolate.command import PLACES

MODEL, INPUTS = "small.onnx", "small.inputs.npz"
"""What the reduced model, and what it is fed, are called in a report."""

TEXT_BYTES = 1 << 15
"""Larger files of a command do not come along, nor are they written out on a page."""

Typed = tuple[tuple[str, ...], dict[str, bytes], str]
"""What to type, the files beside the model that it needs, and a note on them and those left out."""


def commands(check: str, fed: bool = False) -> Typed:
    """What shows that the reduced model fails a check; `fed` says that a file of inputs lies beside it."""
    inputs = f" --inputs {INPUTS}" if fed else ""
    own = {
        "build": f"onnxfix build {MODEL} -o small.plan",
        "parse": f"onnxfix build {MODEL} -o small.plan",
        "nan": f"onnxfix check {MODEL} --static --run{inputs}",
        "numeric": f"onnxfix reduce {MODEL} --check numeric{inputs} -o again.onnx",
    }
    return ((own[check],), {}, "") if check in own else _program(shlex.split(check))


def _program(words: Sequence[str]) -> Typed:
    """For a program of the user's: its scripts come along, and no folder of this machine is told."""
    bare = not any(place in word for word in words for place in PLACES)
    told: list[str] = []
    before: list[str] = []
    missing: list[str] = []
    files: dict[str, bytes] = {}
    for first, word in zip((True, *[False] * len(words)), (*words, PLACES[0]) if bare else words, strict=False):
        path = Path(word)
        there = os.path.exists(word)  # noqa: PTH110 - a word that can be no name of a file is none
        if any(place in word for place in PLACES) or not (os.sep in word if first else there):
            told.append(word.replace(PLACES[0], MODEL).replace(PLACES[1], MODEL))
            continue
        text = _script(path)
        told.append(f"./{path.name}" if first and text is not None else path.name)
        if text is not None:
            files[path.name] = text
            before += [f"chmod +x {shlex.quote(path.name)}"] if first else []
        elif not first:
            missing.append(path.name)
    notes = [f"what the command runs is in it: {', '.join(files)}"] if files else []
    notes += [f"the command also needs what is not in it: {', '.join(missing)}"] if missing else []
    return (*before, shlex.join(told)), files, "; ".join(notes)


def _script(path: Path) -> bytes | None:
    """The bytes of a small text file, None for anything else."""
    if not path.is_file() or path.stat().st_size > TEXT_BYTES:
        return None
    data = path.read_bytes()
    try:
        return None if "\0" in data.decode() else data
    except UnicodeDecodeError:
        return None
