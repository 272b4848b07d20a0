"""Runs a plan file in a child process: an engine that kills or hangs TensorRT is a verdict, not the end of onnxfix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from onnxfix import sandbox
from onnxfix.engine import cuda
from onnxfix.engine import tensors as io
from onnxfix.engine.backend import choose, gpu_present
from onnxfix.engine.records import Flavour
from onnxfix.engine.tensors import Array, IoTensor
from onnxfix.engine.timing import Timing
from onnxfix.errors import OnnxfixError


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of an engine. `device` is the GPU with its compute capability; `notes` are sentences for the user.

    `reason` says what happened unless the outcome is "ran"; `signal` is that of a crash.
    """

    outcome: Literal["ran", "failed", "crashed", "timeout"]
    flavour: Flavour
    device: str = ""
    outputs: Mapping[str, Array] = field(default_factory=dict)
    timing: Timing | None = None
    notes: tuple[str, ...] = ()
    reason: str = ""
    signal: str = ""


def why_not() -> str:
    """Why no engine can run on this machine, "" when one can (as far as can be told without running one)."""
    if not gpu_present():
        return cuda.NO_DEVICE
    return "" if cuda.installed() else "PyCUDA is not installed (pip install 'onnxfix[gpu]')"


def run_plan(
    plan: Path,
    inputs: Mapping[str, Array],
    *,
    flavour: str | None = None,
    iterations: int = 0,
    warmup: int = 10,
    cuda_graph: bool = False,
    narrow: bool = False,
    timeout: float = 300.0,
    box: sandbox.Sandbox | None = None,
) -> Execution:
    """Load and run a plan in the sandbox (`box`, or the default one), then time it when `iterations` is not 0.

    With `narrow` the inputs may have the model's types where the parser took narrower ones (double as float).
    `timeout` is in seconds. Raises OnnxfixError for inputs that do not fit, a missing GPU or PyCUDA and a full GPU.
    """
    failed = Execution("failed", choose(flavour))
    box = box or sandbox.default()
    title = failed.flavour.title
    try:
        result = box.call(
            "onnxfix.engine.run:run_here",
            str(plan.absolute()),
            dict(inputs),
            flavour,
            iterations,
            warmup,
            cuda_graph,
            narrow,
            timeout=timeout,
        )
    except cuda.ExecutionFailed as error:
        box.close()  # after an error of the GPU nothing more works in that process
        return replace(failed, reason=str(error))
    except sandbox.SandboxCrash as crash:
        reason = f"{title} crashed while running the engine ({crash.signal})"
        return replace(failed, outcome="crashed", reason=reason, signal=crash.signal)
    except sandbox.SandboxTimeout:
        return replace(failed, outcome="timeout", reason=f"{title} ran longer than {timeout:g} s")
    assert isinstance(result, Execution)
    return result


def run_here(
    plan: str,
    inputs: Mapping[str, Array],
    flavour: str | None,
    iterations: int,
    warmup: int,
    cuda_graph: bool,
    narrow: bool,
) -> Execution:
    """`run_plan` in this process."""
    from onnxfix.engine.execute import Engine

    with Engine(Path(plan), flavour, cuda_graph=cuda_graph) as engine:
        fitting, notes = io.viewed(engine.inputs, inputs), list[str]()
        if narrow:
            fitting, notes = io.narrowed(engine.inputs, fitting)
        outputs = engine.run(fitting)
        timing = engine.time(fitting, iterations, warmup) if iterations else None
        return Execution("ran", engine.flavour, engine.device, outputs, timing, tuple(notes))


def plan_tensors(plan: Path, *, flavour: str | None = None, timeout: float = 300.0) -> tuple[IoTensor, ...]:
    """The inputs and outputs of a plan, read in the sandbox. Raises OnnxfixError when the plan does not load."""
    try:
        found = sandbox.default().call(
            "onnxfix.engine.run:tensors_here", str(plan.absolute()), flavour, timeout=timeout
        )
    except (sandbox.SandboxCrash, sandbox.SandboxTimeout) as failure:
        raise OnnxfixError(f"the plan cannot be loaded: {failure}", where=str(plan)) from None
    return tuple(found)


def tensors_here(plan: str, flavour: str | None) -> tuple[IoTensor, ...]:
    """`plan_tensors` in this process."""
    from onnxfix.engine.execute import Engine

    with Engine(Path(plan), flavour) as engine:
        return (*engine.inputs, *engine.outputs)
