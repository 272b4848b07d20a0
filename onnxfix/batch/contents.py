"""How large a model is with its weights, and what tells one content of it from another."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from onnxfix.batch.task import Task
from onnxfix.batch.urls import is_remote
from onnxfix.errors import OnnxfixError
from onnxfix.files import state_of


def with_contents(task: Task) -> Task:
    """The task with size and state of the model that its place holds now; what is in a store has them already."""
    if is_remote(task.place):
        return task
    return replace(task, size=size_of(Path(task.place)), state=contents_of(Path(task.place)))


def with_size(task: Task) -> Task:
    """The task with the size of the model that its place holds now."""
    return task if is_remote(task.place) else replace(task, size=size_of(Path(task.place)))


def size_of(path: Path) -> int:
    """The bytes of a model and of its weight files; 0 for what cannot be read."""
    size = 0
    for file in _files(path):
        with suppress(OSError):
            size += file.stat().st_size
    return size


def contents_of(path: Path) -> str:
    """Name, size and time of the files that a model consists of."""
    return "; ".join(f"{file.name} {_state(file)}" for file in _files(path))


def _state(file: Path) -> str:
    try:
        return state_of(file)
    except OSError:
        return "missing"


def _files(path: Path) -> list[Path]:
    from onnxfix.model import weight_files
    from onnxfix.model.file import load_alone

    with suppress(OnnxfixError):
        return [path, *(path.parent / name for name in weight_files(load_alone(path)))]
    return [path]
