"""The report of check --run: lines for people, and a drawing of the range of every value."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from onnxfix.report.text import Line, counted, listed, sentence, visible

if TYPE_CHECKING:
    from onnxfix.api.watch import RangeReport
    from onnxfix.verify.watched import Range

_PATH, _NAME, _SHOWN = 400, 200, 10
_LOW, _HIGH = -40, 40  # powers of ten of float32
_ROW, _WIDE, _LEFT = 12, 640, 260
_FITS, _KEEP, _FLAWED = "#468", "#d80", "#c00"


def range_lines(report: RangeReport) -> Iterator[Line]:
    """What was found, the worst first."""
    found = report.watch
    made = " (seeded inputs)" if report.seeded else ""
    yield ((visible(report.model, _PATH), "bold"), f"   {counted(len(found.values), 'value')} watched{made}")
    first = found.first
    if first is not None:
        count = first.nan or first.infinite
        where = f"{visible(first.name, _NAME)}, made by {first.op_type} {visible(first.node, _NAME)}".rstrip()
        when = f", first in run {first.flawed_run + 1} of {first.runs} of its graph" if first.runs > 1 else ""
        yield (("first not finite: ", "bold red"), f"{where}: {counted(count, 'element')} {first.flaw}{when}")
    if found.handed_on:
        said = f"{listed(found.handed_on, 3)}; inputs or stored tensors hold NaN or infinity, and no node makes it"
        yield (("not finite from the start: ", "yellow"), said)
    if found.keep_fp32:
        nodes = counted(len(found.keep_fp32), "node")
        yield (("must stay in float32: ", "yellow"), f"{nodes}; float16 would change what the model computes")
    for name, why in list(found.keep_fp32.items())[:_SHOWN]:
        yield (("  keep in float32: ", "yellow"), f"{visible(name, _NAME)}: {sentence(why)}")
    yield from _more(len(found.keep_fp32))
    beyond = [value for value in found.values if value.beyond_int32 and value.dtype in ("int64", "uint64", "uint32")]
    yield from (("beyond int32: ", _span(value)) for value in beyond[:_SHOWN])
    denormal = [value for value in found.values if value.denormal]
    yield from (("denormal: ", f"{visible(v.name)}: {counted(v.denormal, 'element')}") for v in denormal[:_SHOWN])
    yield from (("one number everywhere: output ", visible(name)) for name in found.dead)
    yield from (("not watched: ", f"{visible(name)}: {sentence(why)}") for name, why in found.skipped[:_SHOWN])
    if not (first or found.handed_on or found.keep_fp32 or beyond or denormal or found.dead):
        yield (("nothing stands out", "green"),)


def _more(count: int) -> Iterator[Line]:
    if count > _SHOWN:
        yield (f"  and {count - _SHOWN} more",)


def _span(value: Range) -> str:
    return f"{visible(value.name)}: {value.low:.6g} to {value.high:.6g}"


def drawing(report: RangeReport) -> str:
    """An SVG picture: for each value a bar from its smallest to its largest magnitude, and where float16 ends."""
    values = [value for value in report.watch.values if value.dtype.startswith(("float", "bfloat"))]
    height = _ROW * (len(values) + 4)
    marks = [(math.log10(65504), "float16 overflows"), (math.log10(2.0**-24), "float16 is 0")]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDE + 20}" height="{height}" '
        'font-family="sans-serif" font-size="9">',
        '<rect width="100%" height="100%" fill="white"/>',
        *(_mark(power, text, height - _ROW) for power, text in marks),
        *(_bar(place, value) for place, value in enumerate(values)),
        _legend(height - 3),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _mark(power: float, text: str, height: int) -> str:
    x = _x(power)
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_ROW}" y2="{height}" stroke="#c33" stroke-dasharray="3"/>'
    return f'{line}<text x="{x:.1f}" y="{_ROW - 3}" text-anchor="middle">{text}</text>'


def _bar(place: int, value: Range) -> str:
    y = _ROW * (place + 2)
    label = html.escape(visible(value.name, 44))
    colour = _FLAWED if value.flaw else _KEEP if value.keep_fp32 else _FITS
    low, high = _x(_power(value.smallest)), _x(_power(max(abs(value.low), abs(value.high))))
    text = f'<text x="{_LEFT - 6}" y="{y + 8}" text-anchor="end">{label}</text>'
    said = value.flaw or (f"keep in float32: {value.keep_fp32}" if value.keep_fp32 else "")
    title = html.escape(f"{visible(value.name, _NAME)}: {value.low:.3g} to {value.high:.3g} {said}".rstrip())
    size = f'width="{max(high - low, 2):.1f}" height="{_ROW - 4}"'
    return f'{text}<rect x="{low:.1f}" y="{y}" {size} fill="{colour}"><title>{title}</title></rect>'


def _legend(y: int) -> str:
    """What the colours say."""
    words = ((_FITS, "float16 can hold it"), (_KEEP, "keep in float32"), (_FLAWED, "NaN or infinity"))
    return "".join(
        f'<text x="{_LEFT + 160 * place}" y="{y}" fill="{colour}">{text}</text>'
        for place, (colour, text) in enumerate(words)
    )


def _power(magnitude: float) -> float:
    return math.log10(magnitude) if magnitude > 0 else _LOW


def _x(power: float) -> float:
    return _LEFT + _WIDE * (min(max(power, _LOW), _HIGH) - _LOW) / (_HIGH - _LOW)
