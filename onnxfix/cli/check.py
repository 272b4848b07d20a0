"""Say what is wrong with models, for one TensorRT or several; change nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from onnxfix.cli import check_run
from onnxfix.cli.arguments import declare_folders, words
from onnxfix.cli.config import Settings, settings
from onnxfix.errors import ModelFileError
from onnxfix.records import CheckReport
from onnxfix.report.text import sentence

FORMATS = ("text", "json", "sarif", "github", "junit", "markdown")


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "models", metavar="MODEL", nargs="+", type=Path, help="an .onnx file, a folder of them, or a pattern"
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
    parser.add_argument("--baseline", metavar="FILE", type=Path, help="do not tell the findings that FILE lists")
    parser.add_argument("--write-baseline", metavar="FILE", type=Path, help="write all findings to FILE; exit with 0")
    parser.add_argument("--statistics", action="store_true", help="only how often each rule finds something")
    parser.add_argument("--no-cache", action="store_true", help="look at models that have not changed again")
    parser.add_argument(
        "--cache-dir", metavar="DIR", type=Path, help="default: ONNXFIX_CACHE, else in your cache folder"
    )
    check_run.declare(parser)
    parser.add_argument("--format", choices=FORMATS, default="text", help="text is the default")


def run(options: argparse.Namespace) -> int:
    """Check every model; one that cannot be read stops none of the others.  The worst exit code counts."""
    chosen = settings(options)
    from onnxfix.api.checks import models

    paths = list(models(options.models))
    if options.run:
        return check_run.run(paths, options)
    results = _known_left_out(_checked(paths, chosen, options), chosen)
    if options.write_baseline:
        return _baseline(options.write_baseline, list(results))
    if options.format == "text" and not options.statistics and len(_targets(chosen)) < 2:
        return _one_by_one(results)
    every = list(results)
    reports = [result for result in every if isinstance(result, CheckReport)]
    _write(options, reports, [str(result) for result in every if isinstance(result, ModelFileError)])
    return max(map(_code, every), default=0)


def _targets(chosen: Settings) -> tuple[str, ...]:
    return chosen.targets or ((chosen.target,) if chosen.target else ())


def _checked(
    paths: Sequence[Path], chosen: Settings, options: argparse.Namespace
) -> Iterator[CheckReport | ModelFileError]:
    """The reports of each model, or why it cannot be read, which is also told on standard error."""
    from onnxfix.api.cache import default_folder
    from onnxfix.api.checks import Plan, check_all
    from onnxfix.report import terminal

    plan = Plan(
        targets=_targets(chosen),
        select=chosen.select,
        ignored=lambda path: chosen.for_file(path).ignore,
        rules=chosen.rules,
        ask_target=not options.static,
        cache=None if options.no_cache else options.cache_dir or default_folder(),
    )
    with terminal.progress() as progress:
        for result in check_all(paths, plan, lambda stage: progress(sentence(stage))):
            if isinstance(result, ModelFileError):
                sys.stdout.flush()
                print(f"onnxfix: {sentence(str(result))}", file=sys.stderr)
            yield result


def _known_left_out(
    results: Iterator[CheckReport | ModelFileError], chosen: Settings
) -> Iterator[CheckReport | ModelFileError]:
    """The results without what the baseline lists; how much that is, on standard error."""
    if chosen.baseline is None:
        yield from results
        return
    from onnxfix.api.baseline import read_baseline, without_known

    known, gone = read_baseline(chosen.baseline), 0
    for result in results:
        if isinstance(result, CheckReport):
            result, more = without_known(result, chosen.baseline, known)
            gone += more
        yield result
    if gone:
        print(f"onnxfix: {gone} known findings left out (--baseline)", file=sys.stderr)


def _baseline(path: Path, results: Sequence[CheckReport | ModelFileError]) -> int:
    from onnxfix.api.baseline import write_baseline

    count = write_baseline(path, [result for result in results if isinstance(result, CheckReport)])
    print(f"Wrote {path}: findings listed: {count}")
    return 2 if any(isinstance(result, ModelFileError) for result in results) else 0


def _one_by_one(results: Iterator[CheckReport | ModelFileError]) -> int:
    """The text of one target, each model as soon as it is known."""
    worst = 0
    for result in results:
        if isinstance(result, CheckReport):
            from onnxfix.report import console, terminal

            terminal.write(console.check_lines(result))
        worst = max(worst, _code(result))
    return worst


def _write(options: argparse.Namespace, reports: Sequence[CheckReport], errors: Sequence[str]) -> None:
    from onnxfix.report import annotations, checks, json, junit, matrix, sarif, terminal

    if options.statistics and options.format == "text":
        terminal.write(matrix.statistics_lines(reports))
    elif options.format == "text":
        terminal.write(matrix.matrix_lines(reports))
    elif options.format == "json":
        json.write(checks.document(reports, errors))
    elif options.format == "sarif":
        json.write(sarif.document(reports, errors))
    elif options.format == "github":
        sys.stdout.write(annotations.text(reports, errors))
    elif options.format == "markdown":
        sys.stdout.write(checks.markdown(reports, errors))
    else:
        sys.stdout.write(junit.text(reports, errors))


def _code(result: CheckReport | ModelFileError) -> int:
    return result.exit_code if isinstance(result, CheckReport) else 2
