"""Nodes that share a name, or have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import count, some
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope


def unique_node_names(context: Context) -> Iterable[Proposal]:
    """One proposal per scope: the first node keeps a shared name, the others and the nameless get new ones."""
    for scope in context.scopes:
        seen: set[str] = set()
        found = [index for index, node in enumerate(scope.nodes) if _repeats(node.name, seen)]
        if found:
            shared = [scope.nodes[index].name for index in found if scope.nodes[index].name]
            message = f"{count(found, 'node')} without a name"
            if shared:
                message = f"{count(found, 'node')} without a name of {'its' if len(found) == 1 else 'their'} own"
                message += f": {some(list(dict.fromkeys(shared)))}"
            yield Proposal(message, scope, found[0], edits=tuple(_named(context, scope, found)))


def _repeats(name: str, seen: set[str]) -> bool:
    if not name or name in seen:
        return True
    seen.add(name)
    return False


def _named(context: Context, scope: Scope, found: list[int]) -> Iterable[Edit]:
    times: Counter[str] = Counter()
    for index in found:
        copy = copied(scope.nodes[index])
        wish = copy.name or copy.op_type
        times[wish] += 1
        copy.name = context.names.fresh(f"{wish}_{times[wish]}")
        yield Edit(scope.id, (index,), (copy,))
