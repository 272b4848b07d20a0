"""The straight lines about engines: build() from a model to a plan file, inspect() from a plan file to its facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from onnxfix import sandbox
from onnxfix.api.destination import destination_of
from onnxfix.engine.backend import choose
from onnxfix.engine.inspector import Loaded
from onnxfix.engine.options import BuildOptions
from onnxfix.engine.planfile import Machine, PlanFile, library_says, obstacle, open_plan, this_machine
from onnxfix.engine.records import EngineError, EngineResult, Flavour
from onnxfix.engine.sidecar import file_facts, make_sidecar, sidecar_path
from onnxfix.engine_records import BuildError, BuildReport, PlanReport
from onnxfix.errors import OnnxfixError
from onnxfix.files import flush, temporary, unwritable, write_whole
from onnxfix.legalise.locate import located
from onnxfix.model import Model, load, weight_files
from onnxfix.model.scope import scopes_of
from onnxfix.targets import Target, explain_message, resolve, target_of_version
from onnxfix.verify.budget import ENGINE, ensure_memory
from onnxfix.verify.fitting import build_fitting

Progress = Callable[[tuple[str, float]], object]


def build(
    model: str | Path,
    output: str | Path,
    options: BuildOptions | None = None,
    *,
    target: str | None = None,
    runtime_cache: str | Path | None = None,
    timeout: float = 3600.0,
    progress: Progress | None = None,
) -> BuildReport:
    """Build an engine and write its plan to `output`, with what is known about it in `output`.json.

    Both files are written whole or not at all. `target` names the library and the GPU ("rtx", "rtx@sm89"), by default
    the best library installed and the GPU here. `timeout` is in seconds. `progress` gets (phase, fraction done).
    Raises OnnxfixError for a file that is no model, options that the library lacks, weights beyond the memory,
    and files that change meanwhile.
    """
    path, options = Path(model), options or BuildOptions(described=True)
    flavour, capability, notes = _library(target)
    if capability and options.compute_capabilities:
        raise OnnxfixError(f"--target {target} names a GPU, and --compute-capability another", hint="give one of them")
    if capability:
        options = replace(options, compute_capabilities=(capability,))
    source = load(path)
    goal = _goal(source, output)
    ensure_memory(source, ENGINE)
    draft = temporary(goal)
    try:
        cache = Path(runtime_cache) if runtime_cache else None
        result = build_fitting(
            path, flavour.name, timeout=timeout, options=options, plan=draft, runtime_cache=cache, progress=progress
        )
        source.confirm_paths()
        result = replace(result, errors=tuple(_placed(source, error) for error in result.errors))
        notes += _notes(options, result)
        report = BuildReport(str(model), flavour.title, result, tuple(_explained(result)), notes=tuple(notes))
        return _published(report, source, goal, draft, options) if result.built else report
    finally:
        draft.unlink(missing_ok=True)


def _published(report: BuildReport, source: Model, goal: Path, draft: Path, options: BuildOptions) -> BuildReport:
    """Give the plan its name, after its sidecar: a crash between leaves a sidecar that says what it describes."""
    machine = this_machine()
    assert source.path is not None
    files = [file_facts(source.path.parent / name, name) for name in (source.path.name, *weight_files(source))]
    sidecar = make_sidecar(file_facts(draft, goal.name), tuple(files), report.result, options, machine.driver)
    write_whole(sidecar_path(goal), sidecar.to_bytes())
    try:
        with draft.open("rb+") as file:
            flush(file)
        draft.replace(goal)
    except OSError as error:
        raise unwritable(goal, error) from None
    return replace(report, output=str(goal), sidecar=str(sidecar_path(goal)))


def _notes(options: BuildOptions, result: EngineResult) -> Iterator[str]:
    if result.built and not result.gpu:
        yield "no GPU here: built, not run"
    if result.built and options.stripped:
        yield "the plan holds no weights: refit it from the model before it runs"
    if any(error.stage == "build" and not error.op_type for error in result.errors):
        yield "the builder names no single node: `onnxfix check MODEL` tries them one by one"
    if not result.built and options.stripped and result.flavour.name == "tensorrt_rtx":
        yield "TensorRT-RTX leaves weights out only where a GPU is that it knows, and for one compute capability"
    if result.profile and not options.shapes:
        yield "the sizes of dynamic inputs were chosen by onnxfix; --shapes sets them"


def _library(target: str | None) -> tuple[Flavour, str, list[str]]:
    """The library that a target names, its compute capability ("8.9" or ""), and notes. Raises OnnxfixError."""
    if target is None:
        return choose(None), "", []
    wanted = resolve(target)
    flavour = choose("tensorrt_rtx" if wanted.track == "rtx" else "tensorrt")
    here = target_of_version(wanted.track, flavour.version)
    if here is not None and here.release != wanted.release and not _open_release(target):
        hint = f"a plan loads only where its release is: build with {wanted.title}, or say --target {wanted.track}"
        raise OnnxfixError(f"{wanted.title} is not installed, {flavour.title} is", hint=hint)
    digits = wanted.compute_capability or ""
    notes = [wanted.note] if wanted.note else []
    return flavour, f"{digits[:-1]}.{digits[-1]}" if digits else "", notes


def _open_release(target: str) -> bool:
    """Whether the user named a library without a release: "rtx", "t4@trt"."""
    return any(re.fullmatch(r"(tensorrt-?rtx|tensorrt|trt|rtx)", part) for part in target.lower().split("@"))


def _goal(source: Model, output: str | Path) -> Path:
    if source.path is not None and Path(output).is_file() and source.path.samefile(output):
        raise OnnxfixError("is the model itself", where=str(output), hint="choose another -o")
    goal = destination_of(source, output, in_place=False)
    assert goal is not None
    return goal


def _placed(source: Model, error: EngineError) -> EngineError:
    """An error of the builder with the node that its text is about, where it names one and no other."""
    if error.stage == "parse" or error.op_type:
        return error
    places = located(scopes_of(source), [asdict(error)])[1]
    if len(places) != 1:
        return error
    scope, index, _ = places[0]
    node = scope.nodes[index]
    name = node.name or next(iter(node.output), "")
    return replace(error, node=name, op_type=node.op_type, index=-1 if scope.id else index)


def _explained(result: EngineResult) -> Iterator[BuildError]:
    track: Any = "rtx" if result.flavour.name == "tensorrt_rtx" else "trt"
    target: Target | None = target_of_version(track, result.flavour.version)
    for error in result.errors:
        yield BuildError(error, tuple(item.cause for item in explain_message(error.message, target)))


def inspect(plan: str | Path) -> PlanReport:
    """Everything that is known about a plan: of its header, its sidecar and, where it loads, the engine itself.

    Raises OnnxfixError for a file that is no whole plan.
    """
    path = Path(plan)
    file, machine = open_plan(path), this_machine()
    reason, inside = _loaded(file, machine)
    sidecar = file.sidecar
    layers = inside.layers if inside and inside.layers else sidecar.layers if sidecar else ()
    return PlanReport(
        plan=str(plan),
        bytes=file.bytes,
        library=file.flavour.title,
        compute_capabilities=file.compute_capabilities,
        obstacle=reason,
        tensors=inside.tensors if inside else sidecar.tensors if sidecar else (),
        layers_from="engine" if inside and inside.layers else "model" if layers else "",
        layers=layers,
        device_memory=inside.device_memory if inside else -1,
        weights=inside.weights if inside else -1,
        sidecar=sidecar,
        notes=tuple(_unknown(file, inside)),
    )


def _loaded(file: PlanFile, machine: Machine) -> tuple[str, Loaded | None]:
    """(why the plan does not load here, "" when it does; what the engine says then)."""
    try:
        if reason := obstacle(file, machine) or library_says(file):
            return reason, None
        inside = sandbox.default().call(
            "onnxfix.engine.inspector:loaded", str(file.path.absolute()), file.flavour.name, timeout=300.0
        )
    except OnnxfixError as error:
        return error.what, None
    assert isinstance(inside, Loaded)
    return "", inside


def _unknown(file: PlanFile, inside: Loaded | None) -> Iterator[str]:
    """What the report lacks, and what it would take."""
    if inside is None:
        yield "fused layers and memory are known to the engine only, which a GPU has to load"
    if file.sidecar is None:
        lost = "" if inside else "inputs, outputs, profiles and layers, "
        yield f"{sidecar_path(file.path).name} is not there: {lost}the model, and where it was built, are not known"


__all__ = ["BuildOptions", "build", "inspect"]
