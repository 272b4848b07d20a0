"""The facts about a model: interface, operators, weights.  The weights are not read."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxfix.cli.arguments import declare_format


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="the .onnx file")
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Show the facts."""
    from onnxfix.model import load
    from onnxfix.model.facts import facts_of

    facts = facts_of(load(options.model))
    if options.format == "json":
        from onnxfix.report import json

        json.write(facts.to_json())
    else:
        from onnxfix.report import facts as report
        from onnxfix.report import terminal

        terminal.write(report.facts_lines(facts))
    return 0
