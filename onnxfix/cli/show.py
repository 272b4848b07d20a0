"""The facts about a model: interface, operators, weights; with --html its graph, and what `check` finds in it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from onnxfix.cli.arguments import declare_asking, declare_format

if TYPE_CHECKING:
    from onnxfix.batch.near import Near


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="the .onnx file, or its URL in a store")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with the graph and its defects")
    declare_asking(parser, 20.0)
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Show the facts."""
    from onnxfix.batch.near import near
    from onnxfix.model import load
    from onnxfix.model.facts import facts_of

    with near(options.model) as files:
        facts = files.told(facts_of(load(files.model)))
        if options.html:
            _write_page(files, options.html, options.ask_limit)
    if options.format == "json":
        from onnxfix.report import json

        json.write(facts.to_json())
    else:
        from onnxfix.report import facts as report
        from onnxfix.report import terminal

        terminal.write(report.facts_lines(facts))
    return 0


def _write_page(files: Near, page: Path, ask_limit: float) -> None:
    """A page does not wait long for the target: rules and facts have told most of what it shows."""
    from onnxfix.api.check import check
    from onnxfix.model import load
    from onnxfix.report import terminal
    from onnxfix.report.page import document, html

    with terminal.progress() as progress:
        progress("checking the model")
        report = files.told(check(files.model, ask_limit=ask_limit, progress=progress))
        progress("drawing the page")
        complaint = f"the ONNX checker says: {report.complaint}" * bool(report.complaint)
        unasked = () if report.asked else report.notes
        notes = filter(None, (f"checked for {report.target}", complaint, *unasked))
        html.write(page, files.told(document.model_document(load(files.model), report.diagnostics, notes)))
    for note in unasked:
        print(f"onnxfix: note: {note}", file=sys.stderr)
