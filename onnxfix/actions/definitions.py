"""Which values a scope makes, which it may read, and which of its nodes its outputs need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

import onnx

from onnxfix.model.messages import copied
from onnxfix.model.once import once
from onnxfix.model.scope import Scope, captured

_SHOWN = 5


def holder(scope: Scope) -> int:
    """The index, in the enclosing scope, of the node that holds a subgraph."""
    return int(scope.id[-3])


def given(scope: Scope, name: str) -> bool:
    """Whether a value is there before the scope's first node: an input, a stored tensor, or one from further out."""
    return name in scope.inputs or name in scope.initializers or name in sparse(scope) or from_outside(scope, name)


def from_outside(scope: Scope, name: str) -> bool:
    """Whether an enclosing scope makes the value before the node that holds this scope."""
    while scope.parent is not None:
        place = scope.parent.producer.get(name)
        if place is not None and place[0] < holder(scope):
            return True
        scope = scope.parent
        if name in scope.inputs or name in scope.initializers or name in sparse(scope):
            return True
    return False


def exists(scope: Scope, name: str) -> bool:
    """Whether anything makes the value, in this scope or an enclosing one, whatever the order of the nodes."""
    inner: Scope | None = scope
    while inner is not None:
        if inner.defines(name) or name in sparse(inner):
            return True
        inner = inner.parent
    return False


@once
def sparse(scope: Scope) -> frozenset[str]:
    """The names of the stored sparse tensors."""
    if isinstance(scope.proto, onnx.FunctionProto) or not scope.proto.sparse_initializer:
        return frozenset()
    return frozenset(tensor.values.name for tensor in scope.proto.sparse_initializer)


@once
def made_twice(scope: Scope) -> Set[str]:
    """Values that a node makes although something made them before.

    What such a name means depends on the order of the nodes, so that producers and users say nothing reliable
    about the scope until each value has a name of its own.
    """
    before = {*scope.inputs, *scope.initializers, *sparse(scope)} & scope.producer.keys()
    if scope.parent is not None:
        before |= {name for name in scope.producer if from_outside(scope, name)}
    return before | _repeated(scope)


def _repeated(scope: Scope) -> set[str]:
    """The values that more than one node makes, or one node twice."""
    made = Counter(name for names in scope.makes for name in names if name)
    return {name for name, count in made.items() if count > 1}


@once
def dead_nodes(scope: Scope) -> Sequence[int]:
    """The nodes that no output needs; none when the scope has no output that a node of its makes."""
    made = scope.producer
    waiting = [made[name][0] for name in scope.outputs if name in made]
    if not waiting:
        return []
    live: set[int] = set()
    while waiting:
        index = waiting.pop()
        if index not in live:
            live.add(index)
            waiting += [made[name][0] for name in (*scope.reads[index], *scope.captures.get(index, ())) if name in made]
    return [index for index in range(len(scope.nodes)) if index not in live]


def reads(node: onnx.NodeProto) -> Iterable[str]:
    """The values that a node reads, those that its subgraphs take from outside included."""
    yield from filter(None, node.input)
    yield from captured(node)


def renamed_outputs(scope: Scope, names: Mapping[str, str]) -> tuple[onnx.ValueInfoProto, ...]:
    """The outputs of a graph under other names; none for a function, whose outputs are its interface."""
    outputs = []
    for output in scope.proto.output:
        if isinstance(output, onnx.ValueInfoProto):
            copy = copied(output)
            copy.name = names.get(output.name, output.name)
            outputs.append(copy)
    return tuple(outputs)


def name_of(node: onnx.NodeProto) -> str:
    """What a message calls a node."""
    return node.name or f"{node.op_type} -> {next(filter(None, node.output), '?')}"


def some(names: Sequence[str]) -> str:
    """The first few names, shortened, and how many more there are."""
    shown = ", ".join(name if len(name) <= 60 else name[:57] + "..." for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def count(names: Sequence[object], what: str) -> str:
    """`1 node`, `2 nodes`."""
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'}"
