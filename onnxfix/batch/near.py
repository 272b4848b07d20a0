"""Models and results in stores worked on as local files: fetched before, put after, and told under their URLs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from onnxfix.batch.urls import beside, is_remote, label, name_of
from onnxfix.errors import OnnxfixError
from onnxfix.records import RepairReport

T = TypeVar("T")

_NEW = "new."
"""Before the name of a local result that goes to another folder under the name of its model."""


@dataclass(frozen=True)
class Near:
    """The local files for one model: `model` is read, and the result written to `output`, or over `model` itself.

    `goal` is the URL where the result belongs, "" for one that stays here.  `names` has what stands for a local path
    in what users read.  `present` are weight files that lie beside the goal already.
    """

    model: Path
    output: Path | None
    in_place: bool
    goal: str = ""
    present: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    """{weight file here: its name in the store}, once they are published."""

    def publish(self, written: Sequence[str]) -> list[str]:
        """Bring the files that were written to their store; gives where they are now.

        `written` are the result and, behind it, what was cut off; without a goal they stay.  A rest of an earlier cut
        goes before, so that a rest that is there is that of the result.  Raises ModelFileError.
        """
        if not self.goal:
            return list(written)
        from onnxfix.batch import store

        places = [self.goal, *(beside(self.goal, Path(path).name.removeprefix(_NEW)) for path in written[1:])][
            : len(written)
        ]
        for place in places[1:]:
            store.remove(place)
        for path, place in zip(written, places, strict=True):
            self.moved.update(store.put(Path(path), place, self.present))
        return places

    def told(self, value: T) -> T:
        """A record or JSON in which the URLs, without credentials, stand for the local paths."""
        named: T = renamed(value, self.names) if self.names else value
        return named

    def noted(self, notes: Sequence[str]) -> tuple[str, ...]:
        """The notes of a report, with the names that its weight files have in the store."""
        return tuple(renamed(note, self.moved) for note in notes)

    def published(self, report: RepairReport) -> RepairReport:
        """The report of a repair of these files, when what it wrote is where it belongs."""
        self.publish([path for path in (report.output, report.rest) if path])
        return self.told(replace(report, notes=self.noted(report.notes)))


@contextmanager
def near(
    place: str | Path, output: str | Path | None = None, *, in_place: bool = False, repairs: bool = False
) -> Iterator[Near]:
    """The local files for the model at `place`, which may be a URL as `output` may be; local places stay as they are.

    With `repairs` a model in a store without `output` gets its result beside it, as NAME.fixed.onnx.  An OnnxfixError
    of the work done meanwhile names the URLs.  Raises ModelFileError when a model cannot be fetched.
    """
    with ExitStack() as files:
        made = _near(str(place), "" if output is None else str(output), in_place, repairs, files)
        try:
            yield made
        except OnnxfixError as error:
            error.what, error.where, error.hint = made.told((error.what, error.where, error.hint))
            raise


def _near(place: str, output: str, in_place: bool, repairs: bool, files: ExitStack) -> Near:
    if not is_remote(place) and not is_remote(output):
        return Near(Path(place), Path(output) if output else None, in_place)
    from onnxfix.batch import store
    from onnxfix.scratch import scratch

    if not is_remote(place):
        made = files.enter_context(scratch()) / name_of(output)
        return Near(Path(place), made, False, output, names=_shown(made, output))
    from onnxfix.model import weight_files
    from onnxfix.model.file import load_alone

    _refuse(place, output, in_place)
    model = files.enter_context(store.fetched(place))
    source = {str(model): label(place), f"{model.parent}/": label(beside(place, ""))}
    if not repairs or (output and not is_remote(output)):
        return Near(model, Path(output) if output else None, False, names=source)
    goal = output or (place if in_place else beside(place, f"{model.stem}.fixed.onnx"))
    name = name_of(goal)
    made = model.with_name(f"{_NEW}{name}" if output and name == model.name else name)
    weights = frozenset(weight_files(load_alone(model)) if beside(goal, "") == beside(place, "") else ())
    return Near(model, made if output else None, in_place, goal, weights, {**source, **_shown(made, goal)})


def _refuse(place: str, output: str, in_place: bool) -> None:
    if in_place and output:
        raise OnnxfixError("give either an output or in-place, not both", where=label(place))
    if output == place:
        raise OnnxfixError("is the input itself", where=label(place), hint="use --in-place to replace it")


def _shown(made: Path, goal: str) -> dict[str, str]:
    """What stands for a local result, and for what was cut off behind it."""
    rest = beside(goal, f"{Path(name_of(goal)).stem}.rest.onnx")
    return {str(made): label(goal), str(made.with_name(f"{made.stem}.rest.onnx")): label(rest)}


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A record, or JSON, in all of whose texts the `names` stand for the paths they are of."""
    if isinstance(value, str):
        for path in sorted(names, key=len, reverse=True):
            value = value.replace(path, names[path])
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(renamed(item, names) for item in value)
    if isinstance(value, dict):
        return {renamed(key, names): renamed(item, names) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{part.name: renamed(getattr(value, part.name), names) for part in fields(value)})
    return value
