"""Model-local functions that share their name with a standard operator or with each other get names of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import onnx

from onnxfix.actions.context import Context
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.messages import copied
from onnxfix.model.scope import subgraphs
from onnxfix.opset.inline import Functions, Key, called, functions_of


def unique_function_names(context: Context) -> Iterator[Proposal]:
    """One Proposal for all such functions; their calls follow them."""
    functions = functions_of(context.model.proto)
    renamed = _renamed(functions)
    if not renamed:
        return
    model = copied(context.model.proto)
    for key, function in zip(functions, model.functions, strict=True):
        function.name = renamed.get(key, function.name)
        _follow(function.node, renamed)
    _follow(model.graph.node, renamed)
    names = ", ".join(f"{name} of {domain}" for domain, name, _ in renamed)
    message = f"TensorRT goes by the name alone, and {names} is not the only operator of its name"
    yield Proposal(message, context.main, edits=(Edit((), model=model),), exclusive=True)


def _renamed(functions: Functions) -> dict[Key, str]:
    """New names: for a namesake of a standard operator, and for all but the first of functions of one name."""
    taken = {name for _, name, _ in functions}
    seen: set[str] = set()
    new: dict[Key, str] = {}
    for key in functions:
        domain, name, _ = key
        if name in seen or onnx.defs.has(name):
            new[key] = _fresh(re.sub(r"\W", "_", f"{domain}_{name}"), taken)
        seen.add(name)
    return new


def _fresh(wish: str, taken: set[str]) -> str:
    name, count = wish, 0
    while name in taken or onnx.defs.has(name):
        count += 1
        name = f"{wish}_{count}"
    taken.add(name)
    return name


def _follow(nodes: Iterable[onnx.NodeProto], renamed: Mapping[Key, str]) -> None:
    for node in nodes:
        node.op_type = renamed.get(called(node), node.op_type)
        for _, _, graph in subgraphs(node):
            _follow(graph.node, renamed)
