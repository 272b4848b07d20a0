"""`repair` of many models: folders, patterns, lists."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxfix.cli.batch import batch, tell_lines, tell_summary, with_error_told
from onnxfix.cli.config import Settings, settings
from onnxfix.errors import ModelFileError, OnnxfixError
from onnxfix.report.text import counted

if TYPE_CHECKING:
    from onnxfix.batch.places import Place
    from onnxfix.batch.run import Done
    from onnxfix.batch.task import Line, Task


def run(options: argparse.Namespace) -> int:
    """Repair every model, report, and give the worst exit code."""
    chosen = settings(options)
    if options.html:
        hint = "repair that model alone, without --journal, --ray and --format jsonl"
        raise OnnxfixError("draws one model", where="--html", hint=hint)
    tasks = _tasks(_places(options), chosen, options)
    with batch(options, tasks, lambda: _try(chosen, tasks, options)) as (done, progress):
        code = _tell(done, options, brief=len(tasks) > 1 and not options.diff)
    if len(tasks) > 1:
        tell_summary(progress, sys.stdout if options.format == "text" else sys.stderr)
    return code


def _places(options: argparse.Namespace) -> list[Place]:
    """The models without the results of earlier runs, which are told."""
    from onnxfix.batch.outputs import without_results
    from onnxfix.batch.places import found

    every = found(options.models)
    places = without_results(every, options.output or "")
    if left := len(every) - len(places):
        print(f"onnxfix: note: left out: {counted(left, 'result')} of earlier runs", file=sys.stderr)
    if not places:
        raise ModelFileError("holds results of earlier runs only", where=" ".join(options.models))
    return places


def _tasks(places: Sequence[Place], chosen: Settings, options: argparse.Namespace) -> list[Task]:
    """The repairs of all models, each with its own output."""
    from onnxfix.batch.task import Task
    from onnxfix.cli.repair import wishes

    goals = _goals(places, options)
    given = {name: json_value(value) for name, value in wishes(options, chosen).items()}
    return [Task(p.path, "repair", given | {"output": goals[p.path]}, p.size, p.state) for p in places]


def _goals(places: Sequence[Place], options: argparse.Namespace) -> Mapping[str, str | None]:
    """Where the result of each model goes; the output of one that was named alone is a file."""
    from onnxfix.batch.outputs import outputs
    from onnxfix.batch.places import is_many

    if not is_many(options.models):
        return {place.path: options.output for place in places}
    if options.output and os.path.isfile(options.output):  # noqa: PTH113 - Path.is_file fails for long names
        raise OnnxfixError("is a file; several models need a folder", where=options.output, hint="choose another -o")
    return outputs(places, options.output or "", in_place=options.in_place, cut=bool(options.cut))


def json_value(value: Any) -> Any:
    """A keyword argument of `repair` as JSON types."""
    if isinstance(value, dict):
        return {name: json_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if hasattr(value, "tolist"):  # an array, of --freeze NAME=@FILE.npy
        return value.tolist()
    return str(value) if isinstance(value, Path) else value


def _try(chosen: Settings, tasks: Sequence[Task], options: argparse.Namespace) -> None:
    """Raises OnnxfixError for what would be wrong with every model."""
    from onnxfix.api.settings import options_of, rules_of
    from onnxfix.batch.outputs import are_writable
    from onnxfix.batch.places import is_many

    if not options.dry_run:
        folder = options.output if options.output and is_many(options.models) else ""
        are_writable(folder, {task.place: task.settings["output"] for task in tasks})
    rules_of(options_of(chosen.target, None, chosen.select, chosen.ignore, False, False, chosen.rules))


def _tell(done: Iterable[Done], options: argparse.Namespace, *, brief: bool) -> int:
    """Print what was done: as text in the order of the models, as JSONL in the order of completion.

    With `brief` a model that is good now takes one line; what is left of another one is told in full.
    """
    from onnxfix.batch.run import in_order
    from onnxfix.report import json

    if options.format == "jsonl":
        return tell_lines(item.line for item in done)
    lines = (with_error_told(item.line) for item in in_order(done))
    if options.format == "text":
        return max(_print(line, options.diff, brief) for line in lines)
    every = list(lines)
    worst: int = max(line["exit_code"] for line in every)
    reports = [line["report"] for line in every if "report" in line]
    errors = [line["error"]["message"] for line in every if "error" in line]
    json.write({"models": reports, "errors": errors, "exit_code": worst})
    return worst


def _print(line: Line, diff: bool, brief: bool) -> int:
    from onnxfix.batch.reports import repair_report
    from onnxfix.report import console, terminal

    report = repair_report(line)
    if report and brief and not report.exit_code:
        terminal.write(console.brief_lines(report))
    elif report:
        terminal.write(console.repair_lines(report, diff=diff))
    return report.exit_code if report else 2
