"""Which opset versions a model can reach, and which nodes keep it from the others.  Nothing is written."""

from __future__ import annotations

import argparse

from onnxfix.cli.arguments import declare_format, local


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", type=local, help="the .onnx file")
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Try every version."""
    from onnxfix import sandbox

    sandbox.checker().start("onnxfix.model.inference:get_ready")
    from onnxfix.report import terminal

    with terminal.progress() as progress:
        from onnxfix.api.repair import opsets

        progress("converting to every opset")
        report = opsets(options.model)
    if options.format == "json":
        from onnxfix.report import json

        json.write(report.to_json())
    else:
        from onnxfix.report.opsets import opset_lines

        terminal.write(opset_lines(report))
    return 0
