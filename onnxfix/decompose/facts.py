"""What is known about a node that is to be written in other operators."""

from __future__ import annotations

from typing import Any

import onnx

from onnxfix.model.attributes import graph_of
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD, Dim, ValueType

STANDARD_OPSET = 17
"""The version that a model gets which imports none of the standard's operators (one of ai.onnx.ml only)."""


def has_standard(scope: Scope) -> bool:
    """Whether the standard's own operators are imported, under either spelling of their domain."""
    return any(domain in scope.opsets for domain in STANDARD)


class NoRewrite(Exception):
    """Why a node cannot be written in other operators, as half a sentence: "the kernel size is not constant"."""


class Unconcerned(NoRewrite):
    """The node is none of those that the body is for, so nothing is said of it."""


class Facts:
    """`node` at `index` of `scope`, of version `opset`.  What must be known raises NoRewrite when it is not."""

    def __init__(self, scope: Scope, index: int) -> None:
        self.scope, self.index = scope, index
        self.node = scope.nodes[index]
        self.opset = scope.opset if has_standard(scope) else STANDARD_OPSET

    def has(self, position: int) -> bool:
        """Whether the node has an input there."""
        return position < len(self.node.input) and bool(self.node.input[position])

    def input(self, position: int) -> str:
        """The name of an input, "" when it is absent."""
        return self.node.input[position] if position < len(self.node.input) else ""

    def reads(self, position: int) -> bool:
        """Whether anybody reads this output."""
        name = self.node.output[position] if position < len(self.node.output) else ""
        return bool(name) and (name in self.scope.users or name in self.scope.output_set)

    def type(self, position: int) -> ValueType:
        """What is known of an input's type."""
        return self.scope.type_of(self.input(position))

    def dtype(self, position: int) -> int:
        """The element type of an input (onnx.TensorProto.DataType); must be known."""
        self.require(bool(self.type(position).dtype), f"the element type of {self.input(position)} is not known")
        return self.type(position).dtype

    def dims(self, position: int) -> tuple[Dim, ...]:
        """The sizes of an input, some perhaps symbolic or None; the rank must be known."""
        dims = self.type(position).dims
        if dims is None:
            raise NoRewrite(f"the rank of {self.input(position)} is not known")
        return dims

    def shape(self, position: int) -> tuple[int, ...]:
        """The sizes of an input; all must be known."""
        dims = self.dims(position)
        if not all(isinstance(dim, int) for dim in dims):
            raise NoRewrite(f"the shape of {self.input(position)} is not fixed: {list(dims)}")
        return tuple(dim for dim in dims if isinstance(dim, int))

    def constant(self, position: int) -> Array | None:
        """The values of an input, None when it is not a constant or absent."""
        return self.scope.array(self.input(position)) if self.has(position) else None

    def values(self, position: int, what: str) -> Array:
        """The values of an input that must be constant; `what` names it in the reason."""
        array = self.constant(position)
        if array is None:
            raise NoRewrite(f"{what} is not a constant")
        return array

    def attribute(self, name: str, default: Any = None) -> Any:
        """The attribute's value (texts as str), else the schema's default, else `default`.

        Raises NoRewrite for one that the caller of the function around the node gives.
        """
        found = next((a for a in self.node.attribute if a.name == name), None)
        if found is None:
            found = self._default(name)
        if found is None:
            return default
        self.require(not found.ref_attr_name, f"the attribute {name} is that of the function around it")
        return _text(onnx.helper.get_attribute_value(found))

    def attributes(self) -> dict[str, Any]:
        """The attributes that the node itself has, by name."""
        return {attribute.name: self.attribute(attribute.name) for attribute in self.node.attribute}

    def _default(self, name: str) -> onnx.AttributeProto | None:
        try:
            own = self.node.domain not in STANDARD
            version = self.scope.opsets.get(self.node.domain, 1) if own else self.opset
            schema = onnx.defs.get_schema(self.node.op_type, version, self.node.domain)
        except onnx.defs.SchemaError:
            return None
        known = schema.attributes.get(name)
        return known.default_value if known is not None and known.default_value.name else None

    def require(self, condition: bool, reason: str) -> None:
        """Raise NoRewrite with the reason unless the condition holds."""
        if not condition:
            raise NoRewrite(reason)

    def inner(self, attribute: str) -> Scope:
        """The scope of a graph inside the node; NoRewrite when there is none of that name."""
        self.require((self.index, attribute, 0) in self.scope.inner, f"it has no graph {attribute}")
        return self.scope.inner[self.index, attribute, 0]

    def graph(self, attribute: str) -> onnx.GraphProto:
        """A graph inside the node, as the model holds it; NoRewrite when there is none of that name."""
        self.require((self.index, attribute, 0) in self.scope.inner, f"it has no graph {attribute}")
        return graph_of(self.node, attribute)


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [item.decode("utf-8", "replace") for item in value]
    return value
