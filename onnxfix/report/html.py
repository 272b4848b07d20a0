"""The report of compare as one HTML page with drawings: no script, no font and no file from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from onnxfix.report.text import visible

if TYPE_CHECKING:
    from onnxfix.engine_records import CompareReport, LayerDifference
    from onnxfix.verify.difference import Difference

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --paper: #fff; --faint: #8794a3; --line: #dfe5eb; --good: #2e7d5b;
  --bad: #c2383a; --bar: #3f6fb5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --paper: #14191f; --line: #2b343e; --bar: #78a5e6;
  --good: #6cc59b; --bad: #ef7a75; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.equal { color: var(--good); } .different, .failed, .not_built { color: var(--bad); } .faint { color: var(--faint); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: right; padding: .25rem .5rem; border-bottom: 1px solid var(--line); }
td:first-child, th:first-child { text-align: left; overflow-wrap: anywhere; } tr.bad td { color: var(--bad); }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--faint); }
.bar, .dot { fill: var(--bar); } .dot.bad { fill: var(--bad); } .grid { stroke: var(--line); }
"""
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 900, 240, 52, 40, 10
_LOWEST, _HIGHEST = -10, 3  # decades of the error-by-layer plot
_COLUMNS = ("output", "max |diff|", "mean |diff|", "relative", "cosine", "off", "first at")


def compare_page(report: CompareReport) -> str:
    """The whole page."""
    title = escape(visible(report.model, 400))
    parts = [
        f"<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>{title}</title>",
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>",
        f"<p class='faint'>{escape(report.library)} {escape(report.device)}; model: {escape(report.oracle)}</p>",
        f"<p><b class='{report.outcome}'>{escape(report.outcome.replace('_', ' '))}</b>: {escape(report.reason)}</p>",
        f"<p>{escape(report.advice)}</p>" if report.advice else "",
        *(f"<p class='faint'>{escape(note)}</p>" for note in report.notes),
        *_table([(item.name, item) for item in report.outputs]),
        *_histograms(report.outputs),
        *_layers(report.layers),
        *_skipped(report.skipped),
        "</body></html>\n",
    ]
    return "".join(parts)


def _table(rows: Sequence[tuple[str, Difference]]) -> Iterator[str]:
    if not rows:
        return
    yield "<table><tr>" + "".join(f"<th>{name}</th>" for name in _COLUMNS) + "</tr>"
    for label, item in rows:
        place = "" if item.first is None else f"{list(item.first)}: {item.expected} → {item.got}"
        figures = (f"{item.max_abs:.3g}", f"{item.mean_abs:.3g}", f"{item.max_rel:.3g}", f"{item.cosine:.7f}")
        cells = (visible(label), *figures, f"{item.share:.2%}", place)
        row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        yield f"<tr{' class=bad' if item.why else ''} title='{escape(item.why, quote=True)}'>{row}</tr>"
    yield "</table>"


def _histograms(outputs: Sequence[Difference]) -> Iterator[str]:
    drawn = [item for item in outputs if item.histogram]
    if drawn:
        yield "<h2>How far the elements are off</h2>"
    for item in drawn:
        yield f"<p class='faint'>{escape(visible(item.name))}: elements by |difference|, on a logarithmic scale</p>"
        yield _histogram(item)


def _histogram(item: Difference) -> str:
    counts, labels = item.histogram, _decades(len(item.histogram))
    top = math.log10(max(counts) + 1) or 1.0
    step = (_WIDTH - _LEFT) / len(counts)
    floor = _HEIGHT - _BOTTOM
    bars = [f"<line class='grid' x1='{_LEFT}' x2='{_WIDTH}' y1='{floor}' y2='{floor}'/>"]
    for place, (count, label) in enumerate(zip(counts, labels, strict=True)):
        x, tall = _LEFT + place * step, (floor - _TOP) * math.log10(count + 1) / top
        bars.append(
            f"<rect class='bar' x='{x + 3:.1f}' y='{floor - tall:.1f}' width='{step - 6:.1f}' height='{tall:.1f}'>"
            f"<title>{label}: {count}</title></rect>"
            f"<text x='{x + step / 2:.1f}' y='{floor + 16}' text-anchor='middle'>{label}</text>"
            f"<text x='{x + step / 2:.1f}' y='{floor + 32}' text-anchor='middle'>{count or ''}</text>"
        )
    return _svg("".join(bars))


def _decades(count: int) -> list[str]:
    """ "0", "<1e-10", "1e-10" (up to 1e-9) and so on."""
    first = -10
    powers = [f"1e{power}" for power in range(first, first + count - 2)]
    return ["0", f"&lt;1e{first}", *powers]


def _layers(layers: Sequence[LayerDifference]) -> Iterator[str]:
    if not layers:
        return
    yield "<h2>Error by layer</h2><p class='faint'>The largest |difference| of each value inside the model, in the "
    yield "order of the nodes; red: more than its tolerance.</p>"
    yield _svg(_scale() + "".join(_dot(place, len(layers), layer) for place, layer in enumerate(layers)))
    wrong = [layer for layer in layers if layer.figures.why]
    yield f"<p>{len(layers)} values compared, {len(wrong)} differ.</p>"
    yield from _table([(f"{layer.op_type} {layer.figures.name}", layer.figures) for layer in wrong[:50]])


def _scale() -> str:
    lines = []
    for decade in range(_LOWEST, _HIGHEST + 1, 2):
        y = _y(10.0**decade)
        lines.append(f"<line class='grid' x1='{_LEFT}' x2='{_WIDTH}' y1='{y:.1f}' y2='{y:.1f}'/>")
        lines.append(f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' text-anchor='end'>1e{decade}</text>")
    return "".join(lines)


def _dot(place: int, count: int, layer: LayerDifference) -> str:
    x = _LEFT + (place + 0.5) * (_WIDTH - _LEFT) / count
    item = layer.figures
    words = escape(f"{layer.op_type} {visible(layer.node)}: {visible(item.name)}, max |diff| {item.max_abs:.3g}")
    bad = " bad" if item.why else ""
    dot = f"<circle class='dot{bad}' cx='{x:.1f}' cy='{_y(item.max_abs):.1f}' r='3.5'>"
    return f"{dot}<title>{words}</title></circle>"


def _y(error: float) -> float:
    """The height of an error; 0 and everything smaller lie on the lowest line."""
    decade = min(max(math.log10(error) if error > 0 else _LOWEST, _LOWEST), _HIGHEST)
    return _TOP + (_HEIGHT - _BOTTOM - _TOP) * (_HIGHEST - decade) / (_HIGHEST - _LOWEST)


def _svg(content: str) -> str:
    return f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img'>{content}</svg>"


def _skipped(skipped: Sequence[tuple[str, str]]) -> Iterator[str]:
    if skipped:
        yield f"<details><summary>{len(skipped)} values were not compared</summary><ul>"
        yield from (f"<li>{escape(visible(name))}: {escape(reason)}</li>" for name, reason in skipped)
        yield "</ul></details>"
