"""One node under the knife: what is known about it, and a builder of the nodes that replace it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx

from onnxfix.model.bodies import Inlined
from onnxfix.model.edit import Edit, rename_uses
from onnxfix.model.messages import copied
from onnxfix.model.model import Array
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD, Dim, ValueType

Typed = tuple[str, int, int]
"""A value: its name (or a label for one), its element type, its rank."""

STANDARD_OPSET = 17
"""The version that a model gets which imports none of the standard's operators (one of ai.onnx.ml only)."""


def has_standard(scope: Scope) -> bool:
    """Whether the standard's own operators are imported, under either spelling of their domain."""
    return any(domain in scope.opsets for domain in STANDARD)


class NoRewrite(Exception):
    """Why a node cannot be written in other operators, as half a sentence: "the kernel size is not constant"."""


class Unconcerned(NoRewrite):
    """The node is none of those that the body is for, so nothing is said of it."""


class Op:
    """A node and its replacement.

    Facts: `node`, `opset`, `dtype(i)`, `dims(i)`, `shape(i)`, `constant(i)`, `attribute(name)`.  The ones that must
    be known raise NoRewrite when they are not.  Building: `make` adds a node, `const` a constant; `finish` says which
    values are the outputs.  `unsafe` holds the reason when the result may differ or costs too much.
    """

    def __init__(self, scope: Scope, index: int, names: Names) -> None:
        self.scope, self.index, self.names = scope, index, names
        self.node = scope.nodes[index]
        self.opset = scope.opset if has_standard(scope) else STANDARD_OPSET
        self.unsafe = ""
        self._removed = [index]
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._opsets: dict[str, int] = {} if has_standard(scope) else {"": STANDARD_OPSET}
        self._base = self.node.name or next((name for name in self.node.output if name), self.node.op_type)

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

    # building

    def make(self, op_type: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, whose name is returned; attributes that are None are left out."""
        return self.many(op_type, inputs, 1, domain=domain, **attributes)[0]

    def many(
        self, op_type: str, inputs: tuple[str, ...] | list[str], count: int, *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with `count` outputs; their names are returned."""
        outputs = [self.names.fresh(f"{self._base}_{op_type}") for _ in range(count)]
        given = {name: value for name, value in attributes.items() if value is not None}
        name = self.names.fresh(f"{self._base}_{op_type}_node") if self.node.name else ""
        kept = list(inputs)
        while kept and not kept[-1]:
            kept.pop()
        node = onnx.helper.make_node(op_type, kept, outputs, name=name, domain=domain or None, **given)
        node.metadata_props.extend(self.node.metadata_props)
        self._nodes.append(node)
        return outputs

    def subgraph(
        self, label: str, inputs: Sequence[Typed], build: Callable[[list[str]], Sequence[Typed]]
    ) -> onnx.GraphProto:
        """A body for Scan, Loop or If, made by this builder: `build` gets its inputs' names and tells its outputs.

        An input is (label, element type, rank); an output is (value made in the body, element type, rank).  The body
        may read every value of the scope.
        """
        given = [_typed(self.names.fresh(f"{self._base}_{name}"), dtype, rank) for name, dtype, rank in inputs]
        outside, self._nodes = self._nodes, []
        results = [_typed(*made) for made in build([value.name for value in given])]
        inside, self._nodes = self._nodes, outside
        return onnx.helper.make_graph(inside, self.names.fresh(f"{self._base}_{label}"), given, results)

    @contextmanager
    def apart(self) -> Iterator[list[onnx.NodeProto]]:
        """Nodes made inside the `with` go to the list, for the body of a node that holds a graph."""
        outer, self._nodes = self._nodes, []
        try:
            yield self._nodes
        finally:
            self._nodes = outer

    def const(self, values: Any, dtype: int | None = None) -> str:
        """Add a constant; `dtype` is an onnx.TensorProto.DataType, by default that of the numpy values."""
        array = np.asarray(values)
        if dtype is not None:
            array = array.astype(onnx.helper.tensor_dtype_to_np_dtype(dtype))
        name = self.names.fresh(f"{self._base}_constant")
        self._constants.append(onnx.numpy_helper.from_array(array, name))
        return name

    def ints(self, *values: int) -> str:
        """A list of int64 numbers."""
        return self.const(np.array(values, dtype=np.int64))

    def like(self, position: int, value: float) -> str:
        """A scalar constant of an input's element type."""
        return self.const(np.array(value), self.dtype(position))

    def remove(self, index: int) -> None:
        """Another node of the scope goes too."""
        self._removed.append(index)

    def take(self, body: Inlined) -> None:
        """Add the nodes and stored tensors of a graph that was inside the node."""
        self._nodes += body.nodes
        self._constants += body.tensors

    def keep(self, node: onnx.NodeProto) -> None:
        """Add a node that makes values under the names it says, such as the old node in another form."""
        self._nodes.append(node)

    def inner(self, attribute: str) -> Scope:
        """The scope of a graph inside the node."""
        return self.scope.inner[self.index, attribute, 0]

    def finish(self, *values: str) -> None:
        """These values are the node's outputs, in their order; "" where nobody reads one."""
        for output, value in zip(self.node.output, values, strict=False):
            if output and value:
                self.bind(value, output)

    def bind(self, value: str, output: str) -> None:
        """This value takes the name of an output of a removed node."""
        made = any(value in node.output for node in self._nodes)
        if not made or value in self.scope.producer or value in self.scope.inputs:
            self._nodes.append(onnx.helper.make_node("Identity", [value], [output]))
            return
        for node in self._nodes:
            rename_uses(node, {value: output})
            node.output[:] = [output if name == value else name for name in node.output]

    def edit(self) -> Edit:
        """The change: the node goes, what was built comes."""
        return Edit(
            self.scope.id,
            remove=tuple(sorted(set(self._removed))),
            insert=tuple(copied(node) for node in self._nodes),
            initializers=tuple(self._constants),
            opsets=self._opsets,
        )


def _typed(name: str, dtype: int, rank: int) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, dtype, [None] * rank)


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [item.decode() for item in value]
    return value
