"""The figures of `python -m benchmarks.speed` as lines, as tables of a page, and as drawings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks.speed_results import Entry, Results, size_text, title
from onnxfix.files import write_whole

_SHOWN = 110


def line_of(entry: Entry) -> str:
    """One tool's figures for the terminal."""
    figures = f"{_span(entry.wall):<26} CPU {entry.cpu_seconds:8.2f} s {size_text(entry.bytes):>8}"
    return f"{figures}  {_result(entry)}"


def write_page(path: Path, results: Results) -> None:
    """Put the tables between the markers `<!-- NAME -->` and `<!-- end -->` of a page."""
    page = path.read_text(encoding="utf-8")
    for name, lines in tables(results).items():
        page = replaced(page, name, lines)
    write_whole(path, page.encode())


def replaced(page: str, name: str, lines: Sequence[str]) -> str:
    """The page with other lines between two markers.  Raises ValueError for a page without them."""
    found = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if len(found.findall(page)) != 1:
        raise ValueError(f"the page does not have the marker {name!r} once")
    text = "\n".join(lines)
    return found.sub(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", page)


def tables(results: Results) -> dict[str, list[str]]:
    """The parts of the page by marker."""
    releases = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    parts = {"machine": [f"{results.machine}; {releases}."], "goals": list(_goal_lines(results))}
    for row in ("help", "cached", "nodes", "yolo", "weights", "sparse"):
        parts[row] = [line for size in results.sizes(row) for line in (*_table(results.of(row, size)), "")][:-1]
    return parts


def _goal_lines(results: Results) -> Iterator[str]:
    yield "| work | goal | measured | |"
    yield "|---|---|---|---|"
    for work, goal, measured, met in goals(results):
        yield f"| {work} | {goal} | {measured} | {'met' if met else 'not met'} |"


def goals(results: Results) -> Iterator[tuple[str, str, str, bool]]:
    """(work, goal, what was measured, whether it is met) of all that was measured."""
    for row, tool, most in (("help", "onnxfix", 0.15), ("cached", "onnxfix check", 1.0)):
        for entry in _entries(results, row, tool):
            yield title(row, entry.size), f"{most:g} s", f"{entry.seconds:.2f} s", entry.seconds <= most
    yield from _small(results)
    yield from _large(results)
    for entry in _entries(results, "yolo", "onnxfix")[-1:]:
        if sessions := results.entry("yolo", entry.size, "ONNX Runtime, twice"):
            ratio = entry.seconds / sessions.seconds
            yield title("yolo", entry.size), "2 times two sessions of ONNX Runtime", f"{ratio:.2f} times", ratio < 2
    yield from _weights(results)
    for entry in _entries(results, "sparse", "onnxfix")[-1:]:
        measured = f"{entry.seconds:.2f} s, {size_text(entry.bytes)}"
        yield title("sparse", entry.size), "10 s, 500 MB", measured, entry.seconds < 10 and entry.bytes < 5e8


def _small(results: Results) -> Iterator[tuple[str, str, str, bool]]:
    """The smallest graph, beside the fastest peer and onnxsim."""
    for own in _entries(results, "nodes", "onnxfix")[:1]:
        peers = [e for e in results.of("nodes", own.size) if e.good and e.made and e.tool != "onnxfix"]
        best = min(peers, key=lambda entry: entry.seconds, default=None)
        for peer, most in ((results.entry("nodes", own.size, "onnxsim"), 1.0), (best, 1.2)):
            if peer:
                ratio = own.seconds / peer.seconds
                work = title("nodes", own.size)
                yield work, f"{most:g} times the time of {peer.tool}", f"{ratio:.2f} times", ratio <= most


def _large(results: Results) -> Iterator[tuple[str, str, str, bool]]:
    """Half of onnxsim's CPU time from 20,000 nodes on, and ten times the nodes in at most 12 times the time."""
    own = {entry.size: entry for entry in _entries(results, "nodes", "onnxfix")}
    for size in (size for size in own if size >= 20_000):
        if peer := _peer(results, "nodes", size):
            ratio = own[size].cpu_seconds / peer.cpu_seconds
            measured = f"{ratio:.2f} times{_bound(peer)}"
            yield title("nodes", size), "0.5 times the CPU time of onnxsim", measured, ratio < 0.5
        if size * 10 in own:
            ratio = own[size * 10].cpu_seconds / own[size].cpu_seconds
            work = f"{title('nodes', size * 10)} after {title('nodes', size)}"
            yield work, "12 times the CPU time", f"{ratio:.1f} times", ratio <= 12


def _weights(results: Results) -> Iterator[tuple[str, str, str, bool]]:
    for own in (entry for entry in _entries(results, "weights", "onnxfix")[-1:] if entry.size >= 1e9):
        work, share = title("weights", own.size), own.bytes / own.size
        yield work, "memory 0.1 times the weights", f"{share:.2f} times", share < 0.1
        if peer := _peer(results, "weights", own.size):
            ratio = peer.seconds / own.seconds
            yield work, "10 times faster than onnxsim", f"{ratio:.0f} times{_bound(peer)}", ratio >= 10


def _peer(results: Results, row: str, size: int) -> Entry | None:
    """onnxsim, where it did its work or was killed over it: it needs as much as until then, and more."""
    peer = results.entry(row, size, "onnxsim")
    return peer if peer and (peer.good or peer.end.startswith("killed")) else None


def _bound(peer: Entry) -> str:
    return "" if peer.good else f" and better: it was {peer.end}"


def _entries(results: Results, row: str, tool: str) -> list[Entry]:
    """The entries of a tool that did its work, small ones first."""
    return [entry for entry in results.of(row) if entry.tool == tool and entry.good]


def _table(entries: Sequence[Entry]) -> Iterator[str]:
    """The Markdown table of one row and size."""
    yield f"**{title(entries[0].row, entries[0].size)}**"
    yield ""
    yield "| | time: median (range) | CPU time | memory | result |"
    yield "|---|---|---|---|---|"
    for entry in entries:
        result = _result(entry).replace("|", "\\|").replace("<", "&lt;")
        cpu = f"{entry.cpu_seconds:.2f} s"
        yield f"| {entry.tool} | {_span(entry.wall)} | {cpu} | {size_text(entry.bytes)} | {result} |"


def _span(seconds: Sequence[float]) -> str:
    spread = f" ({min(seconds):.2f} to {max(seconds):.2f})" if len(seconds) > 1 else ""
    return f"{median(seconds):.2f} s{spread}"


def _result(entry: Entry) -> str:
    """What the tool wrote, or how it ended and its last words."""
    if entry.good:
        return entry.made or ("" if entry.looks or entry.row in ("help", "yolo") else "nothing written")
    words = entry.last_line if len(entry.last_line) <= _SHOWN else f"{entry.last_line[:_SHOWN]}…"
    end = "" if entry.end == "exit 0" else entry.end
    return ": ".join(filter(None, (end, entry.made or "nothing written", words)))


_COLOURS = {
    "onnxfix": "#d55e00",
    "onnxfix check": "#e69f00",
    "onnxsim": "#0072b2",
    "onnxslim": "#009e73",
    "polygraphy": "#cc79a7",
    "onnxoptimizer": "#56b4e9",
    "onnx-doctor": "#000000",
    "onnx-doctor check": "#777777",
    "trtcheck": "#b09000",
}


def draw(folder: Path, results: Results) -> None:
    """Draw time and memory over nodes and over weights, log-log, one line for each tool: two SVG files."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "onnxfix"
    folder.mkdir(parents=True, exist_ok=True)
    _drawing(folder / "speed-nodes.svg", results.of("nodes"), "nodes", 1)
    _drawing(folder / "speed-weights.svg", results.of("weights"), "external weights in GB", 1e9)


def _drawing(path: Path, entries: Sequence[Entry], unit: str, scale: float) -> None:
    from matplotlib import pyplot
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    quantities: tuple[tuple[str, Callable[[Entry], float]], ...] = (
        ("CPU seconds", lambda entry: entry.cpu_seconds),
        ("peak memory in MB", lambda entry: entry.bytes / 1e6),
    )
    for panel, (label, quantity) in zip(panels, quantities, strict=True):
        for tool, colour in _COLOURS.items():
            points = [(entry.size / scale, quantity(entry)) for entry in entries if entry.tool == tool and entry.good]
            width, style = (2.5 if tool.startswith("onnxfix") else 1.3), ("--" if tool.endswith("check") else "-")
            if points:
                xs, ys = zip(*points, strict=True)
                panel.plot(xs, ys, style, marker="o", markersize=4, linewidth=width, color=colour, label=tool)
        panel.set(xscale="log", yscale="log", xlabel=unit, ylabel=label)
        for axis in (panel.xaxis, panel.yaxis):
            measured = sorted({entry.size / scale for entry in entries})
            axis.set_major_locator(FixedLocator(measured) if axis is panel.xaxis else LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
            axis.set_minor_locator(NullLocator())
        panel.grid(color="#dddddd")
        panel.spines[["top", "right"]].set_visible(False)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
