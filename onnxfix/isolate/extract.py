"""Sub-models that a user names: between values, or around a node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx

from onnxfix.errors import OnnxfixError
from onnxfix.model.part import home_of, needed_inputs, part, reads
from onnxfix.model.scope import Scope, captured


def between(scopes: Sequence[Scope], inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    """The nodes that make `outputs` (default: those of the graph), backwards to `inputs`, which become graph inputs.

    Other inputs of the graph that these nodes need stay inputs.  Raises OnnxfixError for a value that is not there,
    one of another graph, an input that no output needs, and a value of unknown type.
    """
    scope = _scope_of(scopes, (*outputs, *inputs))
    goals = list(dict.fromkeys(outputs or scope.outputs))
    nodes, reached = _behind(scope, goals, set(inputs))
    unused = [name for name in inputs if name not in reached]
    if unused:
        raise OnnxfixError(f"no output needs {unused[0]!r}", where=scope.model.label)
    own = [*dict.fromkeys(inputs), *(name for name in needed_inputs(scope, nodes, goals) if name not in inputs)]
    return part(scope, nodes, own, goals)


def around(scopes: Sequence[Scope], name: str, hops: int) -> onnx.ModelProto:
    """A node (by its name, or that of a value it makes) and all nodes at most `hops` steps before or behind it.

    Its outputs are what other nodes or callers read.  Raises OnnxfixError for a node that is not there.
    """
    scope, index = find_node(scopes, name)
    nodes = neighbours(scope, [index], hops)
    return part(scope, nodes, needed_inputs(scope, nodes), ends(scope, nodes))


def find_node(scopes: Sequence[Scope], name: str) -> tuple[Scope, int]:
    """The node of that name, or else the one that makes the value of that name. Raises OnnxfixError."""
    for fits in (lambda node: node.name == name, lambda node: name in node.output):
        for scope in scopes:
            for index, node in enumerate(scope.nodes):
                if name and fits(node):
                    return _typed(scope), index
    raise OnnxfixError(f"no node is called {name!r}", where=scopes[0].model.label, hint="`onnxfix show` lists names")


def neighbours(scope: Scope, start: Iterable[int], hops: int) -> list[int]:
    """These nodes and those at most `hops` steps before or behind them, Constants not counted, in order."""
    found = set(start)
    edge = set(found)
    for _ in range(hops):
        made = {name for index in edge for name in scope.nodes[index].output if name}
        before = {scope.producer[name][0] for name in reads(scope, edge) if name in scope.producer}
        behind = {user for name in made for user, _ in scope.users.get(name, ())}
        edge = {index for index in (before | behind) - found if scope.nodes[index].op_type != "Constant"}
        found |= edge
    return sorted(found)


def ends(scope: Scope, nodes: Iterable[int]) -> list[str]:
    """What others read of what these nodes make: nodes outside, callers, or nobody at all."""
    chosen = set(nodes)
    names = [name for index in sorted(chosen) for name in scope.nodes[index].output if name]
    return [
        name
        for name in names
        if name in scope.output_set
        or not scope.users.get(name)
        or any(user not in chosen for user, _ in scope.users[name])
    ]


def _behind(scope: Scope, goals: Iterable[str], stop: set[str]) -> tuple[list[int], set[str]]:
    """The nodes that make the goals out of `stop`, and all values that were met."""
    found: set[int] = set()
    met: set[str] = set()
    pending = list(goals)
    while pending:
        name = pending.pop()
        if name in met:
            continue
        met.add(name)
        place = scope.producer.get(name)
        if place is None or name in stop or place[0] in found:
            continue
        found.add(place[0])
        node = scope.nodes[place[0]]
        pending += [*(entry for entry in node.input if entry), *captured(node)]
    return sorted(found), met


def _scope_of(scopes: Sequence[Scope], names: Sequence[str]) -> Scope:
    """The innermost graph that the values belong to, from which all of them can be seen."""
    homes = {name: next((scope for scope in scopes if scope.defines(name)), None) for name in names}
    for name, home in homes.items():
        if home is None:
            raise OnnxfixError(f"there is no value {name!r}", where=scopes[0].model.label)
    inner = max((home for home in homes.values() if home is not None), key=lambda home: len(home.id), default=scopes[0])
    for name in names:
        if home_of(inner, name) is None:
            raise OnnxfixError(f"the value {name!r} is in another graph than the others", where=inner.label)
    return _typed(inner)


def _typed(scope: Scope) -> Scope:
    if scope.is_function:
        raise OnnxfixError(
            "values inside a function have no types, so nothing can be cut out of it",
            where=scope.label,
            hint="name the node that calls the function",
        )
    return scope
