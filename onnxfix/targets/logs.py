"""A log as it is searched: colours and repeats taken out, wrapped lines joined, of bounded size; places are kept."""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self, TextIO

LONGEST = 1 << 16
"""Characters of one line; what is longer counts as several lines."""

DISTINCT = 1 << 20
"""Characters of different lines that are kept as they come; then only lines that tell of trouble are, as many again."""

JOINED = 1 << 19
"""Characters of lines joined again that are kept."""

_EXACT = 1 << 16
"""Behind so many characters lines that differ in their digits only count as repeats: counters, times, addresses."""

_NO_DIGITS = str.maketrans("", "", "0123456789")
_COLOUR = re.compile(r"(?:\x1b|\^\[|\ufffd)\[[\d;?]*[A-Za-z]|\[\d{1,3}(?:;\d{1,3})*m|\x1b\][^\x07]*\x07")
_CLOCK = re.compile(r"^[\W\d]*\d{1,4}[/:.-]\d[\d/:. T-]*")
_TROUBLE = re.compile(
    r"error|fail|\[[EWF]\]|warn|assert|unsupported|not |cannot|can't|invalid|exception|import|memory|skip|plugin",
    re.IGNORECASE,
)
_HEAD = re.compile(
    r"\s{2}|[\[({<>#*=&-]|\d+[:/.-]|\w+ *(?:\[\w+\])?:|[EWI]\d{4} |[\w.]*(?:Error|Warning)\b"
    r"|Traceback|During |While |In (?:node|function)"
)
"""How a line begins that no terminal made of the one before it."""

_WRAPPED = 60
"""Characters that a line has at least when a terminal or a mail program broke it."""


@dataclass(frozen=True, slots=True)
class Log:
    """What is searched of a log.

    `text` has the different lines; `numbers` are their places in the log (from 1), `counts` how many lines of the log
    each stands for (0 for a joined one, which repeats others).  `lines` are all lines read, `dropped` those that
    neither stand in `text` nor repeat one that does, `more` whether the log goes on behind what was read.
    """

    text: str
    numbers: tuple[int, ...]
    counts: tuple[int, ...]
    lines: int
    dropped: int = 0
    more: bool = False
    _starts: tuple[int, ...] = ()

    @classmethod
    def of(cls, text: str) -> Self:
        """The log that a string holds."""
        return cls.read(io.StringIO(text, None))

    @classmethod
    def read(cls, stream: TextIO, most: int | None = None) -> Self:
        """The log that a stream holds, of which at most `most` characters are read."""
        lines = _Lines()
        read, number = 0, 0
        while (most is None or read < most) and (line := stream.readline(LONGEST)):
            read, number = read + len(line), number + 1
            lines.add(line.rstrip("\r\n"), number)
        lines.end_paragraph()
        more = most is not None and read >= most and bool(stream.read(1))
        starts = [0]
        for line in lines.kept:
            starts.append(starts[-1] + len(line) + 1)
        return cls(
            "\n".join(lines.kept), tuple(lines.numbers), tuple(lines.counts), number, lines.dropped, more, tuple(starts)
        )

    def places(self, positions: Iterable[int]) -> tuple[int, int]:
        """(first line, number of lines) of the log for positions in `text`."""
        found = {bisect_right(self._starts, position) - 1 for position in positions}
        return min(self.numbers[index] for index in found), max(1, sum(self.counts[index] for index in found))


class _Lines:
    """The different lines of a log as they are gathered."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.numbers: list[int] = []
        self.counts: list[int] = []
        self.dropped = 0
        self._size = self._joined = 0
        self._places: dict[str, int] = {}
        self._paragraph: list[str] = []
        self._paragraph_number = 0

    def add(self, raw: str, number: int) -> None:
        """One line, without its end."""
        line = _COLOUR.sub("", raw) if "\x1b" in raw or "[" in raw else raw
        self._wrap(line, number)
        key = _CLOCK.sub("", line, count=1)
        if self._size > _EXACT:
            key = key.translate(_NO_DIGITS)
        if (place := self._places.get(key)) is not None:
            self.counts[place] += 1
        elif self._size < DISTINCT or (self._size < 2 * DISTINCT and _TROUBLE.search(line)):
            self._places[key] = len(self.kept)
            self._size += len(line) + 1
            self._keep(line, number, 1)
        else:
            self.dropped += 1

    def _keep(self, line: str, number: int, count: int) -> None:
        self.kept.append(line)
        self.numbers.append(number)
        self.counts.append(count)

    def _wrap(self, line: str, number: int) -> None:
        """Gathers lines that one message was broken into."""
        if self._paragraph and (len(self._paragraph[-1]) < _WRAPPED or not line or _HEAD.match(line)):
            self.end_paragraph()
        if not self._paragraph:
            self._paragraph_number = number
        self._paragraph.append(line)
        if len(self._paragraph) > _LINES:
            self.end_paragraph()

    def end_paragraph(self) -> None:
        """The lines joined without and with a space, for terminals break words and mail programs do not."""
        if len(self._paragraph) > 1 and self._joined < JOINED:
            for joined in _joined(self._paragraph):
                if _TROUBLE.search(joined):
                    self._joined += len(joined)
                    self._keep(joined, self._paragraph_number, 0)
        self._paragraph = []


_LINES = 20
"""Lines that one message is broken into at most."""


def _joined(lines: list[str]) -> Iterator[str]:
    yield "".join(lines)
    yield " ".join(line.strip() for line in lines)
