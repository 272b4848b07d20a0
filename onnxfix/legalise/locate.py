"""Which node a message of the parser or the builder is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from onnxfix.model.scope import Scope

Place = tuple[Scope, int, str]

_WORDS = re.compile(r"[^\s\[\]{}()'\",;]+")


def located(scopes: Sequence[Scope], errors: Iterable[Mapping[str, Any]]) -> tuple[list[Place], list[Place]]:
    """(nodes that the parser refuses, nodes that the builder refuses), each with the message.

    `errors` are EngineErrors as dicts.  The parser names operator, node and place; it calls a node without a name
    after its first output.  The builder mentions layers, which have the names of their nodes, in its text.
    """
    parse: list[Place] = []
    build: list[Place] = []
    for error in errors:
        if error["stage"] == "parse":
            parse += _named(scopes, error)
        else:
            build += _mentioned(scopes, error["message"])
    return parse, build


def _named(scopes: Sequence[Scope], error: Mapping[str, Any]) -> list[Place]:
    found = [
        (scope, index, error["message"])
        for scope in scopes
        for index, node in enumerate(scope.nodes)
        if node.op_type == error["op_type"] and error["node"] in _names(node)
    ]
    if found:
        return found
    main, index = scopes[0], error["index"]
    if 0 <= index < len(main.nodes) and error["op_type"] in ("", main.nodes[index].op_type):
        return [(main, index, error["message"])]
    return []


def _mentioned(scopes: Sequence[Scope], message: str) -> Iterator[Place]:
    words = set(_WORDS.findall(message)) | set(re.findall(r"\[ONNX Layer: ([^\]]+)\]", message))
    for scope in scopes:
        for index, node in enumerate(scope.nodes):
            if words & _names(node):
                yield scope, index, message


def _names(node: Any) -> set[str]:
    first = next(iter(node.output), "")
    return {name for name in (node.name, f"node_of_{first}" if first and not node.name else "") if name}
