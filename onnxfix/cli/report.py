"""Gather what a bug report needs in one archive or Markdown file; no weights unless asked."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxfix.cli.arguments import declare_failing, declare_format, local


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", type=local, help="the .onnx file")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="a .zip or .md file to write")
    declare_failing(parser)
    parser.add_argument("--weights", action="store_true", help="keep the weights and inputs that the failure needs")
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Gather, write, and give the exit code."""
    from onnxfix.api import bugreport
    from onnxfix.report import terminal

    with terminal.progress() as progress:
        found = bugreport.bug_report(
            options.model,
            options.output,
            check=options.check,
            match=options.match,
            inputs=options.inputs,
            weights=options.weights,
            timeout=options.timeout,
            repeat=options.repeat,
            progress=progress,
        )
    if options.format == "json":
        from onnxfix.report import json

        json.write(found.to_json())
    else:
        from onnxfix.report.cutting import bug_report_lines

        terminal.write(bug_report_lines(found))
    return found.exit_code
