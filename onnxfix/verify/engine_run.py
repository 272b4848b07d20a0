"""Does an engine compute what its model computes? Both run on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import onnx

from onnxfix import engine, sandbox
from onnxfix.engine import EngineResult
from onnxfix.engine.options import BuildOptions
from onnxfix.engine.run import Execution, run_plan, why_not
from onnxfix.engine.tensors import not_finite, numpy_dtype
from onnxfix.errors import OnnxfixError
from onnxfix.model import Model, load
from onnxfix.model.inference import typed_scopes
from onnxfix.scratch import scratch
from onnxfix.verify.baseline import Baseline, baseline, choices_for
from onnxfix.verify.difference import TOLERANCES, Difference, coarsest_of, difference
from onnxfix.verify.numeric import draws

_FLOATS: dict[int, str] = {onnx.helper.np_dtype_to_tensor_dtype(numpy_dtype(name)): name for name in TOLERANCES}


@dataclass(frozen=True, slots=True)
class EngineComparison:
    """One engine against its model, on one set of `inputs`.

    `differences` has the figures of every output that both gave. `unproven` says why nothing was compared (no GPU, no
    baseline, no memory); `failure` says how the engine failed when it ran. `oracle` computed the model's outputs.
    """

    build: EngineResult
    device: str = ""
    oracle: str = ""
    differences: tuple[Difference, ...] = ()
    unproven: str = ""
    failure: str = ""
    notes: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wrong(self) -> tuple[Difference, ...]:
        """The outputs that differ."""
        return tuple(item for item in self.differences if item.why)

    @property
    def max_abs(self) -> float:
        """The largest |difference| of all outputs."""
        return max((item.max_abs for item in self.differences), default=0.0)


def compare_engine(
    candidate: Path,
    inputs: Mapping[str, Any] | None = None,
    *,
    outputs: Sequence[str] | None = None,
    flavour: str | None = None,
    compute_capability: str | None = None,
    tf32: bool = False,
    timeout: float = 300.0,
) -> EngineComparison:
    """Builds an engine of `candidate`, runs it, and compares its outputs with the model's own.

    `inputs` are arrays by name, else seeded ones of the sizes that the engine was built for. `outputs` names the
    values to compare, by default all outputs. The engine is built for `compute_capability`, by default this machine's.
    `timeout` is in seconds, for each step. Without a GPU or PyCUDA the engine is built only, and `unproven` says so.
    Raises OnnxfixError when the library is missing or cannot build for that compute capability.
    """
    with scratch() as folder:
        reason = why_not()
        plan = None if reason else Path(folder, "model.plan")
        options, box = BuildOptions(tf32=tf32), sandbox.default() if tf32 or plan is None else sandbox.full_precision()
        result = engine.build(
            candidate, flavour, compute_capability, timeout, sample=inputs, plan=plan, options=options, box=box
        )
        if not result.built or plan is None:
            return EngineComparison(result, unproven=reason)
        try:
            run = _Run(plan, tf32, timeout, box)
            return _compared(load(candidate), run, result, inputs, outputs)
        except OnnxfixError as error:
            return EngineComparison(result, unproven=str(error))


@dataclass(frozen=True, slots=True)
class _Run:
    plan: Path
    tf32: bool
    timeout: float
    box: sandbox.Sandbox


def _compared(
    model: Model, run: _Run, result: EngineResult, inputs: Mapping[str, Any] | None, outputs: Sequence[str] | None
) -> EngineComparison:
    assert model.path is not None
    names = outputs or [value.name for value in model.proto.graph.output]
    choices = [dict(inputs)] if inputs is not None else choices_for(model, result.profile)
    expected = baseline(model.path, names, choices, draws=draws(model), timeout=run.timeout)
    if expected.reason:
        return EngineComparison(result, unproven=f"the model has no baseline: {expected.reason}")
    flavour = result.flavour.name
    got = run_plan(run.plan, expected.inputs, flavour=flavour, narrow=True, timeout=run.timeout, box=run.box)
    notes = (*not_finite(expected.inputs), *got.notes)
    if got.outcome != "ran":
        return EngineComparison(result, got.device, expected.oracle, failure=got.reason, notes=notes)
    types = {coarsest_type(model), "float16" if run.tf32 else ""}  # TF32 rounds to the 10 bits of float16
    return replace(_figures(result, expected, got, coarsest_of(types), notes), inputs=expected.inputs)


def _figures(
    result: EngineResult, expected: Baseline, got: Execution, coarsest: str, notes: tuple[str, ...]
) -> EngineComparison:
    shared = [name for name in expected.outputs if name in got.outputs and name not in expected.random]
    figures = tuple(difference(name, expected.outputs[name], got.outputs[name], coarsest) for name in shared)
    if expected.random:
        notes += (f"random outputs are not compared: {', '.join(expected.random)}",)
    gone = [name for name in expected.outputs if name not in got.outputs]
    failure = f"the engine has no output {gone[0]!r}" if gone else ""
    unproven = "" if figures or failure else "it has no output that can be compared"
    return EngineComparison(result, got.device, expected.oracle, figures, unproven, failure, notes)


def coarsest_type(model: Model) -> str:
    """The coarsest floating type of any value or weight in the model, by numpy's name; "" when none is below float32.

    A quantized model counts as bfloat16, which has the 8 bits of its integers.
    """
    scopes = typed_scopes(model)[0]
    known = {int(dtype) for scope in scopes for dtype in scope.dtypes} & set(_FLOATS)
    names = {_FLOATS[dtype] for dtype in known}
    if any(node.op_type == "DequantizeLinear" for scope in scopes for node in scope.nodes):
        names.add("bfloat16")
    return coarsest_of(names)
