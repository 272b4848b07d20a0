"""The changes between two models as lines for people, and as Markdown for a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from onnxfix.changes.records import KINDS, Change, DiffReport
from onnxfix.report.text import Line, counted, sentence, visible

_PATH, _TEXT, _MOST, _NAMES = 400, 300, 200, 20

NOUNS = {
    "removed": "piece removed",
    "inserted": "piece inserted",
    "replaced": "piece replaced",
    "attribute": "node with other attributes",
    "rewired": "node with other inputs",
    "weight": "stored tensor changed",
    "input": "input changed",
    "output": "output changed",
    "renamed": "name changed",
    "moved": "change of order",
    "placement": "constant stored elsewhere",
    "value-info": "change of declared types",
    "opset": "opset changed",
    "ir-version": "IR version changed",
    "metadata": "metadata entry changed",
    "docs": "documentation changed",
    "function": "function added or removed",
}
_PLURAL = {
    "piece ": "pieces ",
    "node ": "nodes ",
    "stored tensor ": "stored tensors ",
    "input ": "inputs ",
    "output ": "outputs ",
    "name ": "names ",
    "change ": "changes ",
    "constant ": "constants ",
    "opset ": "opsets ",
    "IR version ": "IR versions ",
    "metadata entry ": "metadata entries ",
    "documentation ": "documentation ",
    "function ": "functions ",
}


def diff_lines(report: DiffReport) -> Iterator[Line]:
    """A summary, then the changes as a unified diff in ONNX syntax."""
    yield ((f"--- {visible(report.before, _PATH)}", "bold"),)
    yield ((f"+++ {visible(report.after, _PATH)}", "bold"),)
    yield (summary(report),)
    yield from _numbers(report)
    names = [change for change in report.changes if change.kind == "renamed"]
    others = [change for change in report.changes if change.kind != "renamed"]
    for change in others[:_MOST]:
        yield from _change(change)
    if len(others) > _MOST:
        yield (f"… and {len(others) - _MOST} more changes, in --format json",)
    yield from _renamed(names)


def stat_lines(report: DiffReport) -> Iterator[Line]:
    """How many changes of each kind."""
    counts = Counter(change.kind for change in report.changes)
    yield (summary(report),)
    yield from _numbers(report)
    for kind in KINDS:
        if counts[kind]:
            yield (f"{counts[kind]:8}  ", _noun(kind, counts[kind]))


def markdown(report: DiffReport) -> str:
    """A comment for a pull request: the summary, a table of kinds, and the changes of the graph."""
    counts = Counter(change.kind for change in report.changes)
    parts = [f"### `{_code(report.before)}` → `{_code(report.after)}`", summary(report)]
    if report.numbers:
        lines = [_plain(line) for line in _numbers(report)]
        fence = _fence(lines)
        parts.append("\n".join([fence, *lines, fence]))
    rows = [f"| {counts[kind]} | {_noun(kind, counts[kind])} |" for kind in KINDS if counts[kind]]
    if rows:
        parts.append("\n".join(["| | |", "|---|---|", *rows]))
    shown = [change for change in report.changes if change.kind not in ("renamed", "moved")][:_MOST]
    if shown:
        lines = [_plain(line) for change in shown for line in _change(change)]
        fence = _fence(lines)
        parts.append(
            "\n".join(["<details><summary>changes</summary>", "", f"{fence}diff", *lines, fence, "</details>"])
        )
    return "\n\n".join(parts) + "\n"


def summary(report: DiffReport) -> str:
    """One sentence."""
    counts = Counter(change.kind for change in report.changes)
    matched = f"{report.matched:,} of {report.nodes[0]:,} nodes matched with {report.nodes[1]:,}"
    if not report.changes:
        return f"The models are the same: {matched}."
    parts = [f"{counts[kind]:,} {_noun(kind, counts[kind])}" for kind in KINDS if counts[kind]]
    return f"{matched}; {', '.join(parts)}."


def _numbers(report: DiffReport) -> Iterator[Line]:
    """What both models compute, and where they part first."""
    if not report.numbers:
        return
    numbers = report.numbers
    style = {"passed": "green", "failed": "red"}.get(numbers["outcome"], "yellow")
    word = {"passed": "equal", "failed": "different"}.get(numbers["outcome"], "not compared")
    yield ((f"Numbers: {word}", style), f": {sentence(numbers['reason'])}")
    for figures in numbers["outputs"][:_NAMES]:
        verdict = figures["why"] or f"max |diff| {figures['max_diff']:.3g}"
        yield (f"  {visible(figures['name'])}: {sentence(verdict)}",)
    first = numbers["first"]
    if first:
        node = f"{visible(first['op_type'])} {visible(first['node'])}".strip()
        text = f"  They part first at {node}, which makes {visible(first['name'])}: {sentence(first['why'])}"
        yield ((text, "bold"),)
    elif numbers["outcome"] == "failed" and numbers["values"]:
        yield (f"  All {counted(numbers['values'], 'value')} that both make inside agree: a piece above parts them.",)


def _change(change: Change) -> Iterator[Line]:
    place = f"{visible(change.scope)}: " if change.scope else ""
    rule = f"   ({visible(change.rule)})" if change.rule else ""
    title = f"@@ {place}{visible(change.subject)} @@ {sentence(change.message)}{rule}"
    yield ((title, "cyan"),)
    for line in change.before[:_MOST]:
        yield ((f"- {sentence(line, _TEXT)}", "red"),)
    for line in change.after[:_MOST]:
        yield ((f"+ {sentence(line, _TEXT)}", "green"),)


def _renamed(changes: Sequence[Change]) -> Iterator[Line]:
    for change in changes[:_NAMES]:
        yield ((f"~ {sentence(change.message)}", "dim"),)
    if len(changes) > _NAMES:
        yield ((f"~ and {counted(len(changes) - _NAMES, 'more name')}", "dim"),)


def _noun(kind: str, count: int) -> str:
    noun = NOUNS[kind]
    start = next(word for word in _PLURAL if noun.startswith(word))
    return noun if count == 1 else _PLURAL[start] + noun.removeprefix(start)


def _plain(line: Line) -> str:
    return "".join(piece if isinstance(piece, str) else piece[0] for piece in line)


def _code(text: str) -> str:
    return visible(text, _PATH).replace("`", "'")


def _fence(lines: Sequence[str]) -> str:
    """Backticks enough to stand around lines that hold some."""
    return "`" * max(3, max((_run(line) for line in lines), default=0) + 1)


def _run(text: str) -> int:
    """The longest run of backticks."""
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    return longest
