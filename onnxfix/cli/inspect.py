"""Show what a plan file holds: inputs and outputs, profiles, layers with their ONNX nodes and types, memory."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxfix.cli.arguments import declare_format


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("plan", metavar="PLAN", type=Path, help="the plan file")
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Show the facts."""
    from onnxfix.api import engines

    report = engines.inspect(options.plan)
    if options.format == "json":
        from onnxfix.report import json

        json.write(report.to_json())
    else:
        from onnxfix.report import terminal
        from onnxfix.report.engines import inspect_lines

        terminal.write(inspect_lines(report))
    return 0
