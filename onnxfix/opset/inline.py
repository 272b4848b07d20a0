"""Model-local functions put in the place of their calls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

import onnx

from onnxfix.model.messages import copied
from onnxfix.model.names import Names
from onnxfix.model.scope import subgraphs
from onnxfix.opset.expand import body_nodes

Key = tuple[str, str, str]
"""Domain, name and overload of a function."""

Functions = Mapping[Key, onnx.FunctionProto]


def functions_of(model: onnx.ModelProto) -> dict[Key, onnx.FunctionProto]:
    """The model-local functions by the names that nodes call them."""
    return {(function.domain, function.name, function.overload): function for function in model.functions}


def called(node: onnx.NodeProto) -> Key:
    """The function that a node calls, if there is one of that name."""
    return node.domain, node.op_type, node.overload


def reached(wanted: Iterable[Key], functions: Functions) -> set[Key]:
    """These functions, and all that they call."""
    return _closure(wanted, functions, lambda key: _calls(functions[key].node))


def callers_of(wanted: Iterable[Key], functions: Functions) -> set[Key]:
    """These functions, and all that call them, directly or through others."""
    callers: dict[Key, list[Key]] = {}
    for key, function in functions.items():
        for inner in set(_calls(function.node)):
            callers.setdefault(inner, []).append(key)
    return _closure(wanted, functions, lambda key: callers.get(key, ()))


def _closure(wanted: Iterable[Key], functions: Functions, beyond: Callable[[Key], Iterable[Key]]) -> set[Key]:
    """These functions, and all that `beyond` leads to from one to the next."""
    found: set[Key] = set()
    waiting = [key for key in wanted if key in functions]
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += [other for other in beyond(key) if other in functions]
    return found


def recursive(functions: Functions) -> set[Key]:
    """The functions that call themselves, directly or through others; ONNX forbids it."""
    calls = {
        key: {inner for inner in _calls(function.node) if inner in functions} for key, function in functions.items()
    }
    order = TopologicalSorter(calls)
    try:
        order.prepare()
    except CycleError:
        return {key for key in functions if key in reached(calls[key], functions)}
    return set()


def size_inlined(nodes: Iterable[onnx.NodeProto], functions: Functions) -> int:
    """The nodes that these and the bodies of all that they call are, where each call has a body of its own.

    No function may be recursive.
    """
    every = {key: list(_calls(function.node)) for key, function in functions.items()}
    sizes: dict[Key, int] = {}
    for key in TopologicalSorter({key: set(calls) & every.keys() for key, calls in every.items()}).static_order():
        sizes[key] = sum(sizes.get(inner, 1) for inner in every[key])
    return sum(sizes.get(key, 1) for key in _calls(nodes))


def inlined(model: onnx.ModelProto, wanted: Collection[Key], names: Names) -> onnx.ModelProto:
    """A copy of a model whose main graph holds the bodies of the wanted functions where it called them.

    None of them may be recursive, and their nodes must fit the operator versions of the model.  Functions that
    nobody calls any more are dropped.
    """
    result = copied(model)
    functions = functions_of(model)
    _inline(result.graph, {key: functions[key] for key in wanted}, names)
    left = reached(_calls(result.graph.node), functions)
    del result.functions[:]
    result.functions.extend(copied(function) for key, function in functions.items() if key in left)
    imported = {entry.domain for entry in result.opset_import}
    for entry in (entry for key in wanted for entry in functions[key].opset_import):
        if entry.domain not in imported:
            result.opset_import.append(entry)
            imported.add(entry.domain)
    return result


def _inline(graph: onnx.GraphProto, functions: Functions, names: Names) -> None:
    nodes = [new for node in graph.node for new in _written(node, functions, names)]
    for node in nodes:
        for _, _, inner in subgraphs(node):
            _inline(inner, functions, names)
    del graph.node[:]
    graph.node.extend(nodes)


def _written(node: onnx.NodeProto, functions: Functions, names: Names) -> Iterator[onnx.NodeProto]:
    """What stands for a node, however deep its function calls others."""
    waiting = [node]
    while waiting:
        following = waiting.pop()
        function = functions.get(called(following))
        if function is None:
            yield copied(following)
            continue
        waiting += reversed(body_nodes(following, function, {a.name: a for a in function.attribute_proto}, names))


def _calls(nodes: Iterable[onnx.NodeProto]) -> Iterator[Key]:
    for node in nodes:
        yield called(node)
        for _, _, graph in subgraphs(node):
            yield from _calls(graph.node)
