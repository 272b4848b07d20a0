"""What a check asks of one model, and its reports: looked up in the cache, or made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from onnxfix.api.cache import Cache, question
from onnxfix.records import CheckReport, finite
from onnxfix.targets import local_target, resolve

_STATES = ("ready", "repairable", "blocked")


@dataclass(frozen=True)
class Checking:
    """What to check a model with.

    `targets` are canonical names, "" for a machine without TensorRT; `select` and `ignore` hold rules, `rules` are
    folders; `cache` is the folder of kept reports, "" for none.  `ask_limit` are the seconds in which a target's own
    library has to answer, where `ask_target` is set.
    """

    targets: tuple[str, ...]
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    ask_target: bool = True
    ask_limit: float = 300.0
    cache: str = ""

    def settings(self) -> dict[str, Any]:
        """Itself as the settings of a task."""
        return asdict(self)

    def known(self, path: Path) -> list[CheckReport] | None:
        """The kept reports of a model, one for each target; None when one of them is missing."""
        reports = []
        for target in self.targets:
            report = self._cache(target).get(path)
            if report is None:
                return None
            reports.append(report)
        return reports

    def reports(self, path: Path, progress: Callable[[str], object]) -> list[CheckReport]:
        """The report of a model for each target.  Raises OnnxfixError as `check` does."""
        return [self._report(path, target, progress) for target in self.targets]

    def _report(self, path: Path, target: str, progress: Callable[[str], object]) -> CheckReport:
        kept = self._cache(target)
        if (known := kept.get(path)) is not None:
            return known
        from onnxfix import sandbox

        sandbox.checker().start("onnxfix.model.inference:get_ready")
        from onnxfix.api.check import check
        from onnxfix.model import load, weight_files

        progress("checking")
        report = check(
            path,
            target=target or None,
            select=self.select,
            ignore=self.ignore,
            rules=self.rules,
            ask_target=self.ask_target,
            ask_limit=self.ask_limit,
            progress=progress,
        )
        kept.put(path, report, [path.parent / name for name in weight_files(load(path))])
        return report

    @property
    def _asking(self) -> float:
        return self.ask_limit if self.ask_target else 0.0

    def _cache(self, target: str) -> Cache:
        return _question(self.cache, self.rules).of(self.select, self.ignore, self._asking).of(target)


def checking_of(settings: Mapping[str, Any]) -> Checking:
    """What the settings of a task ask."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    return Checking(**values)


def checked(reports: Sequence[CheckReport]) -> dict[str, Any]:
    """The result of a check: `reports` has one report for each target, and the worst state is the outcome."""
    return {
        "outcome": max((report.state for report in reports), key=_STATES.index),
        "exit_code": max(report.exit_code for report in reports),
        "reports": finite([report.to_json() for report in reports]),
    }


def named_targets(names: tuple[str, ...]) -> tuple[str, ...]:
    """The canonical names of targets; without a name the TensorRT on this machine, "" when there is none.

    Raises OnnxfixError for a name that means nothing.
    """
    if names:
        return tuple(dict.fromkeys(resolve(name).name for name in names))
    local = local_target()
    return (local.name if local else "",)


@cache
def _question(folder: str, rules: tuple[str, ...]) -> Cache:
    return question(Path(folder) if folder else None, [Path(place) for place in rules])
