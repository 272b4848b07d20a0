"""What changed between two models.  Exit code 0: the same; 1: different; 2: trouble."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from onnxfix.cli.arguments import declare_format, words
from onnxfix.errors import OnnxfixError

_PARTS = ("names", "docs", "metadata", "initializer-placement", "value-info", "order")


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("before", metavar="A", help="the one .onnx file, or its URL in a store")
    parser.add_argument("after", metavar="B", help="the other one")
    parser.add_argument(
        "--ignore", metavar="PARTS", type=words, action="extend", default=[], help=f"leave out {', '.join(_PARTS)}"
    )
    parser.add_argument(
        "--placement", action="store_true", help="tell of constants that moved between initializer and Constant node"
    )
    parser.add_argument("--run", action="store_true", help="run both in ONNX Runtime and compare what they compute")
    parser.add_argument("--inputs", metavar="FILE.npz", type=Path, help="run on these arrays (default: seeded ones)")
    parser.add_argument("--stat", action="store_true", help="only count the changes of each kind")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with both graphs, laid over each other")
    parser.add_argument("--quiet", "-q", action="store_true", help="print nothing, only give the exit code")
    declare_format(parser, "markdown")


def run(options: argparse.Namespace) -> int:
    """Compare, report, and give the exit code."""
    for word in options.ignore:
        if word not in _PARTS:
            raise OnnxfixError(f"--ignore does not know {word!r}", hint=f"it knows {', '.join(_PARTS)}")
    from onnxfix.report import terminal

    started = time.perf_counter()
    with terminal.progress() as progress:
        from onnxfix.api.diff import ignored_parts, reported
        from onnxfix.batch.near import near
        from onnxfix.changes.models import matched_models
        from onnxfix.model import load

        progress("reading the models")
        with near(options.before) as before, near(options.after) as after:
            progress("comparing the models")
            compared = matched_models(load(before.model), load(after.model))
            report = reported(
                compared,
                ignored_parts(options.ignore, options.placement),
                run=options.run or options.inputs is not None,
                inputs=options.inputs,
                progress=progress,
                started=started,
            )
            report = after.told(before.told(report))
            if options.html:
                from onnxfix.report.page import document, html

                progress("drawing the page")
                html.write(options.html, after.told(before.told(document.diff_document(compared, report))))
    if options.quiet:
        return report.exit_code
    if options.format == "json":
        from onnxfix.report import json

        json.write(report.to_json())
        return report.exit_code
    from onnxfix.report.diff import diff_lines, markdown, stat_lines

    if options.format == "markdown":
        print(markdown(report), end="")
    else:
        terminal.write(stat_lines(report) if options.stat else diff_lines(report))
    return report.exit_code
