"""docs/refusals.md: what benchmarks.refusals found, as a table."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from statistics import median

from benchmarks.refusals import Row
from onnxfix.engine.backend import choose
from onnxfix.targets import advise

_MESSAGE, _RULES = 90, 4
_HEAD = """# What TensorRT refuses

Written by `python -m benchmarks.refusals --page docs/refusals.md` on {date}: onnx {onnx}, ONNX Runtime {ort},
TensorRT-RTX {rtx} (engines built for compute capability 8.9, not run).

Each of the {cases} official conformance models (1,884 of single nodes, 149 whole ones) is given to the parser, and to
the builder when the parser takes it; what is refused is made as small as possible by the search of `onnxfix reduce`,
and repaired (changes to the interface allowed, recorded inputs given).
"""
_COLUMNS = """
A group is a kind of message (without names and numbers) and the operators of its smallest models. *Repaired* counts the
models for which `onnxfix repair` proves a repair; the rules are those of the group's repairs, the most used first.
"Recorded inputs" means that the engine builds when the profile has the sizes and shape values of the recorded inputs.
*Explained* names the causes that `onnxfix explain` knows for the message.

| models | refused by | smallest model | message | repaired | rules | explained |
|---|---|---|---|---|---|---|"""


def page(rows: Sequence[Row], cases: int) -> str:
    """The page as Markdown; `cases` is how many models there are, all of which may not have been asked yet."""
    installed = {"onnx": version("onnx"), "ort": version("onnxruntime"), "rtx": choose("tensorrt_rtx").version}
    head = _HEAD.format(date=datetime.date.today().isoformat(), cases=f"{cases:,}", **installed)
    return "\n".join([head, *_sums(rows, cases), _COLUMNS, *_table(rows), "", *_unrepaired(rows)]) + "\n"


def groups(rows: Iterable[Row]) -> list[tuple[tuple[str, str], list[Row]]]:
    """The refused models by group, the largest group first."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.sign:
            found[row.group].append(row)
    return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))


def _sums(rows: Sequence[Row], cases: int) -> Iterator[str]:
    refused = [row for row in rows if row.sign]
    stages = Counter(row.stage for row in refused)
    asked = f"all {cases:,}" if len(rows) == cases else f"{len(rows):,} of {cases:,} (the others were not asked yet)"
    yield f"* asked: {asked}"
    yield f"* refused: {len(refused):,} ({stages['parse']} by the parser, {stages['build']} by the builder)"
    alone = sum(row.after == 1 for row in refused)
    checks = median(row.checks for row in refused) if refused else 0
    most = max((row.after for row in refused), default=0)
    yield f"* made a single node: {alone:,}, after {checks:g} checks in the median; the largest left has {most} nodes"
    yield f"* groups: {len(groups(rows))}"
    tried = [row for row in refused if row.repaired is not None]
    yield f"* repaired: {sum(bool(row.repaired) for row in tried):,} of {len(tried):,}"
    yield f"* explained: {sum(bool(advise(row.message)) for row in refused):,} of {len(refused):,}"
    troubled = [row for row in rows if row.trouble]
    yield from [f"* errors of the search: {len(troubled)}"] * bool(troubled)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    for (_, left), members in groups(rows):
        first = members[0]
        rules = Counter(code for row in members if row.repaired for code in row.rules)
        repaired = sum(bool(row.repaired) for row in members)
        names = ", ".join(code for code, _ in rules.most_common(_RULES)) or ("recorded inputs" if repaired else "none")
        known = dict.fromkeys(advice.id for row in members for advice in advise(row.message))
        cells = (str(len(members)), _by(first), _operators(left), f"`{_short(first.message)}`", str(repaired), names)
        yield "| " + " | ".join((*cells, ", ".join(known) or "nothing")) + " |"


def _by(row: Row) -> str:
    return "parser" if row.stage == "parse" else "builder"


def _operators(left: str) -> str:
    names = left.split("+")
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _short(message: str) -> str:
    text = " ".join(message.replace("`", "'").replace("|", "¦").split())
    return text if len(text) <= _MESSAGE else f"{text[:_MESSAGE]}…"


def _unrepaired(rows: Sequence[Row]) -> Iterator[str]:
    """The models that stay refused, by what is in the way."""
    yield "## What stays refused\n"
    yield "| models | smallest model | why no repair is written |\n|---|---|---|"
    left: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.repaired is False:
            left[row.left, _reason(row)].append(row)
    for (names, why), members in sorted(left.items(), key=lambda item: (-len(item[1]), item[0])):
        yield f"| {len(members)} | {_operators(names)} | {why} |"


def _reason(row: Row) -> str:
    """What is known of the refusal where the target refuses the model to the end, else which check did not pass."""
    known = advise(row.message)
    return f"{known[0].cause} ({known[0].id})" if known and "refuses it" in row.why else _short(row.why)
