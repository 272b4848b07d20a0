"""The straight line of `report`: everything that a bug report needs, in one archive or Markdown file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from onnxfix import engine, sandbox
from onnxfix.api.bugpage import BugReport, archive, markdown
from onnxfix.api.check import check as diagnosed
from onnxfix.api.destination import destination_of
from onnxfix.api.doctor import doctor
from onnxfix.api.failing import Failing
from onnxfix.api.reproduction import NOTHING_REDUCED, Reproduction, reproduction
from onnxfix.engine.backend import choose
from onnxfix.engine.parse import parse
from onnxfix.errors import Irreducible, OnnxfixError
from onnxfix.files import write_whole
from onnxfix.model import load


def bug_report(
    model: str | Path,
    output: str | Path,
    *,
    check: str = "build",
    match: str = "",
    inputs: str | Path | None = None,
    weights: bool = False,
    timeout: float = 300.0,
    repeat: int = 1,
    progress: Callable[[str], object] = str,
) -> BugReport:
    """Write a bug report about a model to `output`, a .zip archive or a Markdown file (.md).

    `check`, `match`, `inputs`, `timeout` and `repeat` say how the model fails, as for `reduce`.  The model that goes
    into the report is the smallest one that fails in the same way, with random numbers for weights and seeded inputs,
    or such as lie between the smallest and the largest of yours; with `weights` the weights and inputs that the failure
    needs stay.  Raises OnnxfixError for a file that is no model, options that make no sense, weights beyond the memory,
    and an `output` of another kind.
    """
    path, goal = Path(model), Path(output)
    failing = Failing(check, match, timeout, repeat)
    failing.refuse_senseless(inputs)
    if goal.suffix not in (".zip", ".md"):
        raise OnnxfixError("is neither .zip nor .md", where=str(goal), hint="choose another -o")
    destination_of(load(path), goal, in_place=False, may_replace=False)
    progress("looking at this machine")
    machine = doctor()
    progress("checking the model")
    checked = diagnosed(path)
    asks = check in ("build", "parse")
    found = BugReport(str(path), str(goal), machine, checked, asked=check)
    if asks and not engine.installed():
        found = replace(found, notes=(f"{NOTHING_REDUCED}: no TensorRT is installed",))
    else:
        found = replace(found, library=choose(None).title if asks else "")
        try:
            shown = reproduction(path, failing, inputs, weights=weights, progress=lambda now: progress(now[0]))
        except Irreducible as error:
            error.where = path.name if error.where == str(path) else error.where
            found = replace(found, notes=(f"{NOTHING_REDUCED}: {error}",))
        else:
            found = _with(found, shown, _messages(path, failing, progress) if asks else ())
    write_whole(goal, archive(found) if goal.suffix == ".zip" else markdown(found).encode())
    return found


def _with(found: BugReport, shown: Reproduction, errors: tuple[dict[str, Any], ...]) -> BugReport:
    return replace(
        found,
        errors=errors,
        failure=shown.found.failure,
        figures=shown.found.figures,
        before=shown.found.before,
        nodes=shown.found.nodes if shown.model else 0,
        origin=tuple(replace(item, line="") for item in shown.found.origin),
        reduced=shown.model,
        reduced_failure=shown.failure,
        reduced_figures=shown.figures,
        files=shown.files,
        commands=shown.commands,
        notes=shown.notes,
    )


def _messages(path: Path, failing: Failing, progress: Callable[[str], object]) -> tuple[dict[str, Any], ...]:
    """All that TensorRT says of the whole model."""
    progress("asking for all messages")
    try:
        if failing.check == "parse":
            errors = parse(path, timeout=failing.timeout)
        else:
            errors = engine.build(path, timeout=failing.timeout).errors
    except sandbox.SandboxFailure:  # the failure says so
        return ()
    return tuple(asdict(error) for error in errors)
