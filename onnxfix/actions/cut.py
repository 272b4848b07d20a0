"""The graph cut before a node: the part before it, and the rest as a model of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import some
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.part import part, reads
from onnxfix.model.scope import Scope


def cut(context: Context) -> Iterator[Proposal]:
    """One Proposal that ends the graph before the node (or all nodes of the operator) that the user names.

    What the named nodes and the nodes behind them read becomes an output; those nodes, and the outputs that they
    make, become the rest (Proposal.rest).
    """
    scope = context.main
    first = _named(scope, context.request.cut) if context.request.cut else []
    if not first:
        return
    behind = _behind(scope, first)
    before = [index for index in range(len(scope.nodes)) if index not in behind]
    crossing = _crossing(scope, before, sorted(behind))
    untyped = [name for name in crossing if _typed(scope, name) is None]
    if untyped:
        yield Proposal(f"the graph is not cut: the type of {some(untyped)} is not known", scope, first[0])
        return
    kept = [name for name in scope.outputs if _made_before(scope, name, behind)]
    if len(kept) == len(scope.outputs):
        yield Proposal("the graph is not cut: no output needs what is behind the cut", scope, first[0])
        return
    ahead, after = {*reads(scope, before), *kept}, set(reads(scope, behind))
    own = [name for name in scope.inputs if name in ahead or name not in after]
    head = part(scope, before, own, [*kept, *(name for name in crossing if name not in kept)])
    gone = [name for name in scope.outputs if name not in kept]
    rest = part(scope, sorted(behind), _read(scope, sorted(behind), crossing), gone)
    if not head.graph.node:
        yield Proposal("the graph is not cut: there is no node before the cut", scope, first[0])
        return
    if not head.graph.output:
        yield Proposal("the graph is not cut: nothing before the cut is an output or read behind it", scope, first[0])
        return
    message = f"the graph ends before {scope.nodes[first[0]].op_type}: {some(crossing)} instead of {some(gone)}"
    yield Proposal(message, scope, first[0], edits=(Edit((), model=head),), exclusive=True, rest=rest)


def _named(scope: Scope, name: str) -> list[int]:
    """The nodes of that name; else the maker of that value; else all nodes of that operator."""
    for fits in (lambda n: n.name == name, lambda n: name in n.output, lambda n: n.op_type == name):
        found = [index for index, node in enumerate(scope.nodes) if fits(node)]
        if found:
            return found
    return []


def _behind(scope: Scope, first: Sequence[int]) -> set[int]:
    """These nodes and all that read what they make."""
    found = set(first)
    pending = list(first)
    while pending:
        for name in scope.nodes[pending.pop()].output:
            for user, _ in scope.users.get(name, ()):
                if user not in found:
                    found.add(user)
                    pending.append(user)
    return found


def _made_before(scope: Scope, name: str, behind: set[int]) -> bool:
    return name not in scope.producer or scope.producer[name][0] not in behind


def _crossing(scope: Scope, before: Sequence[int], behind: Sequence[int]) -> list[str]:
    """The values that one part makes and the other reads, in the order in which they are read."""
    made = {name for index in before for name in scope.nodes[index].output if scope.constant(name) is None}
    return list(dict.fromkeys(name for name in reads(scope, behind) if name in made))


def _read(scope: Scope, behind: Sequence[int], crossing: Sequence[str]) -> list[str]:
    """The inputs of the rest: what crosses, and inputs of the whole."""
    read = set(reads(scope, behind))
    return [*crossing, *(name for name in scope.inputs if name in read)]


def _typed(scope: Scope, name: str) -> onnx.ValueInfoProto | None:
    found = scope.inferred.get(name)
    return found if found is not None and found.type.WhichOneof("value") else None
