"""How many messages that people pasted into public threads `onnxfix explain` tells the cause of.

    python -m benchmarks.explain [--list] [--page docs/explain.md]

pasted.yaml has the messages with their threads, in sets that were gathered one after another. Right is a message
whose cause is told first; partly, whose cause is told, but not first; wrong, of which something else is told;
structural, whose program, operators and next command are told and no cause.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from onnxfix.targets import Log, advise, read_message

DATA = Path(__file__).with_name("pasted.yaml")
GRADES = ("right", "partly", "structural", "wrong", "nothing")


@dataclass(frozen=True)
class Row:
    """One message: its set, thread, first line, its cause ("" for none known), what is told, whether it is read."""

    set: str
    source: str
    line: str
    cause: str
    told: tuple[str, ...]
    read: bool = False

    @property
    def grade(self) -> str:
        """One of GRADES."""
        if not self.told:
            return "structural" if self.read else "nothing"
        if self.told[0] == self.cause:
            return "right"
        return "partly" if self.cause in self.told else "wrong"


@cache
def pasted() -> Mapping[str, Any]:
    """The file of messages."""
    found: Mapping[str, Any] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    return found


def rows() -> Iterator[Row]:
    """Every message, asked."""
    for message in pasted()["messages"]:
        told = tuple(advice.id for advice in advise(message["text"]))
        read = not told and read_message(Log.of(message["text"])) is not None
        yield Row(message["set"], message["source"], message["text"].splitlines()[0], message["cause"], told, read)


def table(asked: list[Row]) -> Iterator[str]:
    """The rows of the page, a set each, with what was right when it was asked for the first time."""
    heads = ("set", "gathered", "messages", "right at first", "partly at first", "right now", *GRADES[1:])
    yield f"| {' | '.join(heads)} |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name, facts in pasted()["sets"].items():
        grades = Counter(row.grade for row in asked if row.set == name)
        size = sum(grades.values())
        first = f"{facts['first_right']} ({facts['first_right'] / size:.0%}) | {facts['first_partly']}"
        now = " | ".join(str(grades[grade]) for grade in GRADES)
        yield f"| {name} | {facts['how']} | {size} | {first} | {now} |"


PAGE = """# What `onnxfix explain` knows

{rows}

`benchmarks/pasted.yaml` has the messages, each with the address of its thread; `python -m benchmarks.explain` asks
them. They are all different: what is pasted most, such as a plan of another release, counts once or twice. Only
*right at first* is a figure for messages that nobody has worked on. The third set and those behind it say most, for
they were looked for by program and not by symptom: of what is rare, about a third was told at once, and one was told
wrongly. The sixth set asks for programs of which nothing had been written: 10 of 75 were told, 16 in general words,
49 not at all. Then the errors of CUDA were taken from its headers, the names of TensorRT's API from the fact base,
and what the sixth set had not been told got entries by family; the seventh set was gathered after that: 9 of 18 were
told (4 by the state before it), 3 in general words, 2 structurally (one named the wrong program), 4 not at all, none
wrongly. Four of the 9 are one error of CUDA. *Structural* answers name the program, its phase, the operators and what
finds out more, and no cause. Who wrote the explanations had gathered the messages too, had seen the sixth set's while
copying them, and graded both by what the search showed of the threads. *Right now* says that what was learnt is not
lost.
"""


def main() -> None:
    """The table, and with --list what is not right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--list", action="store_true", help="list what is not right")
    parser.add_argument("--page", type=Path, help="write the page to this file")
    options = parser.parse_args()
    asked = list(rows())
    print("\n".join(table(asked)))
    if options.list:
        print(*(f"{row.grade}: {row.line[:100]}   {row.source}" for row in asked if row.grade != "right"), sep="\n")
    if options.page:
        options.page.write_text(PAGE.format(rows="\n".join(table(asked))), encoding="utf-8")


if __name__ == "__main__":
    main()
