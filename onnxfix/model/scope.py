"""One graph as rules see it: nodes by producer and user, values with their types, constants with their values.

A scope is the main graph, a subgraph (If, Loop, Scan) or the body of a model-local function.  Scopes are read-only;
changes are Edits (onnxfix.model.edit), after which the scopes are made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import onnx

from onnxfix.model.attributes import constant_tensor
from onnxfix.model.model import Array, Model
from onnxfix.model.nested import captured, free_values, subgraphs
from onnxfix.model.types import ValueType, from_tensor, from_value_info

ScopeId = tuple[int | str, ...]
"""() is the main graph; ("f", 3) is function 3; (…, 17, "body", 0) is graph 0 of attribute `body` of node 17."""

Types = dict[ScopeId, dict[str, onnx.ValueInfoProto]]

__all__ = ["Scope", "ScopeId", "Types", "captured", "free_values", "name_in_paths", "scopes_of", "subgraphs"]


@dataclass
class Scope:
    """`label` is "" for the main graph, else a readable path such as `if_1/then_branch`.

    `inner` has the scopes of the graphs inside nodes, by (index of the node, attribute, number); `facts` what
    functions marked with `once` (onnxfix.model.once) have found out.
    """

    id: ScopeId
    label: str
    proto: onnx.GraphProto | onnx.FunctionProto
    model: Model
    opsets: dict[str, int]
    parent: Scope | None = None
    inferred: dict[str, onnx.ValueInfoProto] = field(default_factory=dict)
    inner: dict[tuple[int, str, int], Scope] = field(default_factory=dict, repr=False)
    facts: dict[Callable[[Scope], Any], Any] = field(default_factory=dict, repr=False, compare=False)
    _types: dict[str, ValueType] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def nodes(self) -> Sequence[onnx.NodeProto]:
        """The nodes; an index into this list names a node in Edits."""
        return list(self.proto.node)

    @cached_property
    def reads(self) -> list[tuple[str, ...]]:
        """For each node the names of its inputs, "" where one is left out."""
        return [tuple(node.input) for node in self.nodes]

    @cached_property
    def makes(self) -> list[tuple[str, ...]]:
        """For each node the names of its outputs, "" where one is left out."""
        return [tuple(node.output) for node in self.nodes]

    @cached_property
    def captures(self) -> dict[int, tuple[str, ...]]:
        """The values seen here that the graphs inside a node read, by the index of the node, in order of name."""
        found = ((index, captured(node)) for index, node in enumerate(self.nodes) if node.attribute)
        return {index: tuple(sorted(names)) for index, names in found if names}

    @cached_property
    def producer(self) -> dict[str, tuple[int, int]]:
        """For each value made here: (index of the node, index among its outputs)."""
        made = ((name, (index, place)) for index, names in enumerate(self.makes) for place, name in enumerate(names))
        return {name: place for name, place in made if name}

    @cached_property
    def users(self) -> dict[str, list[tuple[int, int]]]:
        """For each value: (index of a node, index among its inputs); -1 when a subgraph of the node reads it."""
        users: dict[str, list[tuple[int, int]]] = {}
        for index, names in enumerate(self.reads):
            for position, name in enumerate(names):
                if name:
                    users.setdefault(name, []).append((index, position))
            for name in self.captures.get(index, ()):
                users.setdefault(name, []).append((index, -1))
        return users

    @cached_property
    def held(self) -> dict[int, list[Scope]]:
        """The scopes of the graphs inside nodes, by the index of the node."""
        held: dict[int, list[Scope]] = {}
        for (index, _, _), scope in self.inner.items():
            held.setdefault(index, []).append(scope)
        return held

    def within(self, index: int) -> Iterator[Scope]:
        """The scopes of the graphs inside a node, at any depth."""
        for scope in self.held.get(index, ()):
            yield scope
            for number in scope.held:
                yield from scope.within(number)

    @property
    def opset(self) -> int:
        """The version of the default domain here; 1 when the model imports none."""
        return self.opsets.get("", 1)

    @cached_property
    def is_function(self) -> bool:
        """Whether this is the body of a model-local function."""
        return isinstance(self.proto, onnx.FunctionProto)

    @cached_property
    def inputs(self) -> dict[str, onnx.ValueInfoProto | None]:
        """The formal inputs by name; a function's inputs have no type."""
        if isinstance(self.proto, onnx.FunctionProto):
            return dict.fromkeys(self.proto.input)
        return {value.name: value for value in self.proto.input}

    @cached_property
    def outputs(self) -> list[str]:
        """The names of the outputs."""
        if isinstance(self.proto, onnx.FunctionProto):
            return list(self.proto.output)
        return [value.name for value in self.proto.output]

    @cached_property
    def output_set(self) -> frozenset[str]:
        """The names of the outputs, for look-ups."""
        return frozenset(self.outputs)

    @cached_property
    def initializers(self) -> dict[str, onnx.TensorProto]:
        """Stored tensors by name; a function has none."""
        return {} if isinstance(self.proto, onnx.FunctionProto) else {t.name: t for t in self.proto.initializer}

    @cached_property
    def _declared(self) -> dict[str, onnx.ValueInfoProto]:
        if isinstance(self.proto, onnx.FunctionProto):
            return {value.name: value for value in self.proto.value_info}
        return {v.name: v for values in (self.proto.value_info, self.proto.output, self.proto.input) for v in values}

    @cached_property
    def dtypes(self) -> frozenset[int]:
        """Every element type that a value seen here is known to have: what is absent need not be looked for."""
        found = {tensor.data_type for tensor in self.initializers.values()}
        for values in (self.inferred, self._declared):
            found.update(value.type.tensor_type.elem_type for value in values.values())
        constants = (constant_tensor(node) for node in self.nodes if node.op_type == "Constant")
        found.update(tensor.data_type for tensor in constants if tensor is not None)
        return frozenset(found) | (self.parent.dtypes if self.parent else frozenset())

    def defines(self, name: str) -> bool:
        """Whether the value is made in this very scope."""
        return name in self.producer or name in self.initializers or name in self.inputs

    def type_of(self, name: str) -> ValueType:
        """Element type and shape of a value, as far as they are known."""
        if name not in self._types:
            self._types[name] = self._type_of(name)
        return self._types[name]

    def learn(self, name: str, value: onnx.ValueInfoProto) -> None:
        """Take a type for granted from here on; only while no scope inside this one has been asked for types."""
        self.inferred[name] = value
        self._types.pop(name, None)

    def _type_of(self, name: str) -> ValueType:
        if name in self.initializers:
            return from_tensor(self.initializers[name])
        found = self.inferred.get(name) or self._declared.get(name)
        if found is None and self.parent is not None and not self.defines(name):
            return self.parent.type_of(name)
        return from_value_info(found)

    def type_proto(self, name: str) -> onnx.TypeProto | None:
        """The whole type of a value, of a sequence or an optional too; None when nothing tells it."""
        if name in self.initializers:
            tensor = self.initializers[name]
            return onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
        found = self.inferred.get(name) or self._declared.get(name)
        if found is None and self.parent is not None and not self.defines(name):
            return self.parent.type_proto(name)
        return found.type if found is not None and found.type.WhichOneof("value") else None

    def constant(self, name: str) -> onnx.TensorProto | None:
        """The tensor of a value that is known before running: an initializer or a Constant node's output.

        An initializer that is also an input of the graph can be overridden by the caller, and so is no constant
        unless the model's IR version is below 4, where every initializer must be listed as an input.
        """
        if name in self.initializers:
            overridable = name in self.inputs and self.model.proto.ir_version >= 4
            return None if overridable else self.initializers[name]
        if name in self.producer:
            node = self.nodes[self.producer[name][0]]
            return constant_tensor(node) if node.op_type == "Constant" and not node.domain else None
        if self.parent is not None and name not in self.inputs:
            return self.parent.constant(name)
        return None

    def array(self, name: str) -> Array | None:
        """The values of a constant; None when the value is not one, or too large to be read in passing."""
        tensor = self.constant(name)
        return self.model.array(tensor) if tensor is not None and self.model.is_readable(tensor) else None


def scopes_of(model: Model, types: Types | None = None) -> list[Scope]:
    """Every scope of a model, an enclosing scope before the scopes inside it."""
    types = types or {}
    opsets = {o.domain: o.version for o in model.proto.opset_import}
    main = Scope((), "", model.proto.graph, model, opsets, None, types.get((), {}))
    found = list(_nested(main, types))
    for index in range(len(model.proto.functions)):
        found += function_scopes(model, index, types)
    return found


def function_scopes(model: Model, index: int, types: Types | None = None) -> list[Scope]:
    """The scopes of one function: its body and the graphs inside, as `scopes_of` gives them."""
    function, types = model.proto.functions[index], types or {}
    own = {o.domain: o.version for o in function.opset_import}
    label = f"function {function.domain}.{function.name}".replace(" .", " ")
    return list(_nested(Scope(("f", index), label, function, model, own, None, types.get(("f", index), {})), types))


def _nested(scope: Scope, types: Types) -> Iterator[Scope]:
    yield scope
    for index, node in enumerate(scope.nodes):
        for attribute, number, graph in subgraphs(node):
            name = name_in_paths(node, index)
            label = "/".join(filter(None, (scope.label, name, attribute + (str(number) if number else ""))))
            identity = (*scope.id, index, attribute, number)
            inner = Scope(identity, label, graph, scope.model, scope.opsets, scope, types.get(identity, {}))
            scope.inner[index, attribute, number] = inner
            yield from _nested(inner, types)


def name_in_paths(node: onnx.NodeProto, index: int) -> str:
    """What a node is called in the label of a graph inside it."""
    return node.name or f"{node.op_type}_{node.output[0] if node.output else index}"
