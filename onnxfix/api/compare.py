"""The straight line of `compare`: what an engine computes against what its model computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from onnxfix.api.run import Inputs, cannot_run, feeds_for, refusal
from onnxfix.engine.run import why_not
from onnxfix.engine_records import CompareReport, LayerDifference
from onnxfix.errors import OnnxfixError
from onnxfix.model import load
from onnxfix.verify.budget import ENGINE, ensure_memory
from onnxfix.verify.engine_run import EngineComparison, compare_engine
from onnxfix.verify.layers import LayerReport, compare_layers

_EQUAL = (
    "If the results are wrong in your application, look at its pre- and post-processing: the order of the colours, "
    "scaling, layout, the types and shapes of its buffers."
)
_LAYERS = "`onnxfix compare --layers` names the first node that differs."
_FUSED = "Every value inside the model agrees once it is an output: a fusion of layers makes the difference."
_TF32 = "The engine may round to 10 bits (--tf32)."


def compare(
    model: Path | str,
    inputs: Inputs = None,
    *,
    layers: bool = False,
    tf32: bool = False,
    timeout: float = 600.0,
    progress: Callable[[str], object] = str,
) -> CompareReport:
    """Build an engine of an ONNX model and compare what it computes with what ONNX Runtime computes.

    `inputs` as for `run`. With `layers` the values inside the model are compared too. `tf32` lets the engine round
    float32 to 10 bits inside convolutions and matrix products. `timeout` is in seconds, for each engine.
    Raises OnnxfixError for inputs that do not fit, weights beyond the memory, and where no engine can run.
    """
    path = Path(model)
    loaded = load(path)
    ensure_memory(loaded, ENGINE)
    if not loaded.proto.graph.output:
        raise OnnxfixError("the model has no output", where=str(path), hint="`onnxfix repair` marks the missing ones")
    feeds = feeds_for(loaded, inputs)
    progress("building and running the engine")
    found = compare_engine(path, feeds, tf32=tf32, timeout=timeout)
    loaded.confirm_paths()
    if found.build.built and (reason := why_not()):
        raise cannot_run(path, reason)
    layered = LayerReport()
    if layers and found.differences:
        layered = compare_layers(loaded, found.inputs, tf32=tf32, timeout=timeout, progress=progress)
    return _compare_report(path, found, layered, tf32)


def _compare_report(path: Path, found: EngineComparison, layered: LayerReport, tf32: bool) -> CompareReport:
    outcome, reason = _verdict(found)
    layers = tuple(LayerDifference(*layered.nodes[item.name], item) for item in layered.differences)
    return CompareReport(
        str(path),
        found.build.flavour.title,
        outcome,
        reason,
        _advice(outcome, layered, tf32),
        found.device,
        found.oracle,
        tf32,
        found.differences,
        layers,
        layered.skipped,
        found.notes,
    )


_Outcome = Literal["equal", "different", "not_built", "failed", "not_compared"]


def _verdict(found: EngineComparison) -> tuple[_Outcome, str]:
    if not found.build.built:
        return "not_built", refusal(found.build)
    if found.unproven:
        return "not_compared", found.unproven
    if found.failure:
        return "failed", found.failure
    if found.wrong:
        first = found.wrong[0]
        counted = f"{len(found.wrong)} of {len(found.differences)} outputs"
        return "different", f"the engine computes something else in {counted}: {first.name!r}: {first.why}"
    return "equal", f"the engine computes what the model computes (max |diff| {found.max_abs:.3g})"


def _advice(outcome: _Outcome, layered: LayerReport, tf32: bool) -> str:
    if outcome == "equal":
        return _EQUAL
    if outcome != "different":
        return ""
    if layered.first is not None:
        node, op_type = layered.nodes[layered.first.name]
        text = f"The first value that differs is {layered.first.name!r}, which {op_type} {node!r} makes."
    else:
        text = _FUSED if layered.differences else _LAYERS
    return f"{text} {_TF32}" if tf32 else text
