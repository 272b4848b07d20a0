"""Many models for many targets: found, looked up in the cache or checked, and held against a baseline."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxfix.api.cache import Cache, question
from onnxfix.errors import ModelFileError
from onnxfix.records import CheckReport
from onnxfix.targets import local_target, resolve

Ignored = Callable[[Path], Sequence[str]]


@dataclass(frozen=True)
class Plan:
    """What to check with: `targets` are names, none for the TensorRT on this machine; `ignored` gives the rules to
    ignore for a file; `cache` is a folder, None for none."""

    targets: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignored: Ignored = lambda _: ()
    rules: tuple[Path, ...] = ()
    ask_target: bool = True
    cache: Path | None = None

    def named(self) -> tuple[str, ...]:
        """The canonical names of the targets; "" when none is named and none is installed.

        Raises OnnxfixError for a name that means nothing.
        """
        if self.targets:
            return tuple(dict.fromkeys(resolve(name).name for name in self.targets))
        local = local_target()
        return (local.name if local else "",)


def models(places: Iterable[Path]) -> Iterator[Path]:
    """The files behind files, folders (with all below them) and patterns such as `**/*.onnx`.

    Raises ModelFileError for a folder or a pattern without a model.
    """
    for place in places:
        if place.is_dir():
            found = sorted(path for path in place.rglob("*.onnx") if path.is_file())
        elif glob.has_magic(str(place)) and not place.exists():
            found = sorted(path for path in _matching(place) if path.is_file())
        else:
            found = [place]
        if not found:
            raise ModelFileError("holds no .onnx file" if place.is_dir() else "matches no file", where=str(place))
        yield from found


def _matching(pattern: Path) -> Iterator[Path]:
    return map(Path, glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - Path.glob knows no absolute pattern


def check_all(
    paths: Iterable[Path], plan: Plan, progress: Callable[[str], object] = str
) -> Iterator[CheckReport | ModelFileError]:
    """A report for each model and target; in place of all reports of a model that cannot be read, the reason."""
    targets = plan.named()
    kept = question(plan.cache, plan.rules)
    for path in paths:
        ignore = tuple(plan.ignored(path))
        own = kept.of(plan.select, ignore, plan.ask_target)
        try:
            yield from [_one(path, target, ignore, plan, own.of(target), progress) for target in targets]
        except ModelFileError as error:
            yield error


def _one(
    path: Path, target: str, ignore: Sequence[str], plan: Plan, kept: Cache, progress: Callable[[str], object]
) -> CheckReport:
    if (known := kept.get(path)) is not None:
        return known
    from onnxfix import sandbox
    from onnxfix.api.check import check
    from onnxfix.model import load, weight_files

    sandbox.checker().start()
    progress(f"checking {path}")
    report = check(
        path,
        target=target or None,
        select=plan.select,
        ignore=ignore,
        rules=plan.rules,
        ask_target=plan.ask_target,
    )
    kept.put(path, report, [path.parent / name for name in weight_files(load(path))])
    return report
