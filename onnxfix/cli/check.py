"""Say what is wrong with models; change nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from onnxfix.cli.arguments import declare_format, declare_rules
from onnxfix.cli.config import Settings, settings
from onnxfix.errors import ModelFileError
from onnxfix.records import CheckReport
from onnxfix.report.text import sentence


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("models", metavar="MODEL", nargs="+", type=Path, help="an .onnx file, or a folder of them")
    declare_rules(parser)
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Check every model; one that cannot be read stops none of the others.  The worst exit code counts."""
    chosen = settings(options)
    from onnxfix import sandbox

    sandbox.checker().start()
    paths = list(_models(options.models))
    results = _checked(paths, chosen)
    if options.format == "json":
        return _json(results)
    from onnxfix.report import console, terminal

    worst = 0
    for result in results:
        if isinstance(result, CheckReport):
            terminal.write(console.check_lines(result))
        worst = max(worst, _code(result))
    return worst


def _models(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if not place.is_dir():
            yield place
            continue
        found = sorted(path for path in place.rglob("*.onnx") if path.is_file())
        if not found:
            raise ModelFileError("holds no .onnx file", where=str(place))
        yield from found


def _checked(paths: Iterable[Path], chosen: Settings) -> Iterator[CheckReport | ModelFileError]:
    """The report of each model, or why it cannot be read, which is also told on standard error."""
    from onnxfix import api
    from onnxfix.report import terminal

    for path in paths:
        try:
            with terminal.progress() as progress:
                progress(f"checking {sentence(str(path))}")
                report = api.check(
                    path, target=chosen.target, select=chosen.select, ignore=chosen.ignore, rules=chosen.rules
                )
            yield report
        except ModelFileError as error:
            sys.stdout.flush()
            print(f"onnxfix: {sentence(str(error))}", file=sys.stderr)
            yield error


def _json(results: Iterable[CheckReport | ModelFileError]) -> int:
    from onnxfix.report import json

    every = list(results)
    worst = max(map(_code, every), default=0)
    models = [result.to_json() for result in every if isinstance(result, CheckReport)]
    errors = [str(result) for result in every if isinstance(result, ModelFileError)]
    json.write({"models": models, "errors": errors, "exit_code": worst})
    return worst


def _code(result: CheckReport | ModelFileError) -> int:
    return result.exit_code if isinstance(result, CheckReport) else 2
