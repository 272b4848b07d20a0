"""Sub-models that a user names: between values, or around a node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import onnx

from onnxfix.errors import OnnxfixError
from onnxfix.model.part import home_of, needed_inputs, part, reads
from onnxfix.model.scope import Scope, ScopeId, captured, name_in_paths
from onnxfix.opset.inline import called, functions_of


def between(scopes: Sequence[Scope], inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    """The nodes that make `outputs` (default: those of the graph), backwards to `inputs`, which become graph inputs.

    Other inputs of the graph that these nodes need stay inputs.  A value of a graph inside a node may be told by its
    path: "loop/body/value".  Raises OnnxfixError for a value that is not there, one of another graph or of several, an
    input that no output needs, and a value of unknown type.
    """
    scope, called = _scope_of(scopes, (*outputs, *inputs))
    goals = list(dict.fromkeys(called[name] for name in outputs) or dict.fromkeys(scope.outputs))
    starts = {called[name]: name for name in inputs}
    nodes, reached = _behind(scope, goals, set(starts))
    unused = [name for own, name in starts.items() if own not in reached]
    if unused:
        raise OnnxfixError(f"no output needs {unused[0]!r}", where=scope.model.label)
    own = [*starts, *(name for name in needed_inputs(scope, nodes, goals) if name not in starts)]
    return part(scope, nodes, own, goals)


def around(scopes: Sequence[Scope], name: str, hops: int) -> onnx.ModelProto:
    """A node (by its name, or that of a value it makes) and all nodes at most `hops` steps before or behind it.

    Its outputs are what other nodes or callers read.  Raises OnnxfixError for a node that is not there.
    """
    scope, index = find_node(scopes, name)
    nodes = neighbours(scope, [index], hops)
    return part(scope, nodes, needed_inputs(scope, nodes), ends(scope, nodes))


def find_node(scopes: Sequence[Scope], name: str) -> tuple[Scope, int]:
    """The node of that name, or else the one that makes the value of that name.

    In a graph inside a node either may be told by its path: "loop/body/value".  Raises OnnxfixError for a name that is
    not there, or not in one place only.
    """
    for fits in (lambda node, own: node.name == own, lambda node, own: own in node.output):
        found = [
            (scope, index)
            for scope in scopes
            for own in _own_names(scope, name)
            for index, node in enumerate(scope.nodes)
            if fits(node, own)
        ]
        if found:
            _refuse_ambiguous(name, [scope for scope, _ in found])
            return _typed(found[0][0]), found[0][1]
    _refuse_in_function(scopes, name)
    raise OnnxfixError(f"no node is called {name!r}", where=scopes[0].model.label, hint="`onnxfix show` lists names")


def _own_names(scope: Scope, name: str) -> Iterator[str]:
    """What the bearer of a name may be called in a graph: that name, and that without the path of the graph."""
    if name:
        yield name
    if scope.label and name.startswith(f"{scope.label}/"):
        yield name.removeprefix(f"{scope.label}/")


def _refuse_ambiguous(name: str, homes: Sequence[Scope]) -> None:
    """Raises OnnxfixError when a name is in several graphs, none of which is the main one."""
    labels = list(dict.fromkeys(scope.label for scope in homes))
    if len(labels) > 1 and "" not in labels:
        paths = ", ".join(f"{label}/{name}" for label in labels[:5])
        raise OnnxfixError(
            f"{name!r} is in {len(labels)} graphs", where=homes[0].model.label, hint=f"name one: {paths}"
        )


def _refuse_in_function(scopes: Sequence[Scope], name: str) -> None:
    """Raises OnnxfixError for what `check --run` calls by the path of a node that calls a function: "call/value"."""
    functions = functions_of(scopes[0].model.proto)
    for scope in scopes if functions else ():
        for index, node in enumerate(scope.nodes):
            path = "/".join(filter(None, (scope.label, name_in_paths(node, index))))
            if name.startswith(f"{path}/") and called(node) in functions:
                raise OnnxfixError(_UNTYPED, where=name, hint=f"name {path}, which calls the function")


_UNTYPED = "values inside a function have no types, so nothing can be cut out of it"


def neighbours(scope: Scope, start: Iterable[int], hops: int, *, both: bool = True) -> list[int]:
    """These nodes and those at most `hops` steps before or, with `both`, behind them, in order.

    Constants are not counted.
    """
    found = set(start)
    edge = set(found)
    for _ in range(hops):
        made = {name for index in edge for name in scope.nodes[index].output if name}
        before = {scope.producer[name][0] for name in reads(scope, edge) if name in scope.producer}
        behind = {user for name in made for user, _ in scope.users.get(name, ()) if both}
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


def _scope_of(scopes: Sequence[Scope], names: Sequence[str]) -> tuple[Scope, dict[str, str]]:
    """The graph that the values belong to, from which all of them can be seen, and what each is called there.

    Raises OnnxfixError when there is none, or more than one.
    """
    homes = {
        name: {scope.id: own for scope in scopes for own in _own_names(scope, name) if scope.defines(own)}
        for name in names
    }
    for name, found in homes.items():
        if not found:
            _refuse_in_function(scopes, name)
            raise OnnxfixError(f"there is no value {name!r}", where=scopes[0].model.label)
    own_homes = {scope_id for found in homes.values() for scope_id in found}
    fitting = []
    for scope in scopes:
        seen = {name: _seen(scope, found) for name, found in homes.items()}
        if all(seen.values()) and (scope.id in own_homes or not names):
            fitting.append((scope, seen))
    if not fitting:
        name = next(name for name, found in homes.items() if not _seen(scopes[0], found))
        raise OnnxfixError(f"the value {name!r} is in another graph than the others", where=scopes[0].model.label)
    _refuse_ambiguous(names[0] if names else "", [scope for scope, _ in fitting])
    return _typed(fitting[0][0]), fitting[0][1]


def _seen(scope: Scope, homes: Mapping[ScopeId, str]) -> str:
    """What a value with these homes is called in a graph, "" where it is not to be seen."""
    for own in dict.fromkeys(homes.values()):
        home = home_of(scope, own)
        if home is not None and homes.get(home.id) == own:
            return own
    return ""


def _typed(scope: Scope) -> Scope:
    if scope.is_function:
        raise OnnxfixError(
            _UNTYPED,
            where=scope.label,
            hint="name the node that calls the function",
        )
    return scope
