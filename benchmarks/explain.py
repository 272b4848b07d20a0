"""How many messages that people pasted into public threads `onnxfix explain` tells the cause of.

    python -m benchmarks.explain [--list] [--page docs/explain.md]

pasted.yaml has the messages with their threads, in sets that were gathered one after another.  Right is a message whose
cause is told first; partly, whose cause is told, but not first; wrong, of which something else is told.
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

from onnxfix.targets import advise

DATA = Path(__file__).with_name("pasted.yaml")
GRADES = ("right", "partly", "wrong", "nothing")


@dataclass(frozen=True)
class Row:
    """One message: its set, thread, first line, the cause that it has ("" for none that is known) and what is told."""

    set: str
    source: str
    line: str
    cause: str
    told: tuple[str, ...]

    @property
    def grade(self) -> str:
        """One of GRADES."""
        if not self.told:
            return "nothing"
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
        yield Row(message["set"], message["source"], message["text"].splitlines()[0], message["cause"], told)


def table(asked: list[Row]) -> Iterator[str]:
    """The rows of the page, a set each, with what was right when it was asked for the first time."""
    yield "| set | gathered | messages | right at first | partly at first | right now | partly | wrong | nothing |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, facts in pasted()["sets"].items():
        grades = Counter(row.grade for row in asked if row.set == name)
        size = sum(grades.values())
        first = f"{facts['first_right']} ({facts['first_right'] / size:.0%}) | {facts['first_partly']}"
        now = " | ".join(str(grades[grade]) for grade in GRADES)
        yield f"| {name} | {facts['how']} | {size} | {first} | {now} |"


PAGE = """# What `onnxfix explain` knows

{rows}

`benchmarks/pasted.yaml` has the messages, each with the address of its thread; `python -m benchmarks.explain` asks
them.  They are all different: what is pasted most, such as a plan of another release, counts once or twice.  Only
*right at first* is a figure for messages that nobody has worked on.  The third set and those behind it say most, for
they were looked for by program and not by symptom: of what is rare, about a third was told at once, and one was told
wrongly.  Who wrote the explanations had gathered the messages too, and seen the second set.  *Right now* says that what
was learnt is not lost.
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
