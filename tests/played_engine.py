"""A machine with a GPU, played on a CPU: engines are built for real, and ONNX Runtime gives what they would compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onnxfix import engine
from onnxfix.api import compare, run
from onnxfix.engine import EngineResult, Flavour
from onnxfix.engine.run import Execution
from onnxfix.engine.timing import Timing
from onnxfix.model import load
from onnxfix.verify import baseline, engine_run

Change = Callable[[dict[str, Any]], dict[str, Any]]
TIMING = Timing(10, 2, 1.5, 2.25, 600.0, 0.25, 1.0, 0.25)
RTX = Flavour("tensorrt_rtx", "9")


def play(monkeypatch: pytest.MonkeyPatch, change: Change = dict, outcome: str = "ran") -> None:
    """From here on engines run: they give the model's own outputs, changed by `change`, or end with `outcome`."""
    models: dict[Path, Path] = {}
    build = engine.build

    def built(path: Path, *arguments: Any, plan: Path | None = None, **more: Any) -> EngineResult:
        assert plan is not None, "an engine that is to run has a plan"
        models[plan] = path
        return replace(build(path, *arguments, plan=plan, **more), gpu=True)

    def ran(plan: Path, inputs: Mapping[str, Any], *, iterations: int = 0, **_: Any) -> Execution:
        if outcome != "ran":
            return Execution(outcome, RTX, "a GPU", reason="it broke")  # type: ignore[arg-type]
        names = tuple(value.name for value in load(models[plan]).proto.graph.output)
        outputs = baseline.run_here(str(models[plan]), names, [inputs], False, ("direct",)).outputs
        return Execution("ran", RTX, "a GPU", change(dict(outputs)), TIMING if iterations else None)

    monkeypatch.setattr(engine, "build", built)
    for module in (engine_run, run):
        monkeypatch.setattr(module, "run_plan", ran)
    for module in (engine_run, run, compare):
        monkeypatch.setattr(module, "why_not", str)
