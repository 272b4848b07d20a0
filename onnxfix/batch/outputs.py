"""Where the results of many repairs go: no two to one place, and none over another model."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from onnxfix.batch.places import Place
from onnxfix.batch.urls import beside, is_read_only, is_remote, label, name_of, scheme_of
from onnxfix.errors import OnnxfixError
from onnxfix.files import make_folder

RESULTS = (".fixed.onnx", ".fixed.rest.onnx")
"""How the names of results end that stand beside their model."""


def without_results(places: Iterable[Place], output: str) -> list[Place]:
    """The places without what an earlier run wrote.

    That is what was scanned and has the name of a result, or lies in the folder `output` inside the scanned one.
    """
    return [place for place in places if not (place.scanned and _is_result(place, output))]


def _is_result(place: Place, output: str) -> bool:
    if place.name.endswith(RESULTS):
        return True
    path, home = _whole(place.path), f"{_whole(output).rstrip('/')}/"
    root = path.removesuffix(place.name)
    return bool(output) and path.startswith(home) and home.startswith(root) and home != root


def _whole(place: str) -> str:
    return place if is_remote(place) else Path(os.path.abspath(place)).as_posix()  # noqa: PTH100 - links stay


def outputs(places: Sequence[Place], output: str, *, in_place: bool, cut: bool) -> dict[str, str | None]:
    """Where the result of each model goes, by its path: None where `repair` puts it (beside the model, or over it).

    The folder `output`, which may be a URL, gets the tree that was named.  With `cut` the rest of each model is
    written too.  Raises OnnxfixError when two results would go to one place, or one over another model.
    """
    given = {place.path: _below(output, place.name) if output else None for place in places}
    goals = {path: path if in_place else goal or _beside(path) for path, goal in given.items()}
    _are_apart(goals, in_place, cut)
    return given


def are_writable(output: str, goals: Mapping[str, str | None]) -> None:
    """Make the folder `output`, and raise OnnxfixError when nothing can be written there.

    `goals` are as `outputs` gives them; a model alone may say where its result goes.
    """
    for path, goal in goals.items():
        if is_read_only(goal or path):
            what = f"nothing can be written to {scheme_of(goal or path)}://"
            raise OnnxfixError(what, where=label(goal or path), hint="choose another -o" if goal else "give an -o")
    if output and not is_remote(output):
        make_folder(Path(output))
        if not os.access(output, os.W_OK | os.X_OK):
            raise OnnxfixError("is a folder that you may not write to", where=output, hint="choose another -o")


def inside(output: str, place: str) -> str:
    """The file that a single model's `output` means: a folder, or what ends with `/`, gets it under its own name."""
    is_folder = output.endswith("/") or os.path.isdir(output)  # noqa: PTH112 - Path.is_dir fails for long names
    return _below(output, name_of(place) if is_remote(place) else Path(place).name) if is_folder else output


def _below(folder: str, name: str) -> str:
    """The place of a result, which keeps its name and lies in the folder.  Raises OnnxfixError where it cannot."""
    if not is_remote(folder):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise OnnxfixError(f"is no folder for {name!r}, which leads out of it", where=folder, hint="choose a URL")
        return str(Path(folder, name))
    goal = f"{folder.rstrip('/')}/{name}"
    if name_of(goal) != name.rpartition("/")[2]:
        raise OnnxfixError(f"takes no file that is called {name!r}", where=label(folder), hint="choose another -o")
    return goal


def _beside(path: str) -> str:
    """As destination_of chooses it."""
    if is_remote(path):
        return beside(path, f"{PurePosixPath(name_of(path)).stem}.fixed.onnx")
    return str(Path(path).with_name(f"{Path(path).stem}.fixed.onnx"))


def _rest(goal: str) -> str:
    """As api.interface.publish names it."""
    if is_remote(goal):
        return beside(goal, f"{PurePosixPath(name_of(goal)).stem}.rest.onnx")
    return str(Path(goal).with_name(f"{Path(goal).stem}.rest.onnx"))


def _are_apart(goals: Mapping[str, str], in_place: bool, cut: bool) -> None:
    models = {_real(path): path for path in goals}
    taken: dict[str, str] = {}
    for path, goal in goals.items():
        for result in (goal, _rest(goal)) if cut else (goal,):
            real = _real(result)
            if (other := taken.setdefault(real, path)) != path:
                if _real(other) == _real(path):
                    raise OnnxfixError(f"is one file with {label(other)}", where=label(path), hint="name one of them")
                what = f"the results of {label(other)} and {label(path)} would both go there"
                hint = "repair them in two runs, each with an -o of its own"
                raise OnnxfixError(what, where=label(result), hint=hint)
            if real in models and not (in_place and result == goal):
                what = f"is a model itself, and the result of {label(path)} would replace it"
                raise OnnxfixError(what, where=label(models[real]), hint="choose another -o")


def _real(place: str) -> str:
    return place if is_remote(place) else os.path.realpath(place)
