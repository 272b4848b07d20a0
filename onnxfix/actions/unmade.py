"""Values that are read, or leave a graph, although nothing makes them."""

from __future__ import annotations

from collections.abc import Iterable

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import count, dead_nodes, exists, holder, made_twice, name_of, reads, some
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.once import once
from onnxfix.model.scope import Scope, ScopeId


def find_unmade_inputs(context: Context) -> Iterable[Proposal]:
    """Nodes that read a value nothing makes.  Those that no output needs are removed, with all that reads them."""
    dead: dict[ScopeId, set[int]] = {}
    for scope in context.scopes:
        if scope.parent is not None and holder(scope) in dead[scope.parent.id]:
            dead[scope.id] = set(range(len(scope.nodes)))  # goes with its node
            continue
        dead[scope.id] = set() if made_twice(scope) else set(dead_nodes(scope))
        yield from _live_readers(scope, dead[scope.id])
        yield from _dead_readers(scope, dead[scope.id])


def find_unmade_outputs(context: Context) -> Iterable[Proposal]:
    """Outputs that nothing makes.  To take one off the main graph, when it has others, is shown only."""
    for scope in context.scopes:
        unmade = [name for name in scope.outputs if not exists(scope, name)]
        for name in unmade:
            curable = not scope.id and len(unmade) < len(scope.outputs)
            edits = (Edit(scope.id, drop_outputs=(name,)),) if curable else ()
            yield Proposal(f"nothing makes output {name}", scope, value=name, edits=edits, applicability="display")


@once
def _missing(scope: Scope) -> frozenset[str]:
    """The values that nodes here read, or graphs inside them, and that nothing makes."""
    return frozenset(name for name in scope.users if name not in scope.producer and not exists(scope, name))


def _live_readers(scope: Scope, dead: set[int]) -> Iterable[Proposal]:
    readers = {
        name: [(index, position) for index, position in scope.users[name] if position >= 0 and index not in dead]
        for name in _missing(scope)
    }
    for live, name in sorted((live, name) for name, live in readers.items() if live):
        names = [name_of(scope.nodes[index]) for index, _ in live]
        yield Proposal(f"nothing makes {name}, which {some(names)} needs", scope, live[0][0], name)


def _dead_readers(scope: Scope, dead: set[int]) -> Iterable[Proposal]:
    lost = [index for index in sorted(dead) if not _missing(scope).isdisjoint(reads(scope.nodes[index]))]
    if lost:
        names = [name_of(scope.nodes[index]) for index in lost]
        message = f"{count(lost, 'node')} that no output needs read values that nothing makes: {some(names)}"
        yield Proposal(message, scope, lost[0], edits=(Edit(scope.id, remove=tuple(_and_all_readers(scope, lost))),))


def _and_all_readers(scope: Scope, start: list[int]) -> list[int]:
    """The given nodes and every node that needs a value of theirs."""
    found: set[int] = set()
    waiting = list(start)
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += [reader for name in scope.nodes[index].output for reader, _ in scope.users.get(name, ())]
    return sorted(found)
