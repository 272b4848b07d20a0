"""`check --run`: what flows through models, instead of what is wrong with their nodes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def declare(parser: argparse.ArgumentParser) -> None:
    """--run and what belongs to it."""
    parser.add_argument("--run", action="store_true", help="run the models in ONNX Runtime and watch every value")
    parser.add_argument("--inputs", metavar="FILE.npz", type=Path, help="inputs for --run (default: seeded)")
    parser.add_argument("--plot", metavar="FILE.svg", type=Path, help="a drawing of the ranges that --run finds")


def run(paths: Sequence[Path], options: argparse.Namespace) -> int:
    """Watch, report, and give the exit code: 1 where something is not finite."""
    from onnxfix.api.watch import watch
    from onnxfix.report import json, ranges, terminal

    reports = []
    for path in paths:
        with terminal.progress() as progress:
            reports.append(watch(path, options.inputs, progress=progress))
        if options.plot:
            from onnxfix.files import write_whole

            write_whole(options.plot, ranges.drawing(reports[-1]).encode())
        if options.format != "json":
            terminal.write(ranges.range_lines(reports[-1]))
    worst = max((report.exit_code for report in reports), default=0)
    if options.format == "json":
        json.write({"models": [report.to_json() for report in reports], "errors": [], "exit_code": worst})
    return worst
