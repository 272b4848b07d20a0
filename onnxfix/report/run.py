"""The reports of run and compare as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from onnxfix.report.text import Line, counted, sentence, visible

if TYPE_CHECKING:
    from onnxfix.engine.timing import Timing
    from onnxfix.engine_records import ArrayFacts, CompareReport, LayerDifference, RunReport
    from onnxfix.verify.difference import Difference

_PATH, _LAYERS, _SKIPPED = 400, 10, 5
_OUTCOMES = {
    "ran": ("ran", "green"),
    "equal": ("equal", "green"),
    "different": ("different", "bold red"),
    "not_compared": ("not compared", "yellow"),
    "not_built": ("not built", "bold red"),
    "failed": ("failed", "bold red"),
    "crashed": ("crashed", "bold red"),
    "timeout": ("out of time", "yellow"),
}


def run_lines(report: RunReport) -> Iterator[Line]:
    """What `run` did."""
    yield _header(report.model, report.library, report.device)
    yield from _part("inputs", map(_array, report.inputs), " (seeded)" if report.seeded else "")
    yield from _part("outputs", map(_array, report.outputs))
    if report.timing is not None:
        yield from _timing(report.timing)
    yield from (("note: ", sentence(note)) for note in report.notes)
    if report.outcome != "ran":
        yield _outcome(report.outcome, report.reason)
    if report.output:
        yield (("Wrote ", "bold"), (visible(report.output, _PATH), "bold"))


def compare_lines(report: CompareReport) -> Iterator[Line]:
    """What `compare` found."""
    yield _header(report.model, report.library, report.device)
    if report.outputs:
        yield (f"{'output':32} {'max':>9} {'mean':>9} {'relative':>9} {'cosine':>9} {'off':>8}  first at",)
    yield from (_difference(item.name, item) for item in report.outputs)
    yield from _layers(report)
    yield from (("note: ", sentence(note)) for note in report.notes)
    yield _outcome(report.outcome, report.reason)
    if report.advice:
        yield (sentence(report.advice),)


def _header(model: str, library: str, device: str) -> Line:
    return ((visible(model, _PATH), "bold"), f"   {library}" + (f" on {visible(device)}" if device else ""))


def _outcome(outcome: str, reason: str) -> Line:
    return (_OUTCOMES[outcome], f": {sentence(reason)}")


def _part(label: str, items: Iterable[str], remark: str = "") -> Iterator[Line]:
    for number, item in enumerate(items):
        yield ((f"{label if not number else '':9}", "dim"), item + remark)


def _array(facts: ArrayFacts) -> str:
    shape = ",".join(map(str, facts.shape))
    text = f"{facts.dtype}[{shape}] {visible(facts.name)}"
    if facts.smallest is not None:
        text += f"   from {facts.smallest:.4g} to {facts.largest:.4g}, mean {facts.mean:.4g}"
    return text + (f", {facts.not_finite} not finite" if facts.not_finite else "")


def _timing(timing: Timing) -> Iterator[Line]:
    graph = ", as a CUDA graph" if timing.cuda_graph else ""
    yield (
        ("latency  ", "dim"),
        f"median {timing.median:.3f} ms, p95 {timing.p95:.3f} ms of {counted(timing.iterations, 'iteration')}{graph}",
    )
    parts = f"copy in {timing.copy_in:.3f} ms, compute {timing.compute:.3f} ms, copy out {timing.copy_out:.3f} ms"
    yield (("", "dim"), f"         {parts}; {timing.throughput:.1f} runs per second")


def _difference(label: str, item: Difference) -> Line:
    place = "" if item.first is None else f"[{','.join(map(str, item.first))}]: {item.expected} became {item.got}"
    figures = f"{item.max_abs:9.3g} {item.mean_abs:9.3g} {item.max_rel:9.3g} {item.cosine:9.6f} {item.share:8.2%}"
    return ((f"{visible(label, 32):32} ", "bold red" if item.why else ""), figures, f"  {place}")


def _layers(report: CompareReport) -> Iterator[Line]:
    """The first layers that differ, and how many there are."""
    if not report.layers:
        return
    wrong = [layer for layer in report.layers if layer.figures.why]
    yield (f"{counted(len(report.layers), 'value')} inside the model compared, {len(wrong)} differ",)
    yield from (_difference(_layer(layer), layer.figures) for layer in wrong[:_LAYERS])
    for name, reason in report.skipped[:_SKIPPED]:
        yield ((f"not compared: {visible(name)}: {sentence(reason)}", "dim"),)
    if len(report.skipped) > _SKIPPED:
        yield ((f"and {len(report.skipped) - _SKIPPED} more not compared, in --format json", "dim"),)


def _layer(layer: LayerDifference) -> str:
    return f"  {layer.op_type} {layer.figures.name}"
