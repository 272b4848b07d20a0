"""The facts about a model: interface, operators, weights; with --html its graph, and what `check` finds in it."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxfix.cli.arguments import declare_format


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="the .onnx file")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with the graph and its defects")
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Show the facts."""
    from onnxfix.model import load
    from onnxfix.model.facts import facts_of

    facts = facts_of(load(options.model))
    if options.html:
        _write_page(options)
    if options.format == "json":
        from onnxfix.report import json

        json.write(facts.to_json())
    else:
        from onnxfix.report import facts as report
        from onnxfix.report import terminal

        terminal.write(report.facts_lines(facts))
    return 0


def _write_page(options: argparse.Namespace) -> None:
    from onnxfix.api.check import check
    from onnxfix.model import load
    from onnxfix.report import terminal
    from onnxfix.report.page import document, html

    with terminal.progress() as progress:
        progress("checking the model")
        report = check(options.model)
        progress("drawing the page")
        notes = [f"checked for {report.target}", f"the ONNX checker says: {report.complaint}" * bool(report.complaint)]
        html.write(options.html, document.model_document(load(options.model), report.diagnostics, filter(None, notes)))
