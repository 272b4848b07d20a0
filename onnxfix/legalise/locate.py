"""Which node a message of the parser or the builder is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import onnx

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
    """By name and operator; without a name by operator and place, which counts from the start of the node's own graph.

    Where neither fits, every node of the operator without a name is meant.
    """
    alike = [
        (scope, index)
        for scope in scopes
        for index, node in enumerate(scope.nodes)
        if error["op_type"] in ("", node.op_type)
    ]
    named = [(scope, index) for scope, index in alike if error["node"] in _names(scope.nodes[index])]
    placed = [(scope, index) for scope, index in alike if index == error["index"] and not error["node"]]
    unnamed = [(scope, index) for scope, index in alike if error["op_type"] and not scope.nodes[index].name]
    return [(scope, index, error["message"]) for scope, index in named or placed or unnamed]


def _mentioned(scopes: Sequence[Scope], message: str) -> Iterator[Place]:
    """The nodes whose layers the text names; a layer that is one of several for a node ends in a number."""
    words = {word.strip(".:") for word in _WORDS.findall(message)}
    words |= set(re.findall(r"\[ONNX Layer: ([^\]]+)\]", message))
    words |= {re.sub(r"_\d+$", "", word) for word in words}
    for scope in scopes:
        for index, node in enumerate(scope.nodes):
            if words & _names(node):
                yield scope, index, message


def _names(node: onnx.NodeProto) -> set[str]:
    first = next(iter(node.output), "")
    return {name for name in (node.name, f"node_of_{first}" if first and not node.name else "") if name}
