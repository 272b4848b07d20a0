"""Say what a message of TensorRT, ONNX, ONNX Runtime or PyCUDA means, and what repairs it."""

from __future__ import annotations

import argparse
import sys
from io import TextIOWrapper

from onnxfix.cli.arguments import declare_format


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "words", metavar="CODE|MESSAGE|LOG|-", nargs="+", help="a rule, a message, a file with a log, or - for a pipe"
    )
    parser.add_argument("--target", metavar="T", help="the TensorRT that said it: its own messages are told so")
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Explain; 1 when nothing is known of it."""
    from onnxfix.api.explain import explain
    from onnxfix.report import explain as report
    from onnxfix.report import json, terminal

    words = " ".join(options.words)
    wanted = words == "-" and sys.stdin
    piped = TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace") if wanted else None
    found = explain(words, target=options.target, piped=piped)
    if options.format == "json":
        json.write(found.to_json())
    else:
        terminal.write(report.explain_lines(found))
    return found.exit_code
