"""Write a part of a model: between values, or around a node."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxfix.cli.arguments import declare_format, local, words


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", type=local, help="the .onnx file")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="the file to write")
    parser.add_argument("--inputs", metavar="A,B", type=words, default=[], help="values that become inputs")
    parser.add_argument("--outputs", metavar="C", type=words, default=[], help="values that become outputs")
    parser.add_argument("--around", metavar="NODE", default="", help="a node, by its name or that of a value it makes")
    parser.add_argument("--hops", metavar="N", type=int, default=3, help="how far around the node (3)")
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Extract, report, and give the exit code."""
    from onnxfix.api import cutting
    from onnxfix.report import terminal

    report = cutting.extract(
        options.model,
        options.output,
        inputs=options.inputs,
        outputs=options.outputs,
        around=options.around,
        hops=options.hops,
    )
    if options.format == "json":
        from onnxfix.report import json

        json.write(report.to_json())
    else:
        from onnxfix.report.cutting import extract_lines

        terminal.write(extract_lines(report))
    return report.exit_code
