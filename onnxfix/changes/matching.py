"""Which node of one graph is which of the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from onnxfix.changes.graph import Graph
from onnxfix.changes.pairs import Pairs, related
from onnxfix.changes.prints import Prints, Rings, Shade, backward, content, forward, outline, own
from onnxfix.changes.refine import Refinement

RADIUS = 3
"""So many steps around a node are looked at."""

_CERTAIN = 3
"""The first prints, those of whole graphs, are all used before edges are followed: an edge may lead astray."""

_STRONG = _CERTAIN + RADIUS
"""The prints that see more than a node and its neighbours."""

Inner = Mapping[int, int]

Look = Callable[[int], int]
"""The print of a node of one graph."""


def match_nodes(one: Graph, two: Graph, inner: tuple[Inner, Inner]) -> Pairs:
    """Match nodes from the strongest evidence to the weakest.

    First nodes that compute the same and are needed for the same; then those of which one side holds, or whose
    surroundings are the same; then the same without the values of constants; each time followed along the edges.
    What is there only once on both sides comes before what is there several times.  Nodes that read nothing but
    constants are told by their readers first: many of them are alike.
    """
    pairs = Pairs()
    contents = own(one, content, inner[0]), own(two, content, inner[1])
    _by_prints(one, two, pairs, content, inner, contents)
    if not _complete(one, two, pairs):
        outlines = own(one, outline, inner[0]), own(two, outline, inner[1])
        _by_prints(one, two, pairs, outline, inner, outlines)
        _follow(one, two, pairs, one.operators, two.operators, again=True)
        _groups(one, two, pairs, contents[0].__getitem__, contents[1].__getitem__, contents, last=True, weak=True)
        _by_name(one, two, pairs)
        _follow(one, two, pairs, one.operators, two.operators)
    Refinement(one, two, pairs, contents).run()
    return pairs


def _by_prints(
    one: Graph, two: Graph, pairs: Pairs, shade: Shade, inner: tuple[Inner, Inner], labels: tuple[Prints, Prints]
) -> None:
    """Match by prints, from the strictest on, until no node of one graph is left."""
    ones, twos = _prints(one, shade, inner[0], labels[0]), _prints(two, shade, inner[1], labels[1])
    for first, last in ((0, _STRONG), (_STRONG, len(ones))):
        for number in range(first, last):
            _unique(one, two, pairs, ones[number], twos[number], weak=number >= _STRONG)
            if number + 1 >= _CERTAIN:
                _follow(one, two, pairs, *labels)
            if _complete(one, two, pairs):
                return
        for number in range(first, last):
            _groups(one, two, pairs, ones[number], twos[number], labels, weak=number >= _STRONG)
            if _complete(one, two, pairs):
                return


def _prints(graph: Graph, shade: Shade, inner: Inner, label: Prints) -> list[Look]:
    """Prints from the strictest on: of whole graphs, of rings around a node, of the node."""
    made, used = forward(graph, shade, inner), backward(graph, shade, inner)
    rings = Rings(graph, label, RADIUS)
    return [
        lambda index: graph.keys.of("both", made[index], used[index]),
        made.__getitem__,
        used.__getitem__,
        *(partial(rings.at, radius) for radius in range(RADIUS, 0, -1)),
        rings.around,
        label.__getitem__,
    ]


def _complete(one: Graph, two: Graph, pairs: Pairs) -> bool:
    return len(pairs.left) == min(len(one.order), len(two.order))


def _unique(one: Graph, two: Graph, pairs: Pairs, ones: Look, twos: Look, *, weak: bool) -> None:
    """Match what is there once in both; `weak` evidence counts where nothing around the nodes speaks against it."""
    right = _buckets(twos, pairs.right, two.order)
    for key, group in _buckets(ones, pairs.left, one.order).items():
        if len(group) == len(right.get(key, ())) == 1:
            a, b = group[0], right[key][0]
            if not weak or related(one, two, pairs, a, b):
                pairs.add(a, b)


def _groups(
    one: Graph,
    two: Graph,
    pairs: Pairs,
    ones: Look,
    twos: Look,
    labels: tuple[Prints, Prints],
    *,
    weak: bool,
    last: bool = False,
) -> None:
    """Match what is as often in the one as in the other: by name where names agree, else in order.

    Edges are followed after each pair, so that branches that are alike do not get mixed.  Nodes that read nothing but
    constants are left for the `last` call.
    """
    left, right = (
        _buckets(look, matched, (index for index in graph.order if last or index not in graph.still))
        for graph, look, matched in ((one, ones, pairs.left), (two, twos, pairs.right))
    )
    for key, group in left.items():
        others = right.get(key, [])
        if len(group) == len(others):
            for a, b in itertools.chain(_named(one, two, group, others), _rest(pairs, group, others)):
                if pairs.free(a, b) and (not weak or a in one.still or related(one, two, pairs, a, b)):
                    pairs.add(a, b)
                    _follow(one, two, pairs, *labels)


def _buckets(look: Look, matched: Mapping[int, int], order: Iterable[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for index in order:
        if index not in matched:
            found.setdefault(look(index), []).append(index)
    return found


def _named(one: Graph, two: Graph, group: list[int], others: list[int]) -> Iterator[tuple[int, int]]:
    names = {_name(two, index): index for index in others} if len(group) > 1 else {}
    yield from ((a, names[_name(one, a)]) for a in group if _name(one, a) in names)


def _rest(pairs: Pairs, group: list[int], others: list[int]) -> Iterator[tuple[int, int]]:
    """What is free, looked up when it is asked for."""
    free = (b for b in others if b not in pairs.right)
    for a in group:
        if a not in pairs.left:
            b = next(free, None)
            if b is None:
                return
            yield a, b


def _follow(one: Graph, two: Graph, pairs: Pairs, ones: Prints, twos: Prints, *, again: bool = False) -> None:
    """From matched nodes to the nodes before and behind them that are alike."""
    waiting = list(pairs.left.items()) if again else pairs.fresh
    pairs.fresh = []
    while waiting:
        a, b = waiting.pop()
        for source, other in zip(one.sources[a], two.sources[b], strict=False):
            if source.slot and other.slot and source.slot[1] == other.slot[1]:
                _try(pairs, source.slot[0], other.slot[0], ones, twos)
        for slot in range(min(len(one.scope.nodes[a].output), len(two.scope.nodes[b].output))):
            _readers(one.readers.get((a, slot), []), two.readers.get((b, slot), []), pairs, ones, twos)
        waiting += pairs.fresh
        pairs.fresh = []


def _try(pairs: Pairs, a: int, b: int, ones: Prints, twos: Prints) -> None:
    if pairs.free(a, b) and ones[a] == twos[b]:
        pairs.add(a, b)


def _readers(
    ones: list[tuple[int, int]], twos: list[tuple[int, int]], pairs: Pairs, left: Prints, right: Prints
) -> None:
    """Match the readers of one value that are the only ones of their kind and place on both sides."""
    groups: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
    for index, place in ones:
        if index not in pairs.left:
            groups.setdefault((place, left[index]), ([], []))[0].append(index)
    for index, place in twos:
        if index not in pairs.right:
            groups.setdefault((place, right[index]), ([], []))[1].append(index)
    for group, others in groups.values():
        if len(group) == len(others) == 1:
            _try(pairs, group[0], others[0], left, right)


def _by_name(one: Graph, two: Graph, pairs: Pairs) -> None:
    """Nodes of one operator and one name that nothing else matched."""
    names = {_name(two, index): index for index in two.order if index not in pairs.right}
    for a in one.order:
        b = names.get(_name(one, a))
        if b is not None and pairs.free(a, b) and one.operators[a] == two.operators[b]:
            pairs.add(a, b)


def _name(graph: Graph, index: int) -> tuple[str, str]:
    node = graph.scope.nodes[index]
    return node.name, next(iter(node.output), "")
