"""One node as opset conversion looks at it: its schema, its attributes with defaults, its inputs' types and values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import onnx

from onnxfix.model.model import Array
from onnxfix.model.scope import Scope
from onnxfix.model.types import UNKNOWN, Dim, ValueType
from onnxfix.rewrite.attributes import attribute_value

LARGEST_CONSTANT = 100_000


@lru_cache(maxsize=8192)
def schema_at(op_type: str, version: int) -> onnx.defs.OpSchema | None:
    """The schema of an operator of the default domain at an opset version; None when that version has none."""
    try:
        schema = onnx.defs.get_schema(op_type, version, "")
    except onnx.defs.SchemaError:
        return None
    return None if schema.deprecated else schema


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
        known = self.schema.attributes.get(name)
        return attribute_value(known.default_value) if known and known.default_value.name else None

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
