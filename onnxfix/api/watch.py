"""The straight line of `check --run`: a model run in ONNX Runtime with every value watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from onnxfix.model import load
from onnxfix.verify import ranges
from onnxfix.verify.budget import NUMERIC, ensure_memory
from onnxfix.verify.values import recorded_inputs
from onnxfix.verify.watched import Watch


@dataclass(frozen=True, slots=True)
class RangeReport:
    """What flowed through a model; `seeded` when the inputs were made up."""

    model: str
    seeded: bool
    watch: Watch

    @property
    def exit_code(self) -> int:
        """1 when a value is not finite, else 0."""
        return int(self.watch.first is not None)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {"model": self.model, "seeded": self.seeded, **self.watch.to_json(), "exit_code": self.exit_code}


def watch(
    model: str | Path | onnx.ModelProto,
    inputs: str | Path | None = None,
    *,
    timeout: float = 600.0,
    progress: Callable[[str], object] = str,
) -> RangeReport:
    """Run a model on the arrays of an .npz file (by default seeded ones) and watch every value of its main graph.

    Found are the first NaN or infinity, what float16 or int32 cannot hold, denormals, and outputs that are one number
    everywhere.  ONNX Runtime computes float16 nodes in float32, so an overflow inside a float16 model does not show.
    `timeout` is in seconds.  Raises OnnxfixError for inputs that do not fit, models that do not run, and weights beyond
    the memory.
    """
    whole = load(model)
    ensure_memory(whole, NUMERIC)
    feeds = recorded_inputs(Path(inputs), whole) if inputs else None
    found = ranges.watch(whole, feeds, timeout=timeout, progress=progress)
    whole.confirm()
    return RangeReport(whole.label, feeds is None, found)
