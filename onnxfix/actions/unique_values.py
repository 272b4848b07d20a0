"""Values that are made more than once: each definition gets a name of its own.

The nodes of a file run in their order, so that a reader means the last definition before it, and a graph's output
means the last of all.  Where that order cannot be trusted, the names are told and left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import count, given, made_twice, reads, renamed_outputs, some
from onnxfix.model.edit import Edit, Proposal, rename_uses
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope


def unique_values(context: Context) -> Iterable[Proposal]:
    """One proposal per scope, the innermost first: what an inner graph means by a name must be settled before the
    name changes outside."""
    for scope in reversed(context.scopes):
        twice = made_twice(scope)
        if not twice:
            continue
        unclear = sorted(_unclear(scope, twice))
        message = f"{count(sorted(twice), 'value')} made more than once: {some(unclear or sorted(twice))}"
        if unclear:
            yield Proposal(f"{message}; nothing tells which is meant", scope, value=unclear[0])
        else:
            yield Proposal(message, scope, value=min(twice), edits=tuple(_renamed(context, scope, twice)))


def _unclear(scope: Scope, twice: Set[str]) -> Set[str]:
    """The names that cannot be told apart; all of them when any node reads a value before it is made."""
    made: set[str] = set()
    for node in scope.nodes:
        if any(name in scope.producer and name not in made and not given(scope, name) for name in reads(node)):
            return twice
        made.update(node.output)
    within_one_node = {name for node in scope.nodes for name in twice & set(node.output) if _repeats(node, name)}
    return within_one_node | {name for name in twice & scope.output_set if given(scope, name) and _fixed(scope)}


def _repeats(node: onnx.NodeProto, name: str) -> bool:
    return list(node.output).count(name) > 1


def _fixed(scope: Scope) -> bool:
    """Whether the names of the scope's outputs belong to its interface; those of a subgraph do not."""
    return scope.is_function or scope.parent is None


def _renamed(context: Context, scope: Scope, names: Set[str]) -> Iterable[Edit]:
    keepers = _keepers(scope, names)
    current: dict[str, str] = {}
    times: Counter[str] = Counter()
    for index, node in enumerate(scope.nodes):
        makes = names & set(node.output)
        if not makes and not any(name in current for name in reads(node)):
            continue
        copy = copied(node)
        rename_uses(copy, {name: current[name] for name in reads(node) if name in current})
        for name in sorted(makes):
            times[name] += 1
            fresh = keepers.get(name) != index
            current[name] = context.names.fresh(f"{name}_{times[name]}") if fresh else name
            copy.output[list(node.output).index(name)] = current[name]
        if copy != node:
            yield Edit(scope.id, (index,), (copy,))
    moved = {name: current[name] for name in scope.outputs if current.get(name, name) != name}
    if moved:
        yield Edit(scope.id, drop_outputs=tuple(scope.outputs), outputs=renamed_outputs(scope, moved))


def _keepers(scope: Scope, names: Set[str]) -> dict[str, int]:
    """The node whose definition keeps the name: the last one for an output, else the first.

    None does when the name is given from elsewhere, or when the file declares a type for it, which may be meant
    for any of the definitions.
    """
    declared = {value.name for value in scope.proto.value_info}
    keepers: dict[str, int] = {}
    for index, node in enumerate(scope.nodes):
        for name in names & set(node.output):
            if name in scope.output_set or name not in keepers:
                keepers[name] = index
    return {
        name: index
        for name, index in keepers.items()
        if not given(scope, name) and (name in scope.output_set or name not in declared)
    }
