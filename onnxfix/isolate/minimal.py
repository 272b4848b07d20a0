"""Delta debugging: a smallest part of a list that still fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

MANY = 12
"""More items than this are not looked for one by one."""


def culprits(items: Sequence[Item], fails: Callable[[Sequence[Item]], bool]) -> list[Item]:
    """A part of `items`, in their order, that fails and of which every item counts; all `items` together fail.

    The last item of the shortest failing start is one of them; with it kept, the next is looked for in what lies
    before.  That takes about log2(n) checks for each culprit.  Where there are more than MANY, or keeping some does
    not make up for the rest, the list is halved and thinned out instead.
    """
    found: list[Item] = []
    rest = list(items)
    while rest and len(found) < MANY:
        if found and fails(found):
            return list(thinned(found, fails))
        low, high = 0, len(rest)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if fails([*rest[:middle], *found]) else (middle, high)
        found.insert(0, rest[high - 1])
        rest = rest[: high - 1]
    if rest:
        return list(thinned([*rest, *found], fails))
    return found if fails(found) else list(thinned(items, fails))


def thinned(items: Sequence[Item], fails: Callable[[Sequence[Item]], bool]) -> Sequence[Item]:
    """The classic search: leave out ever smaller pieces as long as the rest fails; `items` fail."""
    kept = list(items)
    pieces = 2
    while len(kept) > 1:
        size = -(-len(kept) // pieces)
        for start in range(0, len(kept), size):
            rest = kept[:start] + kept[start + size :]
            if rest and fails(rest):
                kept, pieces = rest, max(pieces - 1, 2)
                break
        else:
            if pieces >= len(kept):
                return kept
            pieces = min(2 * pieces, len(kept))
    return kept
