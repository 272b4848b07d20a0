"""Attributes of nodes, read by name and type.  One of another type than asked for reads as protobuf's empty value."""

from __future__ import annotations

from typing import Any

import onnx


def attribute_of(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """The value as onnx.helper reads it (texts as bytes), or `default`.

    The default is also what one gets for an attribute that the caller of the function around the node gives.
    """
    given = (a for a in node.attribute if a.name == name and not a.ref_attr_name)
    return next(map(onnx.helper.get_attribute_value, given), default)


def integer_of(node: onnx.NodeProto, name: str, default: int = 0) -> int:
    """A whole number, or `default`."""
    return next((a.i for a in node.attribute if a.name == name), default)


def integers_of(node: onnx.NodeProto, name: str) -> list[int] | None:
    """A list of whole numbers, or None."""
    return next((list(a.ints) for a in node.attribute if a.name == name), None)


def graph_of(node: onnx.NodeProto, name: str) -> onnx.GraphProto:
    """The graph inside a node, to read or to change; StopIteration when there is none of that name."""
    return next(a.g for a in node.attribute if a.name == name)
