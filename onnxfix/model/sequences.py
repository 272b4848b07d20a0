"""Sequences and optionals whose elements are known before running, as lists of values.

Nothing is computed: a list is read off the operators that build it (ONNX operator spec, the Sequence and Optional
operators).
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD

LISTS = frozenset(
    {
        *("SequenceConstruct", "SequenceEmpty", "SequenceInsert", "SequenceErase", "SequenceAt", "SequenceLength"),
        *("SequenceMap", "SplitToSequence", "ConcatFromSequence"),
        *("Optional", "OptionalGetElement", "OptionalHasElement"),
    }
)
"""The operators on sequences and optionals; no TensorRT knows one of them."""


class Unknown(Exception):
    """Why the elements of a sequence are not known, as half a sentence."""


def elements(scope: Scope, name: str) -> list[str]:
    """The values in a sequence, first to last.  Raises Unknown."""
    node, place = _maker(scope, name)
    if node is None or node.domain not in STANDARD:
        raise Unknown(f"how many elements {name} has is known only when the model runs")
    match node.op_type:
        case "SequenceEmpty":
            return []
        case "SequenceConstruct":
            return list(node.input)
        case "Identity" | "Optional" | "OptionalGetElement" if node.input:
            return elements(place, node.input[0])
        case "SequenceInsert":
            items = elements(place, node.input[0])
            position = _position(place, node, 2, len(items), default=len(items), last=len(items))
            return [*items[:position], node.input[1], *items[position:]]
        case "SequenceErase":
            items = elements(place, node.input[0])
            position = _position(place, node, 1, len(items), default=len(items) - 1, last=len(items) - 1)
            return [*items[:position], *items[position + 1 :]]
    raise Unknown(f"{name} is made by {node.op_type}")


def content(scope: Scope, name: str) -> str | None:
    """The value in an optional, None when it is empty.  What is no optional is its own content.  Raises Unknown."""
    if scope.type_of(name).kind not in ("optional", "tensor"):
        return name
    node, place = _maker(scope, name)
    if node is not None and node.domain in STANDARD:
        if node.op_type == "Optional":
            return node.input[0] if node.input and node.input[0] else None
        if node.op_type == "Identity":
            return content(place, node.input[0])
    if scope.type_of(name).kind == "tensor" and scope.type_of(name).dtype:
        return name
    raise Unknown(f"whether {name} holds a value is known only when the model runs")


def position(scope: Scope, node: onnx.NodeProto, place: int, items: Sequence[str], default: int) -> int:
    """The index that input `place` of a node selects among the items, counted from the front.  Raises Unknown."""
    return _position(scope, node, place, len(items), default, last=len(items) - 1)


def _position(scope: Scope, node: onnx.NodeProto, place: int, count: int, default: int, last: int) -> int:
    """A constant index in [-count, last]; `default` where the input is absent."""
    if place >= len(node.input) or not node.input[place]:
        return default
    array = scope.array(node.input[place])
    if array is None:
        raise Unknown(f"the position in {node.op_type} is not a constant")
    value = int(array.reshape(-1)[0])
    if not -count <= value <= last:
        raise Unknown(f"the position {value} is outside the {count} elements")
    return value + count if value < 0 else value


def _maker(scope: Scope, name: str) -> tuple[onnx.NodeProto | None, Scope]:
    """The node that makes a value, and the scope in which it lies."""
    while name not in scope.producer:
        if scope.parent is None or scope.defines(name):
            return None, scope
        scope = scope.parent
    return scope.nodes[scope.producer[name][0]], scope
