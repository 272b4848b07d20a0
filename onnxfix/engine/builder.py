"""Parses and builds one ONNX file. Runs inside the sandbox only.

One code path for every release: what a library can do is asked of it by name, never of its version number.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnxfix.engine import profile as profiles
from onnxfix.engine.backend import gpu_present, load
from onnxfix.engine.records import EngineError, EngineResult, Flavour, InputRange
from onnxfix.errors import OnnxfixError

# What a machine without a GPU builds for when nothing is named. Ada: the oldest target that takes every data
# type but fp4. Without a named target TensorRT-RTX checks no data type at all.
DEFAULT_COMPUTE_CAPABILITY = "8.9"
# Printed at the end of any failed build where no driver is; it is not the cause.
_NO_DRIVER = re.compile(r"CUDA driver version is insufficient|cudaError(Insufficient| 35)|CUDA initialization failure")


def build_file(
    path: str,
    flavour: Flavour,
    compute_capability: str | None = None,
    sizes: profiles.Sizes | None = None,
    plan: str | None = None,
    strongly_typed: bool = False,
    sample: profiles.Sample | None = None,
) -> EngineResult:
    """Parse `path` and build an engine from it; the plan goes to the file `plan` when one is named.

    `sizes` and `sample` as in `profile.candidates`. `strongly_typed` matters only to releases that can do both.
    Raises OnnxfixError when the library cannot build for `compute_capability`.
    """
    started = time.monotonic()
    module, gpu = load(flavour.name), gpu_present()
    log = _log(module)
    target = compute_capability or ("" if gpu else DEFAULT_COMPUTE_CAPABILITY)
    result = EngineResult("build_failed", flavour, target, gpu)
    try:
        builder = module.Builder(log)
    except TypeError:  # the factory gave no builder
        reason = " ".join(log.take()) or "it gave no reason"
        message = f"the library made no builder{'' if gpu else ' (this machine has no GPU)'}: {reason}"
        return replace(result, errors=(EngineError("NO_BUILDER", message, stage="build"),))
    if compute_capability is None and not hasattr(module, "ComputeCapability"):
        result = replace(result, compute_capability="")
    job = _Job(module, builder, log, sizes or {}, sample or {}, plan, strongly_typed)
    return replace(_parse_and_build(job, path, result), seconds=time.monotonic() - started)


@dataclass(frozen=True)
class _Job:
    module: Any
    builder: Any
    log: Any
    sizes: profiles.Sizes
    sample: profiles.Sample
    plan: str | None
    strongly_typed: bool


def _parse_and_build(job: _Job, path: str, result: EngineResult) -> EngineResult:
    network = job.builder.create_network(_network_flags(job.module, job.strongly_typed))
    parser = job.module.OnnxParser(network, job.log)
    parsed = parser.parse_from_file(path)
    errors = tuple(_parser_errors(parser))
    messages = job.log.take()
    if not parsed and not errors:
        errors = tuple(EngineError("INTERNAL_ERROR", text) for text in messages or ["the parser gave no reason"])
    if network.num_outputs == 0:
        errors += (_no_output(parsed),)
    if not parsed or network.num_outputs == 0:
        return replace(result, outcome="build_failed" if parsed else "parse_failed", errors=errors)
    return _build(job, network, result)


def _build(job: _Job, network: Any, result: EngineResult) -> EngineResult:
    """Builds with one profile after another until the builder accepts one or repeats its refusal."""
    first: tuple[EngineError, ...] = ()
    for ranges in profiles.candidates(network, job.sizes, job.sample):
        config = _config(job, result.compute_capability)
        if ranges:
            _add_profile(job.builder, config, ranges)
        plan = job.builder.build_serialized_network(network, config)
        errors = tuple(EngineError("BUILDER", text, stage="build") for text in _causes(job.log.take(), result.gpu))
        if plan is not None:
            if job.plan:
                Path(job.plan).write_bytes(plan)
            return replace(result, outcome="built", plan_bytes=plan.nbytes, profile=ranges, errors=())
        if not first:
            first, result = errors, replace(result, errors=errors, profile=ranges)
        elif errors == first:
            break
    return result


def _network_flags(module: Any, strongly_typed: bool) -> int:
    kinds = module.NetworkDefinitionCreationFlag
    names = ["EXPLICIT_BATCH"] + ["STRONGLY_TYPED"] * strongly_typed
    return sum(1 << int(getattr(kinds, name)) for name in names if hasattr(kinds, name))


def _config(job: _Job, compute_capability: str) -> Any:
    config = job.builder.create_builder_config()
    if hasattr(job.module.BuilderFlag, "TF32"):  # full fp32: engine outputs are compared with ONNX Runtime's
        config.clear_flag(job.module.BuilderFlag.TF32)
    if hasattr(config, "set_compute_capability"):
        config.num_compute_capabilities = 1
        config.set_compute_capability(_capability(job.module, compute_capability), 0)
    elif compute_capability:
        raise OnnxfixError(
            f"{job.module.__name__} cannot build for a named compute capability",
            hint="it builds for the GPU of this machine only; TensorRT-RTX can name one",
        )
    return config


def _capability(module: Any, text: str) -> Any:
    if not text:
        return module.ComputeCapability.CURRENT
    known = module.ComputeCapability.__members__
    name = "SM" + text.lower().removeprefix("sm").replace(".", "").replace("_", "")
    if name not in known:
        targets = ", ".join(f"{n[2:-1]}.{n[-1]}" for n in known if n.startswith("SM"))
        raise OnnxfixError(
            f"{module.__name__} {module.__version__} cannot build for compute capability {text!r}",
            hint=f"it can for {targets}",
        )
    return known[name]


def _add_profile(builder: Any, config: Any, ranges: tuple[InputRange, ...]) -> None:
    profile = builder.create_optimization_profile()
    for item in ranges:
        put = profile.set_shape_input if item.values else profile.set_shape
        put(item.name, item.smallest, item.best, item.largest)
    config.add_optimization_profile(profile)


def _parser_errors(parser: Any) -> Iterator[EngineError]:
    """All errors. Releases before 10 do not name the node; "false" is all they say of an operator without importer."""
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        op_type = error.node_operator() if hasattr(error, "node_operator") else ""
        node = error.node_name() if hasattr(error, "node_name") else ""
        text = error.desc().strip()
        if text in ("", "false"):
            text = f"no importer for operator {op_type or 'of this node'}"
        yield EngineError(error.code().name, text, node, op_type, "parse", error.node())


def _no_output(parsed: bool) -> EngineError:
    reason = "the graph marks no value as an output" if parsed else "the parser stopped at the errors above"
    return EngineError("NO_OUTPUT", f"the network has no output: {reason}", stage="build" if parsed else "parse")


def _causes(messages: list[str], gpu: bool) -> list[str]:
    """The builder's messages without the driver's complaint, unless that is all there is."""
    useful = messages if gpu else [text for text in messages if not _NO_DRIVER.search(text)]
    return useful or messages or ["the builder gave no reason"]


@functools.cache
def _log(module: Any) -> Any:
    """The one logger of the process (TensorRT ignores a second one); `take()` gives the errors since the last time."""

    class Log(module.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.errors: list[str] = []
            self.serious = {module.ILogger.Severity.ERROR, module.ILogger.Severity.INTERNAL_ERROR}

        def log(self, severity: Any, message: str) -> None:
            if severity in self.serious:
                self.errors.append(message.strip())

        def take(self) -> list[str]:
            errors, self.errors = self.errors, []
            return errors

    return Log()
