"""Attributes of nodes: their values, their equality, and the defaults that the operator's schema gives them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import onnx


def attribute_value(attribute: onnx.AttributeProto | None) -> Any:
    """The value of an attribute as expressions see it: numbers, text, lists; None when absent."""
    if attribute is None or attribute.ref_attr_name:
        return None
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return list(value) if attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else value


def same_attribute(one: onnx.AttributeProto | None, other: onnx.AttributeProto | None) -> bool:
    """Whether two attributes have equal values; names and documentation do not count."""
    if one is None or other is None:
        return one is other
    if one.ref_attr_name or other.ref_attr_name:
        return one.ref_attr_name == other.ref_attr_name
    if one.type != other.type and {one.type, other.type} != {onnx.AttributeProto.FLOAT, onnx.AttributeProto.INT}:
        return False
    return bool(onnx.helper.get_attribute_value(one) == onnx.helper.get_attribute_value(other))


@lru_cache(maxsize=4096)
def schema_defaults(op_type: str, domain: str, version: int) -> Mapping[str, onnx.AttributeProto]:
    """The default attributes of an operator at an opset version; of a deprecated one, those of its last version."""
    for candidate in range(version, 0, -1):
        try:
            schema = onnx.defs.get_schema(op_type, candidate, domain)
        except onnx.defs.SchemaError:
            return {}
        if not schema.deprecated:
            return {n: a.default_value for n, a in schema.attributes.items() if a.default_value.name}
    return {}
