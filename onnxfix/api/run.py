"""The straight line of `run`: a model or a plan file, on the GPU."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx

from onnxfix import sandbox
from onnxfix.engine import EngineResult
from onnxfix.engine.header import SIZE, read_header
from onnxfix.engine.options import BuildOptions
from onnxfix.engine.planfile import check_plan, open_plan
from onnxfix.engine.run import Execution, plan_tensors, run_plan, why_not
from onnxfix.engine.tensors import IoTensor, not_finite, numpy_dtype
from onnxfix.engine_records import ArrayFacts, RunReport
from onnxfix.errors import OnnxfixError
from onnxfix.files import temporary, unwritable
from onnxfix.model import Model, load
from onnxfix.model.model import Array
from onnxfix.scratch import scratch
from onnxfix.verify.baseline import choices_for
from onnxfix.verify.budget import ENGINE, ensure_memory
from onnxfix.verify.fitting import build_fitting
from onnxfix.verify.inputs import InputSpec
from onnxfix.verify.values import fitted, read_arrays, seeded

Inputs = Path | Mapping[str, Array] | None
_PLANS = (".plan", ".engine", ".trt")


def run(
    model: Path | str,
    inputs: Inputs = None,
    *,
    output: Path | None = None,
    iterations: int = 0,
    warmup: int = 10,
    cuda_graph: bool = False,
    tf32: bool = False,
    timeout: float = 600.0,
    progress: Callable[[str], object] = str,
) -> RunReport:
    """Run an ONNX model (an engine is built for it) or a plan file on the GPU, in a child process.

    `inputs` are arrays by name or a .npz file; without them seeded values are made up. `output` is a .npz file for
    the outputs. `iterations` executions are timed. `timeout` is in seconds, for the build and for the run.
    Raises OnnxfixError for inputs that do not fit, a missing GPU or PyCUDA, and too little memory here or on the GPU.
    """
    path = Path(model)
    speed = _Speed(iterations, warmup, cuda_graph)
    if is_plan(path):
        report, outputs = _run_plan(path, inputs, speed, timeout, progress)
    else:
        report, outputs = _run_model(path, inputs, speed, tf32, timeout, progress)
    if output is not None and report.outcome == "ran":
        _write(output, outputs)
        report = replace(report, output=str(output))
    return report


def is_plan(path: Path) -> bool:
    """Whether a file is taken for a plan, by its first bytes or else by its name. Raises OnnxfixError."""
    try:
        with path.open("rb") as file:
            return read_header(file.read(SIZE)) is not None or path.suffix in _PLANS
    except OSError as error:
        raise OnnxfixError(f"cannot be read: {error.strerror or error}", where=str(path)) from None


@dataclass(frozen=True)
class _Speed:
    iterations: int
    warmup: int
    cuda_graph: bool


def _run_model(
    path: Path, inputs: Inputs, speed: _Speed, tf32: bool, timeout: float, progress: Callable[[str], object]
) -> tuple[RunReport, Mapping[str, Array]]:
    model = load(path)
    ensure_memory(model, ENGINE)
    feeds = feeds_for(model, inputs)
    with scratch() as folder:
        plan = Path(folder, "model.plan")
        progress("building the engine")
        options, box = BuildOptions(tf32=tf32), sandbox.default() if tf32 else sandbox.full_precision()
        result = build_fitting(path, timeout=timeout, sample=feeds, plan=plan, options=options, box=box)
        model.confirm_paths()
        if not result.built:
            return RunReport(str(path), result.flavour.title, "not_built", reason=refusal(result)), {}
        if reason := why_not():
            raise cannot_run(path, reason)
        fed = feeds if feeds is not None else choices_for(model, result.profile)[0]
        progress("running the engine")
        done = _execute(plan, fed, result.flavour.name, speed, timeout, box)
    return _run_report(path, fed, done, made_up=feeds is None), done.outputs


def _run_plan(
    path: Path, inputs: Inputs, speed: _Speed, timeout: float, progress: Callable[[str], object]
) -> tuple[RunReport, Mapping[str, Array]]:
    found = open_plan(path)
    if reason := why_not():
        raise OnnxfixError(f"runs: {reason}", where=str(path), hint="load it where the GPU is")
    flavour = check_plan(path).flavour.name if found else ""
    progress("running the engine")
    if inputs is None:
        fed = _made_up(plan_tensors(path, flavour=flavour, timeout=timeout))
    else:
        fed = dict(read_arrays(inputs) if isinstance(inputs, Path) else inputs)
    done = _execute(path, fed, flavour, speed, timeout)
    return _run_report(path, fed, done, made_up=inputs is None), done.outputs


def _execute(
    plan: Path,
    fed: Mapping[str, Array],
    flavour: str,
    speed: _Speed,
    timeout: float,
    box: sandbox.Sandbox | None = None,
) -> Execution:
    """Runs the plan; `box` is there when it was built of a model, whose types the parser may have narrowed."""
    return run_plan(
        plan,
        fed,
        flavour=flavour,
        iterations=speed.iterations,
        warmup=speed.warmup,
        cuda_graph=speed.cuda_graph,
        narrow=box is not None,
        timeout=timeout,
        box=box,
    )


def feeds_for(model: Model, inputs: Inputs) -> dict[str, Array] | None:
    """The given inputs, checked against the model; None when values are to be made up."""
    if inputs is None:
        return None
    stored = {tensor.name for tensor in model.proto.graph.initializer}
    wanted = [value for value in model.proto.graph.input if value.name not in stored]
    if isinstance(inputs, Path):
        return fitted(read_arrays(inputs), wanted, str(inputs))
    return fitted(inputs, wanted, model.label)


def _made_up(tensors: Sequence[IoTensor]) -> dict[str, Array]:
    """Seeded values for a plan's inputs, at the best sizes of its first profile."""
    specs = []
    for tensor in tensors:
        if tensor.input:
            shape = tensor.ranges[0][1] if tensor.ranges and not tensor.values else tensor.shape
            dtype = onnx.helper.np_dtype_to_tensor_dtype(numpy_dtype(tensor.dtype))
            specs.append(InputSpec(tensor.name, dtype, shape))
    feeds = seeded(specs, {}, seed=0)
    for tensor in tensors:
        if tensor.values and tensor.ranges:
            feeds[tensor.name] = np.array(tensor.ranges[0][1], dtype=tensor.dtype).reshape(tensor.shape)
    return feeds


def cannot_run(path: Path, reason: str) -> OnnxfixError:
    """The error for a machine that builds the engine and cannot run it."""
    hint = "an NVIDIA GPU with its driver is needed to run an engine" if "PyCUDA" not in reason else ""
    return OnnxfixError(f"builds: yes; runs: {reason}", where=str(path), hint=hint)


def refusal(result: EngineResult) -> str:
    """The first words of a library that built no engine."""
    error = result.errors[0]
    place = " ".join(filter(None, (error.op_type, error.node)))
    return f"{result.flavour.title} refuses it: {f'{place}: ' if place else ''}{error.message}"


def _run_report(path: Path, fed: Mapping[str, Array], done: Execution, *, made_up: bool) -> RunReport:
    return RunReport(
        str(path),
        done.flavour.title,
        done.outcome,
        done.device,
        made_up,
        tuple(_facts(name, array) for name, array in fed.items()),
        tuple(_facts(name, array) for name, array in done.outputs.items()),
        done.timing,
        notes=(*not_finite(fed), *done.notes),
        reason=done.reason,
    )


def _facts(name: str, array: Array) -> ArrayFacts:
    if array.dtype.kind in "OUSV" and array.dtype.isbuiltin != 2:  # strings; ml_dtypes' types have kind V too
        return ArrayFacts(name, array.dtype.name, array.shape)
    values = array.astype(np.float64).reshape(-1)
    known = values[np.isfinite(values)]
    missing = int(values.size - known.size)
    if not known.size:
        return ArrayFacts(name, array.dtype.name, array.shape, not_finite=missing)
    low, high, mean = float(known.min()), float(known.max()), float(known.mean())
    return ArrayFacts(name, array.dtype.name, array.shape, low, high, mean, missing)


def _write(path: Path, arrays: Mapping[str, Array]) -> None:
    """A .npz file, whole or not at all. Raises ModelFileError."""
    draft = temporary(path)
    try:
        with draft.open("wb") as file:
            write_npz(file, arrays)
        draft.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        draft.unlink(missing_ok=True)


def write_npz(file: BinaryIO, arrays: Mapping[str, Array]) -> None:
    """As numpy.savez does, which cannot write an array that is called "file"; texts are written without pickles."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            plain = np.asarray(array.tolist(), dtype=str) if array.dtype.hasobject else array
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, plain.reshape(array.shape), allow_pickle=False)
