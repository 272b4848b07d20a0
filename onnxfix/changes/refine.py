"""Matched nodes that look alike may have been confused: they take each other's partner where fewer changes remain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onnxfix.changes.graph import Graph, Source
from onnxfix.changes.pairs import Pairs, rewired, rewired_places
from onnxfix.changes.prints import Prints

_ROUNDS, _READERS, _CANDIDATES, _CHAIN = 3, 64, 8, 16


@dataclass(frozen=True)
class Refinement:
    """`contents` tell what each node is together with its constants."""

    one: Graph
    two: Graph
    pairs: Pairs
    contents: tuple[Prints, Prints]

    def run(self) -> None:
        """Exchange the partners of nodes of one operator as long as that leaves fewer changes.

        Of two matches that leave as many changes the one with more equal names is taken.
        """
        for _ in range(_ROUNDS):
            wrong = [a for a in sorted(self.pairs.left) if self._rewired(a)]
            tried: set[tuple[int, int]] = set()
            better = [self._improved(a, tried) for a in wrong]
            if not any(better):
                return

    def _improved(self, a: int, tried: set[tuple[int, int]]) -> bool:
        """Try the exchanges that may help `a`; one that was `tried` in this round for another reader is left out."""
        for first, second in (*self._makers(a), *self._candidates(a)[:_CANDIDATES]):
            if (first, second) in tried:
                continue
            tried.add((first, second))
            steps = [[pair, *self._feeders(*pair)] for pair in self._chain(first, second)]
            members = {node for step in steps for pair in step for node in pair}
            near = self._near(members)
            best, least = 0, self._cost(members, near)
            for length, step in enumerate(steps, 1):
                self._exchange(step)
                cost = self._cost(members, near)
                if cost < least:
                    best, least = length, cost
            for step in steps[best:]:
                self._exchange(step)
            if best:
                return True
        return False

    def _exchange(self, step: Sequence[tuple[int, int]]) -> None:
        for first, second in step:
            self.pairs.exchange(first, second)

    def _makers(self, a: int) -> list[tuple[int, int]]:
        """What makes an input of `a`, and what its partner should be: the partner of a node that is like it."""
        found = []
        for source, wanted in zip(self.one.sources[a], self.two.sources[self.pairs.left[a]], strict=False):
            if source.slot is not None and wanted.slot is not None:
                p, q = source.slot[0], self.pairs.right.get(wanted.slot[0])
                if q is not None and p in self.pairs.left and self._alike(p, q):
                    found.append((p, q))
        return found

    def _candidates(self, a: int) -> list[tuple[int, int]]:
        """`a` and nodes like it whose partner reads what the partner of `a` should read."""
        found = []
        for place, source in enumerate(self.one.sources[a]):
            if source.slot is not None and source.slot[0] in self.pairs.left:
                wanted = self.pairs.left[source.slot[0]], source.slot[1]
                for b, other in self.two.readers.get(wanted, [])[:_READERS]:
                    if other == place and b in self.pairs.right and self._alike(a, self.pairs.right[b]):
                        found.append((a, self.pairs.right[b]))
        return found

    def _alike(self, a: int, other: int) -> bool:
        return a != other and self.one.operators[a] == self.one.operators[other]

    def _chain(self, a: int, other: int) -> list[tuple[int, int]]:
        """The two nodes, and behind them those that are the only readers and alike."""
        chain = [(a, other)]
        while len(chain) < _CHAIN:
            ones, twos = self._readers(chain[-1][0]), self._readers(chain[-1][1])
            if len(ones) != 1 or len(twos) != 1 or not self._alike(ones[0], twos[0]):
                break
            if not {ones[0], twos[0]} <= self.pairs.left.keys() or (ones[0], twos[0]) in chain:
                break
            chain.append((ones[0], twos[0]))
        return chain

    def _feeders(self, a: int, other: int) -> list[tuple[int, int]]:
        """What only `a` reads, and what would have to be exchanged along with it: constants made by nodes, say."""
        found: list[tuple[int, int]] = []
        waiting = [(a, other)]
        while waiting and len(found) < _CHAIN:
            first, second = waiting.pop()
            for source, wanted in zip(self.one.sources[first], self.two.sources[self.pairs.left[second]], strict=False):
                if source.slot is None or wanted.slot is None:
                    continue
                p, q = source.slot[0], self.pairs.right.get(wanted.slot[0], -1)
                fitting = q >= 0 and self._alike(p, q) and p in self.pairs.left and self._readers(p) == [first]
                if fitting and (p, q) not in found and (q, p) not in found:
                    found.append((p, q))
                    waiting.append((p, q))
        return found

    def _readers(self, a: int) -> list[int]:
        slots = range(len(self.one.scope.nodes[a].output))
        return list(dict.fromkeys(reader for slot in slots for reader, _ in self.one.readers.get((a, slot), ())))

    def _near(self, members: set[int]) -> set[int]:
        """The nodes whose inputs an exchange can put right or wrong."""
        near = {*members, *(reader for node in members for reader in self._readers(node))}
        for node in members:
            b = self.pairs.left[node]
            for slot in range(len(self.two.scope.nodes[b].output)):
                near.update(self.pairs.right.get(r, -1) for r, _ in self.two.readers.get((b, slot), ()))
        return near & self.pairs.left.keys()

    def _cost(self, members: set[int], near: set[int]) -> tuple[int, int]:
        """(changes, names that differ)."""
        left = self.pairs.left
        changes = sum(self._rewired(node) for node in near)
        changes += sum(self.contents[0][node] != self.contents[1][left[node]] for node in members)
        changes += sum(self._ends(members))
        names = sum(self.one.scope.nodes[n].output[:1] != self.two.scope.nodes[left[n]].output[:1] for n in members)
        return changes, names

    def _ends(self, members: set[int]) -> Iterator[bool]:
        """For each output of the graph that a member makes, whether it is another value now."""
        twos = self.two.numbered_results
        for member in members:
            for _, number, slot in self.one.made_results.get(member, ()):
                if number in twos:
                    yield rewired(self.pairs, Source("node", slot), twos[number][1])

    def _rewired(self, a: int) -> bool:
        return any(True for _ in rewired_places(self.one, self.two, self.pairs, a, self.pairs.left[a]))
