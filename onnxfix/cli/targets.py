"""Show the TensorRT releases and devices that onnxfix knows, or all that is known of one."""

from __future__ import annotations

import argparse

from onnxfix.cli.arguments import declare_format


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="such as trt8.6, jetson-nano, t4@trt8.6 (default: all)")
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Print the tables."""
    from onnxfix.report import json, targets, terminal
    from onnxfix.targets import resolve

    chosen = resolve(options.name) if options.name else None
    if options.format == "json":
        json.write(targets.document(chosen))
    else:
        terminal.write(targets.target_lines(chosen) if chosen else targets.overview_lines())
    return 0
