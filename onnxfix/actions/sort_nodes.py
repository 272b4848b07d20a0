"""Nodes that stand before the nodes whose values they read, and cycles, which no order can mend."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import count, made_twice, name_of, reads, some
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.order import misplaced_in, sorted_nodes
from onnxfix.model.scope import Scope


def sort_nodes(context: Context) -> Iterable[Proposal]:
    """Put the nodes of each scope in an order in which every value is made before it is read."""
    for scope, late, order, stuck in _unsorted(context):
        if not stuck:
            names = [name_of(scope.nodes[index]) for index in late]
            edit = Edit(scope.id, remove=tuple(order), insert=tuple(scope.nodes[index] for index in order))
            message = f"{count(late, 'node')} before the nodes whose values they read: {some(names)}"
            yield Proposal(message, scope, late[0], edits=(edit,))


def find_cycles(context: Context) -> Iterable[Proposal]:
    """Tell one cycle of each scope that has any."""
    for scope, _, _, stuck in _unsorted(context):
        if stuck:
            cycle = _cycle(scope, stuck)
            names = " -> ".join(name_of(scope.nodes[index]) for index in cycle[:20])
            rest = f" … ({len(cycle)} nodes)" if len(cycle) > 20 else f" -> {name_of(scope.nodes[cycle[0]])}"
            yield Proposal(f"these nodes need each other's values: {names}{rest}", scope, cycle[0])


def _unsorted(context: Context) -> Iterable[tuple[Scope, list[int], list[int], Collection[int]]]:
    """Scopes with misplaced nodes: (scope, the misplaced, the sorted order, the nodes that no order can place)."""
    for scope in context.scopes:
        late = misplaced_in(scope)
        if late and not made_twice(scope):
            order, stuck = sorted_nodes(scope.nodes)
            yield scope, late, order, stuck


def _cycle(scope: Scope, stuck: Collection[int]) -> list[int]:
    """One cycle as the values flow, from its first node; each stuck node has a stuck producer, so going back closes."""
    path: dict[int, None] = {}
    index = min(stuck)
    while index not in path:
        path[index] = None
        producers = (scope.producer[name][0] for name in reads(scope.nodes[index]) if name in scope.producer)
        index = next(producer for producer in producers if producer in stuck)
    walked = list(path)
    cycle = walked[walked.index(index) :][::-1]
    first = cycle.index(min(cycle))
    return [*cycle[first:], *cycle[:first]]
