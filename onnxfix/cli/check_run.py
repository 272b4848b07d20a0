"""`check --run`: what flows through models, told behind what is wrong with their nodes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxfix.errors import ModelFileError, OnnxfixError
from onnxfix.report.text import sentence

if TYPE_CHECKING:
    from onnxfix.api.watch import RangeReport


def declare(parser: argparse.ArgumentParser) -> None:
    """--run and what belongs to it."""
    parser.add_argument("--run", action="store_true", help="also run the models in ONNX Runtime, every value watched")
    parser.add_argument("--inputs", metavar="FILE.npz", type=Path, help="inputs for --run (default: seeded)")
    parser.add_argument("--plot", metavar="FILE.svg", type=Path, help="a drawing of the ranges that --run finds")


@dataclass(frozen=True)
class Runs:
    """What was found when models ran, and what is wrong with those that do not run."""

    reports: tuple[RangeReport, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """2 where a model does not run, 1 where a value is not finite, else 0."""
        return 2 if self.errors else max((report.exit_code for report in self.reports), default=0)

    def tell(self) -> None:
        """Print it for people."""
        from onnxfix.report import ranges, terminal

        for report in self.reports:
            terminal.write(ranges.range_lines(report))

    def within(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document of `check` with it."""
        errors = list(dict.fromkeys([*document["errors"], *self.errors]))
        code = max(document["exit_code"], self.exit_code)
        return document | {"errors": errors, "exit_code": code, "runs": [report.to_json() for report in self.reports]}


def runs_of(places: Sequence[str], options: argparse.Namespace) -> Runs | None:
    """Run the models, which may be URLs; None when nobody asked for it.

    Why one does not run is told on standard error too; why one cannot be read, `check` itself tells.
    Raises OnnxfixError for options that do not belong together.
    """
    if not options.run:
        if options.inputs or options.plot:
            raise OnnxfixError("--inputs and --plot belong to --run")
        return None
    if options.format not in ("text", "json") or options.statistics or options.write_baseline:
        raise OnnxfixError("--run tells its findings as text or json", hint="leave the other option out")
    if options.plot and len(places) > 1:
        raise OnnxfixError("--plot draws one model", hint="name one, or leave --plot out")
    from onnxfix.api.watch import watch
    from onnxfix.batch.near import near
    from onnxfix.files import write_whole
    from onnxfix.report import ranges, terminal

    reports, errors = [], []
    for place in places:
        try:
            with near(place) as here, terminal.progress() as progress:
                report = watch(here.model, options.inputs, progress=progress)
                reports.append(replace(report, model=here.told(report.model)))
        except ModelFileError as error:
            errors.append(str(error))
            continue
        except OnnxfixError as error:
            errors.append(str(error))
            print(f"onnxfix: {sentence(errors[-1])}", file=sys.stderr)
            continue
        if options.plot:
            write_whole(options.plot, ranges.drawing(reports[-1]).encode())
    return Runs(tuple(reports), tuple(errors))
