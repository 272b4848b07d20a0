"""Topological order: stable, linear, and honest about cycles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from heapq import heapify, heappop, heappush

import onnx

from onnxfix.model.once import once
from onnxfix.model.scope import Scope, captured


def misplaced(nodes: Sequence[onnx.NodeProto]) -> list[int]:
    """Indexes of nodes that read a value before the node that makes it."""
    made_at = {name: index for index, node in enumerate(nodes) for name in node.output}
    held = {index: captured(node) for index, node in enumerate(nodes) if node.attribute}
    return _late(made_at, [node.input for node in nodes], held)


@once
def misplaced_in(scope: Scope) -> list[int]:
    """Indexes of the nodes of a scope that read a value before the node that makes it."""
    made_at = {name: index for index, names in enumerate(scope.makes) for name in names}
    return _late(made_at, scope.reads, scope.captures)


def _late(made_at: dict[str, int], reads: Sequence[Sequence[str]], held: Mapping[int, Collection[str]]) -> list[int]:
    made_at.pop("", None)
    late = {index for index, names in enumerate(reads) for name in names if made_at.get(name, -1) >= index}
    late |= {index for index, names in held.items() for name in names if made_at.get(name, -1) >= index}
    return sorted(late)


def sorted_nodes(nodes: Sequence[onnx.NodeProto]) -> tuple[list[int], Collection[int]]:
    """(indexes in topological order, indexes of the nodes on or behind a cycle); ties keep their order."""
    made_by = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    waiting: dict[int, int] = {}
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        needs = {made_by[name] for name in (*node.input, *captured(node)) if name in made_by}
        waiting[index] = len(needs)
        for producer in needs:
            readers.setdefault(producer, []).append(index)
    ready = [index for index, count in waiting.items() if not count]
    heapify(ready)
    order: list[int] = []
    while ready:
        index = heappop(ready)
        order.append(index)
        for reader in readers.get(index, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heappush(ready, reader)
    return order, set(waiting) - set(order)
