"""Does the repaired model compute what the original computes?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import onnx

from onnxfix import sandbox
from onnxfix.actions.request import NO_REQUEST, Request
from onnxfix.errors import OnnxfixError
from onnxfix.model import Model, load, save
from onnxfix.model.scope import scopes_of
from onnxfix.model.types import dtype_name, from_value_info
from onnxfix.records import Check, Outcome
from onnxfix.scratch import scratch
from onnxfix.verify.compare import tolerance_of
from onnxfix.verify.inputs import input_specs
from onnxfix.verify.mapping import from_lists, mapped, mapped_specs, taken_apart
from onnxfix.verify.rounding import coarsest_rounding
from onnxfix.verify.session import Comparison, Job, Run

_RANDOM = {
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
    "Dropout",
}


def verify_numeric(
    original: Model,
    candidate: Path,
    *,
    inputs: Path | None = None,
    interface_changes: bool = False,
    request: Request = NO_REQUEST,
    rest: Path | None = None,
    timeout: float = 600.0,
) -> Check:
    """Runs both models in the sandbox on the same inputs and compares every output of the candidate.

    Inputs are seeded, at two sizes when the original has symbolic dimensions, or come from `inputs`, a .npz file
    with one array for each input. With `interface_changes` inputs and outputs may have another element type; the
    same values are then fed and compared. `request` are changes that the user asked for: frozen inputs get their values
    in the original too, a freed batch is compared at one batch and at two, and a model that was cut is followed by its
    `rest`. `timeout` is in seconds. Random outputs and models that no runtime takes are
    `not_verified`. Raises OnnxfixError when `inputs` does not fit the model.
    """
    repaired = load(candidate)
    retyped = _retyped(original.proto, repaired.proto) if interface_changes else {}
    names = [value.name for value in (original if rest else repaired).proto.graph.output]
    lists = taken_apart(original, names) if interface_changes else {}
    made = {*names, *lists, *(value.name for value in (load(rest).proto.graph.output if rest else ()))}
    allowed = {*retyped, *(from_lists(original, repaired) if interface_changes else ())}
    changed = _interface_changes(original.proto, repaired.proto, allowed, made)
    if changed:
        return Check("numeric", "failed", changed)
    known = set(_values(original.proto.graph))
    elements = {item for items in lists.values() for item in items}
    new = [name for name in names if name not in known and name not in elements]
    shared = (*(name for name in names if name in known), *lists)
    if not shared:
        return _unverified("there is no output that both models have")
    with scratch() as folder:
        file = _file_of(original, Path(folder))
        # absolute paths: the child may have another working folder
        job = Job(str(file.absolute()), str(candidate.absolute()), shared, draws=draws(original), retyped=retyped)
        job = replace(job, coarsest=coarsest_rounding(original))
        job = replace(job, made=tuple(name for name in names if name not in new) if lists else ())
        try:
            job = mapped(replace(job, rest=str(rest.absolute()) if rest else ""), original, repaired, request)
            job = (
                replace(job, recorded=str(inputs.absolute()))
                if inputs
                else _with_seeded_inputs(job, original, repaired)
            )
        except OnnxfixError as error:
            return _unverified(str(error))
        check = _run(job, timeout)
    if new and check.outcome == "passed":
        return replace(check, outcome="not_verified", reason=f"output {new[0]!r} is new; the others: {check.reason}")
    return check


def _run(job: Job, timeout: float) -> Check:
    """The comparison, by fewer and fewer ways when the original kills the runtime."""
    while job.ways:
        try:
            return _check(_call(job, timeout))
        except sandbox.SandboxTimeout:
            return _unverified(f"running both models took longer than {timeout:g} s")
        except sandbox.SandboxError as error:
            return _unverified(f"the comparison stopped: {error}")
        except sandbox.SandboxCrash as crash:
            try:
                alone = _call(replace(job, candidate=""), timeout)
            except sandbox.SandboxFailure:
                job, signal = replace(job, ways=job.ways[1:]), crash.signal
                continue
            if not alone.no_baseline:
                what = f"the repaired model crashes {alone.oracle} ({crash.signal}); the original runs"
                return Check("numeric", "failed", what)
            return _unverified(f"the original has no baseline: {alone.no_baseline}")
    return _unverified(f"the original has no baseline: it crashes every runtime ({signal})")


def _call(job: Job, timeout: float) -> Comparison:
    result = sandbox.default().call("onnxfix.verify.session:compare_files", job, timeout=timeout)
    assert isinstance(result, Comparison)
    return result


def _check(report: Comparison) -> Check:
    """The verdict that the figures support."""
    details = _details(report)
    if report.no_baseline:
        return _unverified(f"the original has no baseline: {report.no_baseline}", details)
    if report.no_candidate:
        outcome: Outcome = "not_verified" if report.missing else "failed"
        return Check("numeric", outcome, f"the repaired model does not run: {report.no_candidate}", details)
    wrong = [(run, figures) for run in report.runs for figures in run.figures if figures.why]
    at = _sizes_text([run for run in report.runs if run.sizes])
    if wrong:
        run, figures = wrong[0]
        at = _sizes_text([run] if run.sizes else [])
        why = f"output {figures.name!r} differs from {report.oracle}{at}: {figures.why}"
        return Check("numeric", "failed", f"{why}{_steadiness(report)}", details)
    largest = max((figures.max_diff for run in report.runs for figures in run.figures), default=0.0)
    equal = f"equal to the original in {report.oracle}{at} (max |diff| {largest:.3g})"
    if report.random:
        only = len(report.random) == len(report.runs[0].figures)
        rest = "" if only else f"; the other outputs are {equal}"
        return _unverified(f"random outputs have no baseline: {', '.join(report.random)}{rest}", details)
    return Check("numeric", "passed", equal, details)


def _steadiness(report: Comparison) -> str:
    if not report.unsteady:
        return ""
    why = "when its inputs move by one rounding, so that these inputs tell no rounding from a mistake"
    return f"; {report.unsteady} {why}: others may (--inputs)"


def _unverified(reason: str, details: dict[str, Any] | None = None) -> Check:
    return Check("numeric", "not_verified", reason, details or {})


def _details(report: Comparison) -> dict[str, Any]:
    dtypes = {figures.dtype for run in report.runs for figures in run.figures}
    return {
        "oracle": report.oracle,
        "repaired_in": report.candidate_oracle,
        "runs": [asdict(run) for run in report.runs],
        "refused_sizes": [{"sizes": sizes, "reason": reason} for sizes, reason in report.refused],
        "random": list(report.random),
        "tolerances": {dtype: tolerance_of(dtype, report.coarsest) for dtype in sorted(dtypes)},
    }


def _sizes_text(runs: list[Run]) -> str:
    texts = [", ".join(f"{name}={size}" for name, size in run.sizes.items()) for run in runs]
    return f" at {' and at '.join(texts)}" if texts else ""


def _file_of(model: Model, folder: Path) -> Path:
    """The model's own file when it holds this very model, else a copy in `folder`."""
    if model.path is not None and load(model.path).proto == model.proto:
        return model.path
    path = folder / "original.onnx"
    save(model, path)
    return path


def _with_seeded_inputs(job: Job, original: Model, repaired: Model) -> Job:
    """The job with the inputs of the original; sizes that the repaired model fixes are kept."""
    demanded = {value.name: from_value_info(value) for value in repaired.proto.graph.input}
    specs, fixed = mapped_specs(input_specs(original), job, demanded)
    return replace(job, specs=specs, fixed=fixed)


def _retyped(original: onnx.ModelProto, repaired: onnx.ModelProto) -> dict[str, int]:
    """Inputs and outputs whose element type the repair has changed, with the new one."""
    values = (*original.graph.input, *original.graph.output)
    before = {value.name: from_value_info(value).dtype for value in values}
    after = {v.name: from_value_info(v).dtype for v in (*repaired.graph.input, *repaired.graph.output)}
    return {name: dtype for name, dtype in after.items() if before.get(name) and dtype and dtype != before[name]}


def _interface_changes(
    original: onnx.ModelProto, repaired: onnx.ModelProto, allowed: Collection[str], outputs: Collection[str]
) -> str:
    """What a caller would notice without running: an output gone, an input new or of another type."""
    for value in original.graph.output:
        if value.name not in outputs:
            return f"output {value.name!r} is gone"
    before = {value.name: from_value_info(value).dtype for value in original.graph.input}
    stored = {tensor.name for tensor in repaired.graph.initializer}
    for value in repaired.graph.input:
        dtype = from_value_info(value).dtype
        if value.name not in before and value.name not in stored and value.name not in allowed:
            return f"input {value.name!r} is new"
        if value.name in before and dtype != before[value.name] and value.name not in allowed:
            return f"input {value.name!r} is {dtype_name(dtype)} and was {dtype_name(before[value.name])}"
    return ""


def _values(graph: onnx.GraphProto) -> Iterator[str]:
    yield from (value.name for value in graph.input)
    yield from (tensor.name for tensor in graph.initializer)
    yield from (name for node in graph.node for name in node.output if name)


def draws(model: Model) -> bool:
    """Whether some operator may be random: one of ONNX's own, or one of another domain."""
    nodes = (node for scope in scopes_of(model) for node in scope.nodes)
    functions = {(function.domain, function.name) for function in model.proto.functions}
    return any(n.op_type in _RANDOM or (n.domain and (n.domain, n.op_type) not in functions) for n in nodes)
