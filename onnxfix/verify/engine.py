"""Does a real TensorRT take the repaired model?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from onnxfix import engine
from onnxfix.engine import EngineResult, Flavour, InputRange
from onnxfix.errors import OnnxfixError
from onnxfix.model import load
from onnxfix.model.weights import PROTOBUF_LIMIT
from onnxfix.records import Check
from onnxfix.targets import Target, explain_message, target_of_version
from onnxfix.verify.budget import ENGINE, short_of_memory
from onnxfix.verify.engine_run import EngineComparison, compare_engine
from onnxfix.verify.fitting import fitting_values, for_these_only, on_sizes


def verify_engine(
    candidate: Path,
    target: Target | None = None,
    *,
    sample: Mapping[str, Any] | None = None,
    timeout: float = 300.0,
    run: bool = True,
) -> Check:
    """Builds `candidate` with the library that the target names, or the best one installed, and runs the engine.

    On a machine with a GPU and PyCUDA the engine's outputs must equal the model's; elsewhere it is built only.
    Only the target's own release can pass or fail the check: when another one is installed, its answer is told and
    the outcome is `not_verified`, as it is without any TensorRT. `sample` holds recorded inputs by name,
    for whose sizes the engine is then built. `timeout` is in seconds. Without `run` it is built only.
    """
    return _verified(candidate, target, sample, timeout, run, chosen=sample is None)


def verify_fitting(
    candidate: Path, refused: Check, target: Target | None = None, *, timeout: float = 300.0, run: bool = True
) -> Check:
    """The last resort of a `refused` check without recorded inputs: `verify_engine` for one size of each input.

    Sizes and values are those of `fitting_values`; the check says that the engine takes no others.  It is `refused`
    itself where it was not about the build, no size is free, or these do not pass either.
    """
    profile = [InputRange(**item) for item in refused.details.get("profile", ())]
    values = fitting_values(candidate, profile) if refused.details.get("outcome") == "build_failed" else None
    if values is None:
        return refused
    check = _verified(candidate, target, values, timeout, run, chosen=True)
    return check if check.outcome == "passed" else refused


def _verified(
    candidate: Path, target: Target | None, sample: Mapping[str, Any] | None, timeout: float, run: bool, *, chosen: bool
) -> Check:
    """`chosen` says that the sizes of dynamic inputs were chosen here and not given."""
    flavours = {flavour.name: flavour for flavour in engine.installed()}
    if not flavours:
        return Check("engine", "not_verified", "no TensorRT is installed (pip install 'onnxfix[rtx]')")
    if candidate.stat().st_size > PROTOBUF_LIMIT:
        return Check("engine", "not_verified", "no parser reads a file of over 2 GiB, which is protobuf's limit")
    if reason := short_of_memory(load(candidate), ENGINE):
        return Check("engine", "not_verified", f"not built: {reason}")
    wanted = None if target is None else "tensorrt_rtx" if target.track == "rtx" else "tensorrt"
    name = wanted if wanted in flavours else None
    capability = target.compute_capability if target is not None and name else None
    try:
        if run:
            found = compare_engine(candidate, sample, flavour=name, compute_capability=capability, timeout=timeout)
        else:
            built = engine.build(candidate, name, capability, timeout, sample=sample)
            found = EngineComparison(built, unproven="only the build was asked for")
    except OnnxfixError as error:
        return Check("engine", "not_verified", str(error))
    return _check(found, target, chosen=chosen)


def is_installed(target: Target) -> bool:
    """Whether the release that a target names is on this machine, so that it can be asked itself."""
    return any(_is(flavour, target) for flavour in engine.installed())


def _check(found: EngineComparison, target: Target | None, *, chosen: bool) -> Check:
    result = found.build
    details = _details(found) | {"chosen": on_sizes(result) if chosen else ""}
    said = _words(result, target, for_these_only(result.profile) if chosen else "") + _run_words(found)
    if target is not None and not _is(result.flavour, target):
        return Check("engine", "not_verified", f"{target.title} is not installed; {said}", details)
    if result.outcome == "timeout":
        return Check("engine", "not_verified", said, details)
    good = result.built and not found.failure and not found.wrong
    return Check("engine", "passed" if good else "failed", said, details)


def _details(found: EngineComparison) -> dict[str, Any]:
    """The build, and the run when there was one."""
    build = asdict(replace(found.build, network=None))
    del build["network"]  # as long as the model, and nothing that the verdict rests on
    if not found.device:
        return build
    run = {"device": found.device, "oracle": found.oracle, "failure": found.failure, "notes": list(found.notes)}
    return {**build, "run": {**run, "differences": [asdict(item) for item in found.differences]}}


def _words(result: EngineResult, target: Target | None, only: str) -> str:
    name = result.flavour.title
    if result.built:
        place = f" for compute capability {result.compute_capability}" if result.compute_capability else ""
        return f"{name} built it{place}{f' with {only} only' if only else ''}"
    if result.outcome in ("crashed", "timeout"):
        return result.errors[0].message
    error = result.errors[0]
    node = " ".join(filter(None, (error.op_type, error.node)))
    causes = explain_message(error.message, target)
    cause = f" ({causes[0].cause})" if causes else ""
    more = f"; {len(result.errors) - 1} more" if len(result.errors) > 1 else ""
    return f"{name} refuses it: {f'{node}: ' if node else ''}{error.message}{cause}{more}"


def _run_words(found: EngineComparison) -> str:
    if not found.build.built:
        return ""
    if not found.build.gpu:
        return ", no GPU here: built, not run"
    if found.unproven:
        return f": built, not run: {found.unproven}"
    if found.failure:
        return f": built, but does not run on {found.device or 'this GPU'}: {found.failure}"
    if found.wrong:
        first = found.wrong[0]
        return f": built, but computes something else: output {first.name!r}: {first.why}"
    return f": built and run on {found.device}: equal to {found.oracle} (max |diff| {found.max_abs:.3g})"


def _is(flavour: Flavour, target: Target) -> bool:
    """Whether an installed library is the release that a target names."""
    installed = target_of_version("rtx" if flavour.name == "tensorrt_rtx" else "trt", flavour.version)
    return installed is not None and (installed.track, installed.release) == (target.track, target.release)
