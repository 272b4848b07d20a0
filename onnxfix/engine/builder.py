"""Parses and builds one ONNX file. Runs inside the sandbox only.

One code path for every release: what a library can do is asked of it by name, never of its version number.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnxfix.engine import caches
from onnxfix.engine import profile as profiles
from onnxfix.engine.backend import gpu_present, load
from onnxfix.engine.driver import driver
from onnxfix.engine.log import causes, logger
from onnxfix.engine.monitor import monitor
from onnxfix.engine.network import inputs_of, layers_of, naming, tensors_of
from onnxfix.engine.options import BuildOptions, is_strong, make_config, network_flags, plain_capability
from onnxfix.engine.records import BUILDING, PARSING, EngineError, EngineResult, Flavour, InputRange, Network
from onnxfix.errors import OnnxfixError
from onnxfix.sandbox.progress import tell

# What a machine without a GPU builds for when nothing is named. Ada: the oldest target that takes every data
# type but fp4. Without a named target TensorRT-RTX checks no data type at all.
DEFAULT_COMPUTE_CAPABILITY = "8.9"


def build_file(
    path: str,
    flavour: Flavour,
    options: BuildOptions,
    sizes: profiles.Sizes,
    sample: profiles.Sample,
    plan: str = "",
    runtime_cache: str = "",
) -> EngineResult:
    """Parse `path` and build an engine from it; the plan goes to the file `plan` when one is named.

    `sizes` and `sample` as in `profile.candidates`; the shapes in `options` come before both.
    Raises OnnxfixError for an option that the library does not have, or a shape that does not fit the model.
    """
    started = time.monotonic()
    module, gpu = load(flavour.name), gpu_present()
    if runtime_cache:
        caches.check_runtime_cache(module, flavour, gpu)
    log = logger(module)
    flavour = replace(flavour, version=flavour.version or str(getattr(module, "__version__", "")))
    named = tuple(dict.fromkeys(options.compute_capabilities))
    if not named and not gpu and hasattr(module, "ComputeCapability"):
        named = (DEFAULT_COMPUTE_CAPABILITY,)
    result = EngineResult("build_failed", flavour, ", ".join(map(plain_capability, named)), gpu)
    try:
        builder = module.Builder(log)
    except TypeError:  # the factory gave no builder
        reason = " ".join(log.take()) or "it gave no reason"
        message = f"the library made no builder{'' if gpu else ' (this machine has no GPU)'}: {reason}"
        return replace(result, errors=(EngineError("NO_BUILDER", message, stage="build"),))
    options = replace(options, compute_capabilities=named)
    job = _Job(path, module, builder, log, flavour, options, sizes, sample, plan, runtime_cache)
    return replace(_parse_and_build(job, result), seconds=time.monotonic() - started)


@dataclass(frozen=True)
class _Job:
    path: str
    module: Any
    builder: Any
    log: Any
    flavour: Flavour
    options: BuildOptions
    sizes: profiles.Sizes
    sample: profiles.Sample
    plan: str
    runtime_cache: str


def _parse_and_build(job: _Job, result: EngineResult) -> EngineResult:
    strong = job.options.strongly_typed or "model" in job.options.precision
    network = job.builder.create_network(network_flags(job.module, strong))
    config = _config(job, network)  # a wrong option is told before anything else is done
    tell((PARSING, 0.0))
    parser = job.module.OnnxParser(network, job.log)
    parsed = parser.parse_from_file(job.path)
    errors = tuple(parser_errors(parser))
    messages = job.log.take()
    if not parsed and not errors:
        errors = tuple(EngineError("INTERNAL_ERROR", text) for text in messages or ["the parser gave no reason"])
    if network.num_outputs == 0:
        errors += (_no_output(parsed),)
    if not parsed or network.num_outputs == 0:
        return replace(result, outcome="build_failed" if parsed else "parse_failed", errors=errors)
    tell((BUILDING, 0.0))
    return _build(job, network, config, result)


def _build(job: _Job, network: Any, config: Any, result: EngineResult) -> EngineResult:
    """Builds with one set of profiles after another until the builder accepts one or says the same three times."""
    first: tuple[EngineError, ...] = ()
    repeated = 0
    for attempt in _attempts(job, network):
        result = result if first else replace(result, profile=attempt[0])
        config = config or _config(job, network)
        plan = _serialized(job, network, config, attempt)
        errors = tuple(EngineError("BUILDER", text, stage="build") for text in causes(job.log.take(), result.gpu))
        if plan is not None:
            _keep(job, config, plan)
            built = replace(result, outcome="built", plan_bytes=plan.nbytes, profile=attempt[0], errors=())
            return replace(built, network=_network(job, network, attempt)) if job.plan else built
        if not first:
            first, result = errors, replace(result, errors=errors)
        elif errors == first:
            repeated += 1
        if repeated == 2:
            break
        config = None  # profiles cannot be taken out of a configuration again
    return result


def _attempts(job: _Job, network: Any) -> Iterator[tuple[profiles.Profile, ...]]:
    """The sets of profiles to try."""
    inputs, named = inputs_of(network), naming(job.path)
    if job.options.shapes:
        yield tuple(profiles.given(inputs, named, job.options.shapes))
    else:
        yield from ((profile,) for profile in profiles.candidates(inputs, named, job.sizes, job.sample))


def _config(job: _Job, network: Any) -> Any:
    strong = is_strong(job.module, network)
    here = ""
    if job.options.compute_capabilities and not hasattr(job.module, "ComputeCapability"):
        here = next((gpu.compute_capability for gpu in driver().gpus), "")
    config = make_config(job.module, job.builder, job.flavour, job.options, strong, here)
    if job.options.timing_cache:
        caches.use_timing_cache(job.module, config, job.flavour, Path(job.options.timing_cache))
    return config


def _serialized(job: _Job, network: Any, config: Any, attempt: tuple[profiles.Profile, ...]) -> Any:
    """The plan, None when the builder refuses the network with these profiles."""
    for ranges in attempt:
        if ranges:
            _add_profile(job.builder, config, ranges)
    watch = monitor(job.module, tell)  # lives until the build is over: the library does not keep it
    if watch is not None:
        config.progress_monitor = watch
    return job.builder.build_serialized_network(network, config)


def _keep(job: _Job, config: Any, plan: Any) -> None:
    if job.plan:
        Path(job.plan).write_bytes(plan)
    if job.options.timing_cache:
        caches.keep_timing_cache(config, Path(job.options.timing_cache))
    if job.runtime_cache:
        caches.fill_runtime_cache(job.module, job.log, plan, Path(job.runtime_cache))


def _network(job: _Job, network: Any, attempt: tuple[profiles.Profile, ...]) -> Network:
    strong = is_strong(job.module, network)
    precisions = () if strong else tuple(dict.fromkeys(("fp32", *job.options.precision)))
    return Network(tensors_of(network, attempt), tuple(layers_of(network)), strong, precisions)


def _add_profile(builder: Any, config: Any, ranges: tuple[InputRange, ...]) -> None:
    profile = builder.create_optimization_profile()
    for item in ranges:
        put = profile.set_shape_input if item.values else profile.set_shape
        put(item.name, item.smallest, item.best, item.largest)
    if config.add_optimization_profile(profile) < 0:
        raise OnnxfixError("the library refuses the optimization profile", hint="check --shapes")


def parser_errors(parser: Any) -> Iterator[EngineError]:
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
