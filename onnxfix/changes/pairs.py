"""The matched nodes of two graphs, and whether their inputs correspond."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from onnxfix.changes.graph import Graph, Source


@dataclass
class Pairs:
    """The matched nodes, both ways, and those matched since somebody last asked."""

    left: dict[int, int] = field(default_factory=dict)
    right: dict[int, int] = field(default_factory=dict)
    fresh: list[tuple[int, int]] = field(default_factory=list)

    def add(self, a: int, b: int) -> None:
        """Match two nodes that are free."""
        self.left[a], self.right[b] = b, a
        self.fresh.append((a, b))

    def free(self, a: int, b: int) -> bool:
        """Whether neither is matched."""
        return a not in self.left and b not in self.right

    def exchange(self, a: int, other: int) -> None:
        """Two matched nodes of the first graph take each other's partner."""
        b, partner = self.left[a], self.left[other]
        self.left[a], self.left[other] = partner, b
        self.right[b], self.right[partner] = other, a

    def ordered(self) -> list[tuple[int, int]]:
        """The pairs in the order of the second graph."""
        return sorted(self.left.items(), key=lambda pair: pair[1])


def rewired(pairs: Pairs, one: Source, two: Source) -> bool:
    """Whether two sources differ although all nodes concerned are matched; constants are compared elsewhere."""
    if one.slot is not None and one.slot[0] not in pairs.left:
        return False
    if two.slot is not None and two.slot[0] not in pairs.right:
        return False
    if one.slot is not None and two.slot is not None:
        return (pairs.left[one.slot[0]], one.slot[1]) != two.slot
    if one.kind == two.kind == "constant":
        return False
    return one.kind != two.kind or one.key != two.key


def rewired_places(one: Graph, two: Graph, pairs: Pairs, a: int, b: int) -> Iterator[int]:
    """The inputs of a matched node that come from other values than before."""
    ones, twos = one.sources[a], two.sources[b]
    absent = one.source("")
    for place in range(max(len(ones), len(twos))):
        first = ones[place] if place < len(ones) else absent
        second = twos[place] if place < len(twos) else absent
        if rewired(pairs, first, second):
            yield place


def related(one: Graph, two: Graph, pairs: Pairs, a: int, b: int) -> bool:
    """Whether something around two nodes speaks for their match, or nothing against it."""
    makers = [s.slot[0] for s in one.sources[a] if s.slot is not None and s.slot[0] in pairs.left]
    others = {s.slot[0] for s in two.sources[b] if s.slot is not None and s.slot[0] in pairs.right}
    readers = [reader for reader in _readers(one, a) if reader in pairs.left]
    theirs = {reader for reader in _readers(two, b) if reader in pairs.right}
    if any(pairs.left[maker] in others for maker in makers) or any(pairs.left[reader] in theirs for reader in readers):
        return True
    return not (makers and others) and not (readers and theirs)


def _readers(graph: Graph, index: int) -> Iterator[int]:
    for slot in range(len(graph.scope.nodes[index].output)):
        yield from (reader for reader, _ in graph.readers.get((index, slot), ()))
