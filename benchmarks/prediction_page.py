"""The tables of benchmarks.prediction: in the terminal, and as docs/prediction.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx

from onnxfix.targets import Target

Tally = Counter[str]


@dataclass(frozen=True)
class Verdict:
    """One model: what the fact base says ("" when it knows no refusal), what the target says ("" when it builds)."""

    name: str
    kind: str
    operator: str
    known: str
    said: str

    @property
    def wrong(self) -> bool:
        """Whether the two disagree."""
        return bool(self.known) != bool(self.said)

    @property
    def official(self) -> bool:
        """Whether it is no variant."""
        return not self.kind.startswith("variant")

    @property
    def alone(self) -> bool:
        """Whether it is about a model without its recorded inputs."""
        return self.kind.endswith(" alone")


Rows = Sequence[Verdict]
_GROUPS: tuple[tuple[str, Callable[[Verdict], bool]], ...] = (
    ("node cases", lambda item: item.kind == "node"),
    ("whole models", lambda item: item.official and not item.alone and item.kind not in ("node", "fixture")),
    ("fixtures", lambda item: item.kind == "fixture"),
    ("all", lambda item: item.official and not item.alone),
    ("variants of node cases", lambda item: item.kind == "variant"),
    ("all, without recorded inputs", lambda item: item.official and item.alone),
    ("variants, without recorded inputs", lambda item: item.alone and not item.official),
)
_LINE = 110


def lines(verdicts: Rows, peers: Mapping[str, Rows]) -> Iterator[str]:
    """Precision and recall of "refused" for groups, peers, and operators that are not told rightly."""
    yield f"{'':34}{'models':>8}{'refused':>9}{'told':>7}{'precision':>11}{'recall':>8}"
    for name, cells in _rows(verdicts, peers):
        yield _line(name, cells)
    wrong = Counter(item.operator for item in verdicts if item.wrong)
    for operator, _ in wrong.most_common():
        yield _line(operator, _cells([item for item in verdicts if item.operator == operator]))


def page(verdicts: Rows, variants: Rows, peers: Mapping[str, Rows], target: Target, explained: Tally) -> str:
    """docs/prediction.md."""
    rows, recorded = _rows([*verdicts, *variants], peers), [item for item in variants if not item.alone]
    parts = [_HEAD.format(target=target.title, onnx=onnx.__version__), *_table("", rows)]
    parts += ["", "## Disagreements", ""]
    parts += [f"* {count}: {reason}" for reason, count in explained.most_common()] or ["None on the official models."]
    parts += ["", *_told("Variants that are refused and not told", [item for item in recorded if not item.known])]
    parts += ["", *_told("Variants that are told and build", [item for item in recorded if not item.said])]
    parts += ["", "## By operator", "", _OPERATORS, ""]
    names = sorted({item.operator for item in verdicts if item.kind == "node" and (item.known or item.said)})
    parts += _table("first operator", [(name, _cells([v for v in verdicts if v.operator == name])) for name in names])
    return "\n".join(parts) + "\n"


def _told(title: str, variants: Rows) -> Iterator[str]:
    """A list of disagreements, by operator and first words."""
    found = Counter(f"{item.operator}: {_short(item.known or item.said)}" for item in variants if item.wrong)
    yield f"{title}: {'' if found else 'none.'}".rstrip()
    if found:
        yield ""
    yield from (f"* {count} {words}" for words, count in sorted(found.items()))


def _short(said: str) -> str:
    """The first line of what TensorRT says, without its name."""
    line = " ".join(said.rpartition("refuses it: ")[2].split())
    return line if len(line) <= _LINE else f"{line[:_LINE]}…"


def _rows(verdicts: Rows, peers: Mapping[str, Rows]) -> list[tuple[str, list[str]]]:
    groups = [(name, [item for item in verdicts if belongs(item)]) for name, belongs in _GROUPS]
    rows = [(name, _cells(own)) for name, own in groups if own]
    return rows + [(f"all, by {name}", _cells(own)) for name, own in peers.items()]


def _cells(own: Rows) -> list[str]:
    refused, told = [item for item in own if item.said], [item for item in own if item.known]
    both = sum(bool(item.said) for item in told)
    precision = f"{both / len(told):.1%}" if told else "-"
    recall = f"{both / len(refused):.1%}" if refused else "-"
    return [str(len(own)), str(len(refused)), str(len(told)), precision, recall]


def _line(name: str, cells: list[str]) -> str:
    return f"{name:34}{cells[0]:>8}{cells[1]:>9}{cells[2]:>7}{cells[3]:>11}{cells[4]:>8}"


def _table(head: str, rows: Sequence[tuple[str, list[str]]]) -> list[str]:
    body = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return [f"| {head} | models | refused | told | precision | recall |", "|---|---|---|---|---|---|", *body]


_HEAD = """# How true is `check` without TensorRT?

Made by `python -m benchmarks.prediction --peers --alone --variants 3000 --page docs/prediction.md`; do not edit.

The fact base of onnxfix says whether {target} refuses a model, without asking it; the real parser and builder then say
it too, with a profile for the recorded inputs (onnx {onnx}; engines built for compute capability 8.9 on a machine
without a GPU). *Refused* is what TensorRT refuses, *told* what the fact base says is refused; precision is the share of
the told that is refused, recall the share of the refused that is told. Node cases and whole models are the official
conformance models of onnx; fixtures are the tiny broken models and small detectors of `fixtures/`.

*Without recorded inputs* is what `onnxfix check MODEL` is given: TensorRT is asked for sizes and values that onnxfix
chooses, and refused is what it takes for none of them.

trtcheck 1.1 is asked for TensorRT 10.3, the newest that it knows (it knows no TensorRT-RTX): its critical issues count.
onnx-doctor 0.2 is a linter that knows no target: its errors count.

The facts are about operators, types, attributes, shapes and constants, never about a model. But most of them were found
with these very models: their figures say how complete the facts are for ONNX's own operators, not how well they guess.
That is what the variants are for: valid models made of the node cases by random changes (inputs become stored tensors,
sizes become free, all floats or all int64 get another type, another opset is declared). Facts were found with those of
the seeds 1 to 5 and 11 to 13, of whose refused 96.5 % (1 to 4), 99.8 % (5), 100 % (11), 99.9 % (12 and 13) were told at
first, with one false alarm (13); the figures here are of seed 14, at which nobody looked.
`--models FOLDER` tries models of your own.
"""

_OPERATORS = """Node cases by their first operator (`Constant` stands for most that ONNX writes out as functions); those
of which nothing is refused and nothing told are left out."""
