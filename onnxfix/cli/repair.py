"""Repair a model, prove the repair by numbers and by the engine, and write it only when it is proven."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxfix.cli.arguments import declare_format, declare_rules
from onnxfix.cli.config import VERIFICATIONS, settings


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="the .onnx file")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("-o", "--output", metavar="OUT", type=Path, help="the file to write (default: MODEL.fixed.onnx)")
    place.add_argument("--in-place", action="store_true", help="replace MODEL itself, atomically")
    declare_rules(parser)
    parser.add_argument("--opset", metavar="N", type=int, help="also convert to this opset")
    parser.add_argument(
        "--unsafe-fixes",
        action=argparse.BooleanOptionalAction,
        help="also apply fixes that may change the numbers or the interface",
    )
    parser.add_argument(
        "--allow-interface-changes",
        dest="interface_changes",
        action="store_true",
        help="let fixes change the types of inputs and outputs",
    )
    parser.add_argument("--verify", choices=VERIFICATIONS, help="how far to prove the repair (default: engine)")
    parser.add_argument("--inputs", metavar="FILE.npz", type=Path, help="recorded inputs for the comparison")
    parser.add_argument("--diff", action="store_true", help="show the nodes before and after each fix")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    declare_format(parser)


def run(options: argparse.Namespace) -> int:
    """Repair, report, and give the exit code."""
    chosen = settings(options)
    from onnxfix import sandbox

    sandbox.checker().start()
    from onnxfix.report import terminal

    with terminal.progress() as progress:
        from onnxfix import api

        report = api.repair(
            options.model,
            options.output,
            target=chosen.target,
            opset=options.opset,
            select=chosen.select,
            ignore=chosen.ignore,
            unsafe_fixes=chosen.unsafe_fixes,
            interface_changes=options.interface_changes,
            rules=chosen.rules,
            verify=chosen.verify,
            inputs=options.inputs,
            in_place=options.in_place,
            dry_run=options.dry_run,
            progress=progress,
        )
    if options.format == "json":
        from onnxfix.report import json

        json.write(report.to_json())
    else:
        from onnxfix.report import console

        terminal.write(console.repair_lines(report, diff=options.diff))
    return report.exit_code
