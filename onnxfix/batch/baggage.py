"""The local files of a task: whether another machine sees the same ones, and how they travel when it does not.

They travel as bytes.  On the worker they become a small store of its own, `file://`, so that a task is done
there as it is for any store, with its result complete or absent; what is new there travels back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from onnxfix.batch.task import Task
from onnxfix.batch.urls import is_remote
from onnxfix.errors import ModelFileError
from onnxfix.files import make_folder, state_of, unwritable, write_whole
from onnxfix.model import load, weight_files

Files = dict[str, bytes]
"""Contents by a name of ours: `model/NAME`, `made/NAME`, `inputs/NAME`, `rules/0/NAME`."""

_CHAIN = "::"

REST = ".rest.onnx"
"""How the name of what was cut off a result ends."""

LARGEST = 1 << 30
"""Bytes that travel for one task, in each direction."""


def absolute(task: Task) -> tuple[Task, dict[str, str]]:
    """The task with absolute paths, for a process in another folder, and what stands for them in this one."""
    settings, names = dict(task.settings), {}
    if settings.get("inputs"):
        settings["inputs"] = str(Path(settings["inputs"]).absolute())
    if settings.get("rules"):
        settings["rules"] = [str(Path(folder).absolute()) for folder in settings["rules"]]
    if output_folder(task):
        settings["output"] = str(Path(settings["output"]).absolute())
        names[_folder_of(settings["output"])] = _folder_of(task.settings["output"])
    place = task.place
    if not is_remote(place):
        place = str(Path(place).absolute())
        names[_folder_of(place)] = _folder_of(task.place)
    return replace(task, place=place, settings=settings), names


def _folder_of(path: str) -> str:
    """What is before the name of a file."""
    return path.removesuffix(Path(path).name)


def states(task: Task) -> dict[str, str]:
    """{local file that a task reads: its state}, but for weight files, which lie beside their model.

    Raises ModelFileError when one is missing.
    """
    try:
        return {str(path): state_of(path) for path in _read(task).values()}
    except OSError as error:
        raise _unreadable(task, error) from None


def are_seen(known: Mapping[str, str]) -> bool:
    """Whether this machine has the same files in the same places."""
    try:
        return all(state_of(Path(path)) == state for path, state in known.items())
    except OSError:
        return False


def output_folder(task: Task) -> Path | None:
    """The local folder of a result that does not go beside its model."""
    output = task.settings.get("output")
    return Path(output).absolute().parent.resolve() if output and not is_remote(output) else None


def packed(task: Task) -> Files:
    """All local files that a task reads.  Raises ModelFileError when they cannot travel, or one is missing."""
    places = _read(task)
    if not is_remote(task.place):
        home = Path(task.place).parent
        places |= {f"model/{name}": home / name for name in weight_files(load(task.place))}
    if any(_CHAIN in name for name in places):
        raise ModelFileError("a file of this name cannot be sent to a worker", where=task.place, hint="rename it")
    try:
        size = sum(path.stat().st_size for path in places.values())
        if size > LARGEST:
            hint = "put the models into a store, or on a file system that all workers share"
            raise ModelFileError(f"{size} bytes are too many to send to a worker", where=task.place, hint=hint)
        return {name: path.read_bytes() for name, path in places.items()}
    except OSError as error:
        raise _unreadable(task, error) from None


def unpacked(task: Task, files: Files, home: Path) -> tuple[Task, dict[str, str]]:
    """The task with its files in the folder `home`, and what stands for paths there where the task is from."""
    for name, data in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    settings, place, names = dict(task.settings), task.place, {}
    if settings.get("inputs"):
        settings["inputs"] = str(home / "inputs" / Path(settings["inputs"]).name)
    if settings.get("rules"):
        settings["rules"] = [str(home / "rules" / str(number)) for number in range(len(settings["rules"]))]
    if not is_remote(place):
        names[f"file://{home}/model/"] = _folder_of(place)
        place = f"file://{home}/model/{Path(place).name}"
    if output_folder(task):
        output, folder = settings["output"], _folder_of_output(task)
        names[f"file://{home}/{folder}/"] = _folder_of(output)
        settings["output"] = f"file://{home}/{folder}/{Path(output).name}"
    return replace(task, place=place, settings=settings), names


def results(home: Path, before: Files) -> Files:
    """What was made or replaced in the folder `home`, as it was finished: weights, then their model.

    Raises ModelFileError when it is too large to travel.
    """
    made = [path for folder in ("model", "made") for path in (home / folder).rglob("*") if path.is_file()]
    made.sort(key=lambda path: path.stat().st_mtime_ns)
    if sum(path.stat().st_size for path in made) > 2 * LARGEST:
        raise ModelFileError("the result is too large to be sent back", hint="name an -o in a store")
    contents = {path.relative_to(home).as_posix(): path.read_bytes() for path in made}
    return {name: data for name, data in contents.items() if before.get(name) != data}


def placed(task: Task, files: Files) -> None:
    """Write what came back to where it belongs, each file whole or not at all, and no result beside an older rest.

    Raises ModelFileError.
    """
    folders = {"model": Path(task.place).parent, "made": output_folder(task) or Path()}
    places = {folders[name.partition("/")[0]] / name.partition("/")[2]: data for name, data in files.items()}
    for path in places:
        if path.name.endswith(REST):
            _remove(path)
    for path, data in places.items():
        make_folder(path.resolve().parent)
        write_whole(path.resolve(), data)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def _folder_of_output(task: Task) -> str:
    beside = not is_remote(task.place) and output_folder(task) == Path(task.place).absolute().parent.resolve()
    return "model" if beside else "made"


def _read(task: Task) -> dict[str, Path]:
    """The local files that a task reads, weights apart, by their names in the baggage."""
    found = {} if is_remote(task.place) else {f"model/{Path(task.place).name}": Path(task.place)}
    if inputs := task.settings.get("inputs"):
        found[f"inputs/{Path(inputs).name}"] = Path(inputs)
    for number, folder in enumerate(map(Path, task.settings.get("rules", ()))):
        for path in folder.rglob("*.toml"):
            found[f"rules/{number}/{path.relative_to(folder).as_posix()}"] = path
    return found


def _unreadable(task: Task, error: OSError) -> ModelFileError:
    return ModelFileError(f"cannot be read: {error.strerror}", where=str(error.filename or task.place))
