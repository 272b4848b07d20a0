"""The reports of build, inspect and doctor as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from onnxfix.report.text import Line, counted, sentence, size_text, visible

if TYPE_CHECKING:
    from onnxfix.api.doctor import DoctorReport
    from onnxfix.engine.sidecar import Sidecar
    from onnxfix.engine.tensors import IoTensor
    from onnxfix.engine_records import BuildError, BuildReport, PlanReport

_PATH, _LAYERS, _ERROR = 400, 60, 2000
_LEVELS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "error": ("error", "bold red")}


def build_lines(report: BuildReport) -> Iterator[Line]:
    """What `build` did; every refusal with its node and what it means."""
    result = report.result
    place = f", compute capability {result.compute_capability}" if result.compute_capability else ", the GPU here"
    yield ((visible(report.model, _PATH), "bold"), f"   {report.library}{place}")
    for error in report.errors:
        yield from _error(error)
    if result.network:
        yield from _tensor_lines(result.network.tensors)
    yield from (("note: ", sentence(note)) for note in report.notes)
    time = (f"   {result.seconds:.1f} s", "dim")
    if report.output:
        written = f"{visible(report.output, _PATH)} ({size_text(result.plan_bytes)}), {visible(report.sidecar, _PATH)}"
        yield (("Wrote ", "bold"), written, time)
    else:
        refused = f"{result.outcome.replace('_', ' ')}, {counted(len(report.errors), 'error')}"
        yield (("Nothing written: ", "bold red"), refused, time)
        yield (f"`onnxfix repair {visible(report.model, _PATH)}` rewrites what can be rewritten",)


def _error(item: BuildError) -> Iterator[Line]:
    error = item.error
    node = " ".join(visible(part) for part in (error.op_type, error.node) if part)
    index = f" (node {error.index})" if error.index >= 0 else ""
    place = f"{node}{index}: " if node or index else ""
    yield ((f"{error.code}", "red"), f" {place}{sentence(error.message, _ERROR)}")
    yield from (("  ", (sentence(cause), "dim")) for cause in item.causes)


def inspect_lines(report: PlanReport) -> Iterator[Line]:
    """What is known about a plan."""
    yield ((visible(report.plan, _PATH), "bold"), f"   {report.library}, {size_text(report.bytes)}")
    capabilities = ", ".join(report.compute_capabilities) or "not told by the plan"
    yield (("for GPUs   ", "dim"), f"compute capability {capabilities}")
    if report.sidecar:
        yield from _origin(report.sidecar)
    yield from _tensor_lines(report.tensors)
    if report.device_memory >= 0:
        weights = f", weights {size_text(report.weights)}" if report.weights >= 0 else ""
        yield (("memory     ", "dim"), f"activations {size_text(report.device_memory)}{weights}")
    yield from _layer_lines(report)
    yield from (("note: ", sentence(note)) for note in report.notes)
    if report.obstacle:
        yield (("Does not load here: ", "yellow"), sentence(report.obstacle))
    else:
        yield (("Loads here.", "green"),)


def _origin(sidecar: Sidecar) -> Iterator[Line]:
    for number, file in enumerate(sidecar.model):
        label = "model" if not number else ""
        yield ((f"{label:11}", "dim"), f"{visible(file.name)}, SHA-256 {visible(file.sha256)}")
    gpu = f"{visible(sidecar.gpu.name)} ({sidecar.gpu.compute_capability})" if sidecar.gpu else "no GPU"
    where = f"{visible(sidecar.date)} by onnxfix {visible(sidecar.onnxfix)} on {visible(sidecar.system)}, {gpu}"
    yield (("built      ", "dim"), where)
    switches = {
        "TF32": sidecar.tf32,
        "without weights": sidecar.stripped,
        "hardware-compatible": sidecar.hardware_compatible,
        "version-compatible": sidecar.version_compatible,
        f"workspace {sidecar.workspace} MiB": bool(sidecar.workspace),
    }
    typing = "the model's types" if sidecar.precisions == ("strong",) else " ".join(map(visible, sidecar.precisions))
    yield (("precision  ", "dim"), ", ".join([typing, *(name for name, on in switches.items() if on)]))


def _tensor_lines(tensors: Sequence[IoTensor]) -> Iterator[Line]:
    for label, found in (("inputs", True), ("outputs", False)):
        named = [tensor for tensor in tensors if tensor.input is found]
        for number, tensor in enumerate(named):
            shape = ",".join("?" if size < 0 else str(size) for size in tensor.shape)
            yield ((f"{'' if number else label:11}", "dim"), f"{tensor.dtype}[{shape}] {visible(tensor.name)}")
            for index, triple in enumerate(tensor.ranges):
                what = "values" if tensor.values else "sizes"
                spans = " ".join(
                    f"{word} {_joined(point)}" for word, point in zip(("from", "best", "to"), triple, strict=True)
                )
                yield (" " * 13, (f"profile {index}: {what} {spans}", "dim"))


def _joined(sizes: Iterable[int]) -> str:
    return "x".join(map(str, sizes)) or "scalar"


def _layer_lines(report: PlanReport) -> Iterator[Line]:
    if not report.layers:
        return
    origin = "as the engine runs them" if report.layers_from == "engine" else "of the model, before they are fused"
    yield (("layers     ", "dim"), f"{len(report.layers)}, {origin}")
    for layer in report.layers[:_LAYERS]:
        nodes = ", ".join(visible(node) for node in layer.nodes) or "-"
        types = " ".join(layer.dtypes) or "-"
        yield (f"  {visible(layer.kind, 22):22} {visible(types, 16):16} {visible(nodes, 200)}",)
    if len(report.layers) > _LAYERS:
        yield ("  ", (f"and {len(report.layers) - _LAYERS} more, in --format json", "dim"))


def doctor_lines(report: DoctorReport) -> Iterator[Line]:
    """One line for each finding, its fix below it."""
    for finding in report.findings:
        word, style = _LEVELS[finding.level]
        yield ((f"{word:6}", style), (f"{visible(finding.topic)}: ", "bold"), sentence(finding.message, _ERROR))
        if finding.fix:
            yield (" " * 6, f"fix: {sentence(finding.fix)}")
    yield ((report.summary, "bold"),)
