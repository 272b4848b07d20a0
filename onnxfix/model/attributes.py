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


_CONSTANT_LISTS = {"value_float": 1, "value_floats": 1, "value_int": 7, "value_ints": 7}


def constant_tensor(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The tensor of a Constant node, whichever attribute holds it; None when it is sparse, text or a reference."""
    if len(node.attribute) != 1 or node.attribute[0].ref_attr_name:
        return None
    attribute = node.attribute[0]
    if attribute.name == "value":
        return attribute.t
    if attribute.name in _CONSTANT_LISTS:
        value = onnx.helper.get_attribute_value(attribute)
        dims = [len(value)] if attribute.name.endswith("s") else []
        values = value if attribute.name.endswith("s") else [value]
        return onnx.helper.make_tensor(node.output[0], _CONSTANT_LISTS[attribute.name], dims, values)
    return None
