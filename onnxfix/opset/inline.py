"""Model-local functions put in the place of their calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

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
    found: set[Key] = set()
    waiting = [key for key in wanted if key in functions]
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += [inner for inner in _calls(functions[key].node) if inner in functions]
    return found


def recursive(key: Key, functions: Functions) -> bool:
    """Whether a function calls itself, directly or through others; ONNX forbids it."""
    return key in reached(_calls(functions[key].node), functions)


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
    function = functions.get(called(node))
    if function is None:
        yield copied(node)
        return
    for inner in body_nodes(node, function, {a.name: a for a in function.attribute_proto}, names):
        yield from _written(inner, functions, names)


def _calls(nodes: Iterable[onnx.NodeProto]) -> Iterator[Key]:
    for node in nodes:
        yield called(node)
        for _, _, graph in subgraphs(node):
            yield from _calls(graph.node)
