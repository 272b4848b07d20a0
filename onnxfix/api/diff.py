"""The straight line of diff(): two files in, a typed record out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from onnxfix.changes.models import IGNORABLE, Compared, matched_models, report_of
from onnxfix.changes.numbers import compare_numbers
from onnxfix.changes.records import DiffReport
from onnxfix.errors import OnnxfixError
from onnxfix.model import load

Source = str | Path | onnx.ModelProto


def diff(
    before: Source,
    after: Source,
    *,
    ignore: Sequence[str] = (),
    placement: bool = False,
    run: bool = False,
    inputs: Path | None = None,
    timeout: float = 600.0,
    progress: Callable[[str], object] = str,
) -> DiffReport:
    """Everything that changed from one model to another.

    Nodes are matched by what they compute; names are only a hint.  `ignore` leaves out "names", "docs", "metadata",
    "initializer-placement", "value-info" or "order".  A constant that moved between an initializer and a Constant
    node is a change only with `placement`.  Weights are read piece by piece and never kept.  With `run` both models
    run in ONNX Runtime, in a child process, on seeded inputs or on those of the .npz file `inputs`; `timeout` is in
    seconds, for each run.  Raises OnnxfixError for a file that is no model, an unknown part to ignore, and inputs
    that do not fit the first model.
    """
    started = time.perf_counter()
    ignored = ignored_parts(ignore, placement)
    progress("comparing the models")
    compared = matched_models(load(before), load(after))
    return reported(compared, ignored, run=run, inputs=inputs, timeout=timeout, progress=progress, started=started)


def reported(
    compared: Compared,
    ignored: Sequence[str],
    *,
    run: bool = False,
    inputs: Path | None = None,
    timeout: float = 600.0,
    progress: Callable[[str], object] = str,
    started: float,
) -> DiffReport:
    """The report of `diff` on models that are matched already, which began at `started` by time.perf_counter()."""
    report = report_of(compared, ignored, started)
    if not run:
        return report
    numbers = compare_numbers(compared, inputs, timeout=timeout, progress=progress)
    return replace(report, numbers=numbers, seconds=time.perf_counter() - started)


def ignored_parts(ignore: Sequence[str], placement: bool) -> list[str]:
    """What `report_of` is to leave out; raises OnnxfixError for what it does not know."""
    for part in ignore:
        if part not in IGNORABLE:
            raise OnnxfixError(f"nothing is called {part!r} to be ignored", hint=f"there are {', '.join(IGNORABLE)}")
    return sorted({*ignore} if placement else {*ignore, "initializer-placement"})
