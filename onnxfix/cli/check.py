"""Say what is wrong with models, for one TensorRT or several; change nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from onnxfix.cli import check_run
from onnxfix.cli.arguments import declare_asking, declare_folders, words
from onnxfix.cli.batch import batch, declare_batch, tell_lines, tell_summary, with_error_told
from onnxfix.cli.config import Settings, settings

if TYPE_CHECKING:
    from onnxfix.batch.places import Place
    from onnxfix.batch.run import Done
    from onnxfix.batch.task import Line, Task
    from onnxfix.records import CheckReport

FORMATS = ("text", "json", "jsonl", "sarif", "github", "junit", "markdown")


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "models", metavar="MODEL", nargs="+", help="an .onnx file, a folder of them, a pattern, @LIST, or a URL"
    )
    parser.add_argument(
        "--target",
        dest="targets",
        metavar="T",
        type=words,
        action="extend",
        help="such as trt8.6, jetson-nano, rtx (several: a table of models and targets; default: the one installed)",
    )
    parser.add_argument(
        "--select", metavar="RULES", type=words, action="extend", help="only these codes, names or families (a,b,c)"
    )
    parser.add_argument("--ignore", metavar="RULES", type=words, action="extend", help="not these")
    declare_folders(parser)
    parser.add_argument("--static", action="store_true", help="do not ask a TensorRT that is installed")
    declare_asking(parser, 300.0)
    parser.add_argument("--baseline", metavar="FILE", type=Path, help="do not tell the findings that FILE lists")
    parser.add_argument("--write-baseline", metavar="FILE", type=Path, help="write all findings to FILE; exit with 0")
    parser.add_argument("--statistics", action="store_true", help="only how often each rule finds something")
    parser.add_argument("--no-cache", action="store_true", help="look at models that have not changed again")
    parser.add_argument(
        "--cache-dir", metavar="DIR", type=Path, help="default: ONNXFIX_CACHE, else in your cache folder"
    )
    check_run.declare(parser)
    declare_batch(parser)
    parser.add_argument("--format", choices=FORMATS, default="text", help="text is the default")


def run(options: argparse.Namespace) -> int:
    """Check every model; one that cannot be read stops none of the others.  The worst exit code counts."""
    chosen = settings(options)
    from onnxfix.batch.places import found

    places = found(options.models)
    runs = check_run.runs_of([place.path for place in places], options)
    known = _Known(chosen.baseline)
    with batch(options, _tasks(places, chosen, options), lambda: _try(chosen)) as (done, progress):
        code = _tell(done, known, chosen, options, runs)
    if runs and options.format == "text":
        runs.tell()
    if known.gone:
        print(f"onnxfix: {known.gone} known findings left out (--baseline)", file=sys.stderr)
    if len(places) > 1 and (options.jobs or options.journal or sys.stderr.isatty()):
        tell_summary(progress, sys.stderr)
    return max(code, runs.exit_code) if runs else code


def _targets(chosen: Settings) -> tuple[str, ...]:
    return chosen.targets or ((chosen.target,) if chosen.target else ())


def _tasks(places: Sequence[Place], chosen: Settings, options: argparse.Namespace) -> list[Task]:
    """The checks of all models; the rules to ignore may be others for each."""
    from onnxfix.api.cache import default_folder
    from onnxfix.batch.checking import Checking, named_targets
    from onnxfix.batch.task import Task

    checking = Checking(
        targets=named_targets(_targets(chosen)),
        select=chosen.select,
        rules=tuple(map(str, chosen.rules)),
        ask_target=not options.static,
        ask_limit=min(options.ask_limit, options.time_limit / 2) if len(places) > 1 else options.ask_limit,
        cache="" if options.no_cache else str(options.cache_dir or default_folder()),
    )
    every = [(place, replace(checking, ignore=chosen.for_file(Path(place.path)).ignore)) for place in places]
    return [Task(place.path, "check", own.settings(), place.size, place.state) for place, own in every]


def _try(chosen: Settings) -> None:
    """Raises OnnxfixError for what would be wrong with every model."""
    from onnxfix.api.settings import options_of, rules_of

    rules_of(options_of(None, None, chosen.select, chosen.ignore, False, False, chosen.rules))


class _Known:
    """What the baseline lists, if there is one, and how many findings were left out because of it."""

    def __init__(self, path: Path | None) -> None:
        from onnxfix.api.baseline import read_baseline

        self._path, self.gone = path, 0
        self._listed = read_baseline(path) if path else {}

    def without(self, done: Done) -> Line:
        """The line of a model without what is listed."""
        from onnxfix.api.baseline import without_known
        from onnxfix.batch.checking import checked
        from onnxfix.batch.reports import check_reports

        if self._path is None or "reports" not in done.line:
            return done.line
        left = [without_known(report, self._path, self._listed) for report in check_reports(done.line)]
        self.gone += sum(gone for _, gone in left)
        return {**done.line, **checked([report for report, _ in left])}


def _tell(
    done: Iterable[Done], known: _Known, chosen: Settings, options: argparse.Namespace, runs: check_run.Runs | None
) -> int:
    """Print what is found; gives the exit code."""
    from onnxfix.batch.run import in_order

    if options.format == "jsonl" and not options.write_baseline:
        return tell_lines(map(known.without, done))
    lines = map(known.without, in_order(done))
    if options.format == "text" and not options.write_baseline and not options.statistics and len(_targets(chosen)) < 2:
        return _one_by_one(lines)
    every = list(map(with_error_told, lines))
    reports = [report for line in every for report in _reports(line)]
    if options.write_baseline:
        return _baseline(options.write_baseline, reports, every)
    _write(options, reports, [line["error"]["message"] for line in every if "error" in line], runs)
    return max(map(_code, every))


def _reports(line: Line) -> Sequence[CheckReport]:
    from onnxfix.batch.reports import check_reports

    return check_reports(line)


def _baseline(path: Path, reports: Sequence[CheckReport], lines: Sequence[Line]) -> int:
    from onnxfix.api.baseline import write_baseline

    print(f"Wrote {path}: findings listed: {write_baseline(path, reports)}")
    return 2 if any("error" in line for line in lines) else 0


def _one_by_one(lines: Iterable[Line]) -> int:
    """The text of one target, each model as soon as it is known."""
    from onnxfix.report import console, terminal

    worst = 0
    for line in map(with_error_told, lines):
        for report in _reports(line):
            terminal.write(console.check_lines(report))
        worst = max(worst, _code(line))
    return worst


def _write(
    options: argparse.Namespace, reports: Sequence[CheckReport], errors: Sequence[str], runs: check_run.Runs | None
) -> None:
    from onnxfix.report import annotations, checks, json, junit, matrix, sarif, terminal

    if options.statistics and options.format == "text":
        terminal.write(matrix.statistics_lines(reports))
    elif options.format == "text":
        terminal.write(matrix.matrix_lines(reports, terminal.width()))
    elif options.format == "json":
        document = checks.document(reports, errors)
        json.write(runs.within(document) if runs else document)
    elif options.format == "sarif":
        json.write(sarif.document(reports, errors))
    elif options.format == "github":
        sys.stdout.write(annotations.text(reports, errors))
    elif options.format == "markdown":
        sys.stdout.write(checks.markdown(reports, errors))
    else:
        sys.stdout.write(junit.text(reports, errors))


def _code(line: Line) -> int:
    code: int = line["exit_code"]
    return code
