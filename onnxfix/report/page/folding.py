"""Which parts of a picture are shown at first, and which are folded into one box.

Between two parts that are shown, in one topological order, lies a run of parts that can be folded without making a
cycle: a path between two parts of a run leads through that run only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

Ends = Sequence[tuple[int, int]]
"""(maker, reader) of each edge."""

ALL = 250
"""Pictures up to so many parts are shown as they are."""

_PIECE, _RADIUS, _BOXES, _PORTS = 80, 2, 300, 40
_ATTEMPTS = ((ALL, True), (120, True), (50, True), (20, True), (20, False), (0, False))
"""How many marked parts are shown, and whether a fold must hang together: the first that gives few enough boxes."""

Near = Sequence[Collection[int]]
"""For each part its neighbours."""


@dataclass(frozen=True)
class Fold:
    """A box for many parts.  `parent` is the number of the fold that must be open before this one is seen, or -1."""

    parent: int
    parts: list[int]


def folds(
    count: int, ends: Ends, marked: Sequence[int], ports: Sequence[int] = (), *, nested: bool = True
) -> list[Fold]:
    """The folds of a picture, parents first; `marked` are the parts to show, the most important first.

    Around what is marked its neighbours are shown, and `ports` too, as far as about 300 boxes allow.  With `nested`
    a long run opens into pieces of 80 parts (more in a very large picture), without it such pieces are what is shown.
    """
    if count <= ALL:
        return []
    near: list[list[int]] = [[] for _ in range(count)]
    for maker, reader in ends:
        near[maker].append(reader)
        near[reader].append(maker)
    order = _order(count, ends)
    found: list[Fold] = []
    for most, together in _ATTEMPTS:
        shown = _surroundings(near, marked[:most]) | set(ports[: min(most, _PORTS)])
        groups = (group for run in _runs(order, shown) for group in (_groups(run, near) if together else [run]))
        found = list(_folds(groups, max(_PIECE, count // ALL), nested=nested))
        hidden = [len(fold.parts) for fold in found if fold.parent < 0]
        if count - sum(hidden) + len(hidden) <= _BOXES:
            break
    return found


def _folds(groups: Iterable[Sequence[int]], limit: int, *, nested: bool) -> Iterator[Fold]:
    """A fold for each group, and with `nested` one around the pieces of a long group."""
    number = 0
    for group in groups:
        pieces = [list(group[start : start + limit]) for start in range(0, len(group), limit)]
        parent = number if nested and len(pieces) > 1 else -1
        found = [Fold(-1, list(group))] * (parent >= 0) + [Fold(parent, piece) for piece in pieces if len(piece) > 1]
        yield from found
        number += len(found)


def _surroundings(near: Near, marked: Sequence[int]) -> set[int]:
    """What is marked, and its neighbours up to two steps while there is room."""
    shown = set(marked)
    for _ in range(_RADIUS):
        wider = shown | {other for part in shown for other in near[part]}
        if len(wider) > ALL:
            break
        shown = wider
    return shown


def _order(count: int, ends: Ends) -> list[int]:
    """A topological order in which a part comes when it is first needed, so that branches stay together.

    Cycles are cut somewhere.
    """
    makers: list[list[int]] = [[] for _ in range(count)]
    needed = [False] * count
    for maker, reader in ends:
        makers[reader].append(maker)
        needed[maker] = True
    seen, order = [False] * count, list[int]()
    for root in sorted(range(count), key=needed.__getitem__):
        if seen[root]:
            continue
        seen[root] = True
        path = [(root, iter(makers[root]))]
        while path:
            part, rest = path[-1]
            following = next((maker for maker in rest if not seen[maker]), None)
            if following is None:
                order.append(part)
                path.pop()
            else:
                seen[following] = True
                path.append((following, iter(makers[following])))
    return order


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


def _groups(run: Sequence[int], near: Near) -> Iterator[list[int]]:
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
