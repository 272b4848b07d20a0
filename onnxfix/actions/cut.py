"""The graph cut before a node: the part before it, and the rest as a model of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import some
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope, captured


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
    ahead, after = {*_reads(scope, before), *kept}, set(_reads(scope, behind))
    own = [name for name in scope.inputs if name in ahead or name not in after]
    head = _part(context, before, own, [*kept, *(name for name in crossing if name not in kept)])
    gone = [name for name in scope.outputs if name not in kept]
    rest = _part(context, sorted(behind), _read(scope, sorted(behind), crossing), gone)
    if not head.graph.node:
        yield Proposal("the graph is not cut: there is no node before the cut", scope, first[0])
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


def _reads(scope: Scope, indexes: Iterable[int]) -> Iterator[str]:
    for index in indexes:
        yield from (name for name in scope.nodes[index].input if name)
        yield from sorted(captured(scope.nodes[index]))


def _crossing(scope: Scope, before: Sequence[int], behind: Sequence[int]) -> list[str]:
    """The values that one part makes and the other reads, in the order in which they are read."""
    made = {name for index in before for name in scope.nodes[index].output}
    stored = {name for name in made if scope.constant(name) is not None}
    return list(dict.fromkeys(name for name in _reads(scope, behind) if name in made - stored))


def _read(scope: Scope, behind: Sequence[int], crossing: Sequence[str]) -> list[str]:
    """The inputs of the rest: what crosses, and inputs of the whole."""
    read = set(_reads(scope, behind))
    return [*crossing, *(name for name in scope.inputs if name in read)]


def _typed(scope: Scope, name: str) -> onnx.ValueInfoProto | None:
    found = scope.inferred.get(name)
    return found if found is not None and found.type.WhichOneof("value") else None


def _part(context: Context, nodes: Sequence[int], inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    """A model of these nodes, with the stored tensors and constants that they need."""
    scope, graph = context.main, context.model.proto.graph
    proto = copied(context.model.proto)
    declared = {value.name: value for value in (*graph.output, *graph.input)}
    read = {*_reads(scope, nodes), *outputs}
    made = {name for index in nodes for name in scope.nodes[index].output}
    constants = [scope.producer[name][0] for name in read - made if name in scope.producer and scope.constant(name)]
    kept = sorted({*nodes, *constants})
    del proto.graph.node[:], proto.graph.input[:], proto.graph.output[:], proto.graph.initializer[:]
    proto.graph.node.extend(graph.node[index] for index in kept)
    proto.graph.input.extend(_value(scope, declared, name) for name in inputs)
    proto.graph.output.extend(_value(scope, declared, name) for name in outputs)
    proto.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name in {*read, *inputs})
    infos = [value for value in graph.value_info if value.name in made and value.name not in outputs]
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(infos)
    return proto


def _value(scope: Scope, declared: dict[str, onnx.ValueInfoProto], name: str) -> onnx.ValueInfoProto:
    return declared.get(name) or scope.inferred[name]
