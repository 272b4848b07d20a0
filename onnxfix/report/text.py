"""Text from strangers made harmless for a terminal: one line, visible, and of bounded length."""

from __future__ import annotations

from collections.abc import Sequence

NAME = 80
SENTENCE = 500

Piece = str | tuple[str, str]
"""A text, or a text and its style ("bold red")."""

Line = Sequence[Piece]
"""One line of a report; every text in it is visible."""


def visible(text: str, limit: int = NAME) -> str:
    """`text` with every control, format and lone surrogate character written as its escape, cut to `limit`."""
    head = text[:limit]
    if not head.isprintable():
        head = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in head)
    return head if len(text) <= limit and len(head) <= limit else head[: limit - 1] + "…"


def sentence(text: str, limit: int = SENTENCE) -> str:
    """`text` on one line, every run of white space as one space, and visible."""
    return visible(" ".join(text.split()), limit)


def counted(number: int, noun: str) -> str:
    """`1 node`, `2 nodes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str], first: int) -> str:
    """The first names, and how many there are besides."""
    shown = ", ".join(visible(name) for name in names[:first])
    return f"{shown} and {len(names) - first} more" if len(names) > first else shown


def size_text(size: int) -> str:
    """Bytes in the units of file managers: 1 MB is 1,000,000 bytes."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return counted(size, "byte")
