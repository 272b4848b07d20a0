"""Compare what an engine computes with what ONNX Runtime computes, on the GPU: per output, and per layer."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxfix.cli.arguments import declare_format, local
from onnxfix.cli.run import declare_inputs, declare_tf32, given_inputs


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", type=local, help="the .onnx file")
    declare_inputs(parser)
    parser.add_argument("--layers", action="store_true", help="compare values inside the model too")
    declare_tf32(parser)
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with drawings")
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Compare, report, and give the exit code."""
    from onnxfix.api.compare import compare
    from onnxfix.report import terminal

    with terminal.progress() as progress:
        report = compare(
            options.model, given_inputs(options), layers=options.layers, tf32=options.tf32, progress=progress
        )
    if options.html:
        from onnxfix.files import write_whole
        from onnxfix.report.html import compare_page

        write_whole(options.html, compare_page(report).encode())
    if options.format == "json":
        from onnxfix.report import json

        json.write(report.to_json())
    else:
        from onnxfix.report.run import compare_lines

        terminal.write(compare_lines(report))
    return report.exit_code
