"""Which parts of a picture are shown at first, and which are folded into one box.

Between two parts that are shown, in one topological order, lies a run of parts that can be folded without making a
cycle: a path between two parts of a run leads through that run only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

Ends = Sequence[tuple[int, int]]
"""(maker, reader) of each edge."""

ALL = 250
"""Pictures up to so many parts are shown as they are."""

_PIECE, _RADIUS = 80, 2


@dataclass(frozen=True)
class Fold:
    """A box for many parts.  `parent` is the number of the fold that must be open before this one is seen, or -1."""

    parent: int
    parts: list[int]


def folds(count: int, ends: Ends, marked: Sequence[int], ports: Sequence[int] = ()) -> list[Fold]:
    """The folds of a picture, parents first; `marked` are the parts to show, the most important first.

    Around what is marked its neighbours are shown, as far as about 250 boxes allow; `ports` are shown too.  A long
    run opens into pieces of 80 parts (more in a very large picture), and a piece into its parts.
    """
    if count <= ALL:
        return []
    near: list[list[int]] = [[] for _ in range(count)]
    for maker, reader in ends:
        near[maker].append(reader)
        near[reader].append(maker)
    shown = _surroundings(near, marked[:ALL]) | set(ports)
    limit = max(_PIECE, count // ALL)
    found: list[Fold] = []
    for run in _runs(_order(count, ends), shown):
        for group in _groups(run, near):
            whole = len(group) <= limit
            parent = len(found) if marked and not whole else -1
            if parent >= 0 or (whole and len(group) > 1):
                found.append(Fold(-1, group))
            if not whole:
                found += (Fold(parent, group[start : start + limit]) for start in range(0, len(group), limit))
    return found


def _surroundings(near: Sequence[Collection[int]], marked: Sequence[int]) -> set[int]:
    """What is marked, and its neighbours up to two steps while there is room."""
    shown = set(marked)
    for _ in range(_RADIUS):
        wider = shown | {other for part in shown for other in near[part]}
        if len(wider) > ALL:
            break
        shown = wider
    return shown


def _order(count: int, ends: Ends) -> list[int]:
    """A topological order that goes into the depth first, so that branches stay together; cycles are cut somewhere."""
    readers: list[list[int]] = [[] for _ in range(count)]
    for maker, reader in ends:
        readers[maker].append(reader)
    seen, done = [False] * count, list[int]()
    for root in range(count - 1, -1, -1):
        if seen[root]:
            continue
        seen[root] = True
        path = [(root, iter(readers[root]))]
        while path:
            part, rest = path[-1]
            following = next((reader for reader in rest if not seen[reader]), None)
            if following is None:
                done.append(part)
                path.pop()
            else:
                seen[following] = True
                path.append((following, iter(readers[following])))
    return done[::-1]


def _runs(order: Sequence[int], shown: Collection[int]) -> Iterator[list[int]]:
    """What lies between shown parts."""
    run: list[int] = []
    for part in order:
        if part in shown:
            yield run
            run = []
        else:
            run.append(part)
    yield run


def _groups(run: Sequence[int], near: Sequence[Collection[int]]) -> Iterator[list[int]]:
    """The parts of a run that hang together, in the order of the run."""
    inside, heads = set(run), dict[int, int]()
    for start in run:
        if start in inside:
            inside.remove(start)
            waiting = [start]
            while waiting:
                part = waiting.pop()
                heads[part] = start
                found = {other for other in near[part] if other in inside}
                inside -= found
                waiting += found
    groups: dict[int, list[int]] = {}
    for part in run:
        groups.setdefault(heads[part], []).append(part)
    yield from groups.values()
