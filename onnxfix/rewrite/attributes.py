"""Attributes of nodes: their values, their equality, and the defaults that the operator's schema gives them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import onnx

from onnxfix.model.scope import Scope
from onnxfix.rewrite.expression import Unknown
from onnxfix.rewrite.rule import PatternNode


def attribute_value(attribute: onnx.AttributeProto | None) -> Any:
    """The value of an attribute as expressions see it: numbers, text, lists; None when absent."""
    if attribute is None or attribute.ref_attr_name:
        return None
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.STRINGS:
        return [item.decode("utf-8", "replace") for item in value]
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
    if one.type == onnx.AttributeProto.TENSOR:
        return _same_tensor(one.t, other.t)
    return bool(onnx.helper.get_attribute_value(one) == onnx.helper.get_attribute_value(other))


def _same_tensor(one: onnx.TensorProto, other: onnx.TensorProto) -> bool:
    """Whether two inline tensors hold equal values, however they are stored; one on disk equals only itself."""
    if (one.data_type, list(one.dims)) != (other.data_type, list(other.dims)):
        return False
    if onnx.TensorProto.EXTERNAL in (one.data_location, other.data_location):
        return list(one.external_data) == list(other.external_data)
    return bool(np.array_equal(onnx.numpy_helper.to_array(one), onnx.numpy_helper.to_array(other)))


_SINGLE = {
    onnx.AttributeProto.INT: int,
    onnx.AttributeProto.FLOAT: int | float,
    onnx.AttributeProto.STRING: str,
    onnx.AttributeProto.TENSOR: onnx.TensorProto,
}
_LISTS = {
    onnx.AttributeProto.INTS: int,
    onnx.AttributeProto.FLOATS: int | float,
    onnx.AttributeProto.STRINGS: str,
}


def made_attribute(wanted: onnx.AttributeProto, value: Any) -> onnx.AttributeProto | None:
    """The attribute of the name and type of `wanted` with a computed value; None for None.

    Raises Unknown when the value is not of that type.
    """
    if value is None:
        return None
    if wanted.type in _LISTS:
        fits = isinstance(value, list) and all(isinstance(item, _LISTS[wanted.type]) for item in value)
    else:
        fits = isinstance(value, _SINGLE.get(wanted.type, ()))
    if not fits:
        kind = onnx.AttributeProto.AttributeType.Name(wanted.type)
        raise Unknown(f"the attribute {wanted.name} of type {kind} cannot be {value!r:.60}")
    value = float(value) if wanted.type == onnx.AttributeProto.FLOAT else value
    try:
        return onnx.helper.make_attribute(wanted.name, value, attr_type=wanted.type)
    except ValueError:
        raise Unknown(f"the attribute {wanted.name} cannot hold {value!r:.60}") from None


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


def equal_constant(scope: Scope, pattern: PatternNode, value: str) -> bool:
    """Whether a value is a constant with the numbers and the shape of a pattern's Constant.

    Element types may differ, and a scalar equals a list of one number.
    """
    tensor = scope.constant(value)
    if tensor is None:
        return False
    wanted = onnx.numpy_helper.to_array(pattern.literals["value"].t)
    if tuple(tensor.dims) != wanted.shape and not (len(tensor.dims) <= 1 >= wanted.ndim and wanted.size == 1):
        return False
    return bool(np.array_equal(scope.model.array(tensor).reshape(-1), wanted.reshape(-1)))
