"""The straight line of diff(): two files in, a typed record out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from onnxfix.diff.models import compare_models
from onnxfix.diff.records import DiffReport
from onnxfix.model import load

Source = str | Path | onnx.ModelProto


def diff(before: Source, after: Source, *, ignore: Sequence[str] = (), placement: bool = False) -> DiffReport:
    """Everything that changed from one model to another.

    Nodes are matched by what they compute; names are only a hint.  `ignore` leaves out "names", "docs", "metadata",
    "initializer-placement", "value-info" or "order".  A constant that moved between an initializer and a Constant
    node is a change only with `placement`.  Weights are read piece by piece and never kept.
    Raises OnnxfixError for a file that is no model.
    """
    parts = {*ignore} if placement else {*ignore, "initializer-placement"}
    return compare_models(load(before), load(after), sorted(parts))
