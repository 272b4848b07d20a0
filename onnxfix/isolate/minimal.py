"""Delta debugging: a smallest part of a list that still fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

FEW = 4
"""When more items than this count, many may: the next is then looked for as near to the last as those were."""


def culprits(items: Sequence[Item], fails: Callable[[Sequence[Item]], bool]) -> list[Item]:
    """A part of `items`, in their order, that fails and of which every item counts; all `items` together fail.

    The last item of the shortest failing start is one of them; with it kept, the next is looked for in what lies
    before.  That takes about log2(n) checks for each of a few culprits, and about log2 of the distance between two for
    each of many, and at last one more for each, which shows that it cannot go.
    """
    found: list[Item] = []
    rest, step = list(items), 0
    while rest and not (found and len(found) <= FEW and fails(found)):
        start = _shortest(rest, found, fails, step if len(found) > FEW else 0)
        if not start:
            break
        found.insert(0, rest[start - 1])
        step = len(rest) - start + 1
        rest = rest[: start - 1]
    return list(thinned(found, fails, pieces=len(found)))


def _shortest(rest: Sequence[Item], found: Sequence[Item], fails: Callable[[Sequence[Item]], bool], step: int) -> int:
    """The length of the shortest start of `rest` that fails together with `found`; `rest` as a whole does.

    With a `step` it is looked for from the end, so far at first; without one it is known not to be 0.
    """
    low, high = 0, len(rest)
    while step and high:
        low = max(high - step, 0)
        if not fails([*rest[:low], *found]):
            break
        high, step = low, 2 * step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fails([*rest[:middle], *found]) else (middle, high)
    return high


def thinned(items: Sequence[Item], fails: Callable[[Sequence[Item]], bool], *, pieces: int = 2) -> Sequence[Item]:
    """Leave out pieces as long as the rest fails, at first so many, then ever smaller ones; `items` fail.

    The search goes round, and ends when each single item was tried since the last one went.
    """
    kept = list(items)
    size = -(-len(kept) // max(pieces, 1))
    place = tried = 0
    while len(kept) > 1 and tried < len(kept):
        size = min(size, len(kept) - 1)
        rest = kept[:place] + kept[place + size :]
        if rest and fails(rest):
            kept, tried = rest, 0
        else:
            place, tried = place + size, tried + size
        if place >= len(kept):
            place = 0
        if tried >= len(kept) and size > 1:
            size, place, tried = -(-size // 2), 0, 0
    return kept
