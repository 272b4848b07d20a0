"""One node as opset conversion looks at it: its schema, its attributes with defaults, its inputs' types and values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import onnx
from onnx.defs import OpSchema

from onnxfix.model.model import Array
from onnxfix.model.scope import Scope
from onnxfix.model.types import UNKNOWN, Dim, ValueType
from onnxfix.rewrite.attributes import attribute_value

LARGEST_CONSTANT = 100_000


@lru_cache(maxsize=8192)
def schema_at(op_type: str, version: int) -> onnx.defs.OpSchema | None:
    """The schema of an operator of the default domain at an opset version; None when that version has none.

    Versions that share a schema give the same object.
    """
    try:
        schema = onnx.defs.get_schema(op_type, version, "")
    except onnx.defs.SchemaError:
        return None
    if schema.deprecated:
        return None
    return schema if schema.since_version == version else schema_at(op_type, schema.since_version)


Option = OpSchema.FormalParameterOption


@dataclass(frozen=True)
class Formal:
    """An input or output in a schema: `allowed` are its types as schemas write them, `group` those that must agree."""

    name: str
    required: bool
    variadic: bool
    group: str
    shared: bool
    allowed: frozenset[str]


@dataclass(frozen=True)
class Signature:
    """What a schema says, read out of the library once: for each attribute whether it is required and its default."""

    inputs: tuple[Formal, ...]
    outputs: tuple[Formal, ...]
    attributes: Mapping[str, tuple[bool, onnx.AttributeProto | None]]
    types: Mapping[str, OpSchema.AttrType]


@cache
def signature(schema: OpSchema) -> Signature:
    """What a schema says; `types` are those of the attributes."""
    groups = {c.type_param_str: frozenset(c.allowed_type_strs) for c in schema.type_constraints}
    attributes = {name: (a.required, a.default_value) for name, a in schema.attributes.items()}
    return Signature(
        _formals(schema.inputs, groups),
        _formals(schema.outputs, groups),
        {name: (required, value if value.name else None) for name, (required, value) in attributes.items()},
        {name: attribute.type for name, attribute in schema.attributes.items()},
    )


def _formals(formals: Sequence[OpSchema.FormalParameter], groups: Mapping[str, frozenset[str]]) -> tuple[Formal, ...]:
    return tuple(
        Formal(
            formal.name,
            formal.option == Option.Single,
            formal.option == Option.Variadic,
            formal.type_str,
            not (formal.option == Option.Variadic and not formal.is_homogeneous),
            groups.get(formal.type_str, frozenset({formal.type_str})),
        )
        for formal in formals
    )


@cache
def changes(op_type: str, version: int, other: int) -> bool:
    """Whether an operator is another one in another version, or missing in one of them."""
    one, two = schema_at(op_type, version), schema_at(op_type, other)
    return one is None or two is None or one.since_version != two.since_version


@dataclass(frozen=True)
class View:
    """A node of the default domain whose operator exists (as `schema`) in the opset of its scope."""

    scope: Scope
    node: onnx.NodeProto
    schema: onnx.defs.OpSchema

    def attribute(self, name: str) -> Any:
        """The value of an attribute, or its default, or None.  A reference to a function's attribute is None too."""
        for attribute in self.node.attribute:
            if attribute.name == name:
                return attribute_value(attribute)
        return attribute_value(signature(self.schema).attributes.get(name, (False, None))[1])

    def has(self, position: int) -> bool:
        """Whether an input is given."""
        return position < len(self.node.input) and bool(self.node.input[position])

    def kind(self, position: int) -> ValueType:
        """The type of an input, as far as it is known."""
        return self.scope.type_of(self.node.input[position]) if self.has(position) else UNKNOWN

    def dims(self, position: int) -> tuple[Dim, ...] | None:
        """The shape of an input; None when its rank is unknown."""
        return self.kind(position).dims

    def constant(self, position: int) -> Array | None:
        """The values of an input that is a small constant, else None."""
        tensor = self.scope.constant(self.node.input[position]) if self.has(position) else None
        if tensor is None or math.prod(tensor.dims) > LARGEST_CONSTANT:
            return None
        return self.scope.model.array(tensor)

    def used(self, position: int) -> bool:
        """Whether an output is read by anybody."""
        name = self.node.output[position] if position < len(self.node.output) else ""
        return bool(name) and (name in self.scope.users or name in self.scope.output_set)
