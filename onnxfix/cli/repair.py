"""Repair a model, prove the repair by numbers and by the engine, and write it only when it is proven."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxfix.cli.arguments import declare_format, declare_rules
from onnxfix.cli.batch import declare_batch
from onnxfix.cli.config import VERIFICATIONS, Settings, settings
from onnxfix.cli.interface import declare_interface

if TYPE_CHECKING:
    from onnxfix.model import Model
    from onnxfix.records import AppliedFix, Diagnostic, RepairReport


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "models", metavar="MODEL", nargs="+", help="an .onnx file, a folder of them, a pattern, @LIST, or a URL"
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the file to write (default: MODEL.fixed.onnx), or a folder; several models need a folder",
    )
    place.add_argument("--in-place", action="store_true", help="replace MODEL itself, atomically")
    parser.add_argument(
        "--external-data",
        choices=("auto", "reference", "copy", "link", "embed"),
        default="auto",
        help="weights in files: leave them there, copy (clone) or hard-link them, or put them into the model "
        "(default auto: leave them in the same folder, else copy)",
    )
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
        help="let fixes change inputs and outputs where the target asks for it",
    )
    parser.add_argument("--verify", choices=VERIFICATIONS, help="how far to prove the repair (default: engine)")
    parser.add_argument("--inputs", metavar="FILE.npz", type=Path, help="recorded inputs for the comparison")
    declare_interface(parser)
    parser.add_argument("--diff", action="store_true", help="show the nodes before and after each fix")
    parser.add_argument("--dry-run", action="store_true", help="write no model")
    parser.add_argument(
        "--html", metavar="FILE", type=Path, help="write a page with both models and what each rule did"
    )
    declare_batch(parser)
    declare_format(parser, "jsonl")


def run(options: argparse.Namespace) -> int:
    """Repair, report, and give the exit code; of several models the worst, and one unreadable stops none."""
    from onnxfix.batch.outputs import inside
    from onnxfix.batch.places import is_many

    if options.output and not is_many(options.models):
        options.output = inside(options.output, options.models[0])
    if is_many(options.models) or options.journal or options.ray or options.format == "jsonl":
        from onnxfix.cli import repair_many

        return repair_many.run(options)
    return _repair(options, options.models[0])


def _repair(options: argparse.Namespace, place: str) -> int:
    from onnxfix import sandbox

    sandbox.checker().start("onnxfix.model.inference:get_ready")
    chosen = settings(options)
    from onnxfix.model import load
    from onnxfix.report import terminal

    with terminal.progress() as progress:
        from onnxfix.api.repair import repair
        from onnxfix.batch.near import near
        from onnxfix.batch.outputs import are_writable

        if not options.dry_run:
            are_writable("", {place: options.output})
        progress("reading the model")
        with near(place, options.output, in_place=options.in_place, repairs=True) as files:
            original = load(files.model) if options.html else None
            asked = {**wishes(options, chosen), "output": files.output, "in_place": files.in_place}
            report = repair(files.model, **asked, progress=progress)
            if original:
                progress("drawing the page")
                _write_page(options.html, original, report)
            report = files.published(report)
    if options.format == "json":
        from onnxfix.report import json

        json.write(report.to_json())
    else:
        from onnxfix.report import console

        terminal.write(console.repair_lines(report, diff=options.diff))
    return report.exit_code


def wishes(options: argparse.Namespace, chosen: Settings) -> dict[str, Any]:
    """The keyword arguments of `repair`, but for the progress."""
    return {
        "output": options.output,
        "target": chosen.target,
        "opset": options.opset,
        "select": chosen.select,
        "ignore": chosen.ignore,
        "unsafe_fixes": chosen.unsafe_fixes,
        "interface_changes": options.interface_changes,
        "rules": chosen.rules,
        "verify": chosen.verify,
        "inputs": options.inputs,
        "freeze": dict(options.freeze),
        "shapes": dict(options.shape),
        "dynamic_batch": options.dynamic_batch,
        "cut": options.cut,
        "in_place": options.in_place,
        "external_data": options.external_data,
        "dry_run": options.dry_run,
    }


def _write_page(place: Path, original: Model, report: RepairReport) -> None:
    """Both models when one was written; else the original with its defects."""
    from onnxfix.changes.models import matched_models, report_of
    from onnxfix.model import load
    from onnxfix.report.page import blame, document, html

    notes = [f"repaired for {report.target}", *report.notes]
    if report.output:
        compared = matched_models(original, load(report.output))
        changes = report_of(compared, ("initializer-placement", "metadata", "order"), time.perf_counter())
        changes = blame.blamed(changes, report.fixes)
        html.write(place, document.diff_document(compared, changes, notes, report.remaining))
    else:
        notes.append(report.unwritten or "no repaired model was written: this is the original")
        found = [*report.remaining, *(_repairable(fix) for fix in report.fixes)]
        html.write(place, document.model_document(original, found, notes))


def _repairable(fix: AppliedFix) -> Diagnostic:
    from onnxfix.records import Diagnostic

    return Diagnostic(
        fix.code, fix.rule, "warning", fix.message, fix.scope, fix.node, value=fix.node, fix=fix.applicability
    )
