"""One scope as the comparison sees it: nodes without constants, and where each of their inputs comes from."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import onnx

from onnxfix.changes.contents import Keys, Stored, tensor_digest
from onnxfix.model.attributes import constant_tensor
from onnxfix.model.model import Model
from onnxfix.model.once import once
from onnxfix.model.order import sorted_nodes
from onnxfix.model.scope import Scope, subgraphs
from onnxfix.model.types import STANDARD

Slot = tuple[int, int]
"""(index of a node, place among its outputs)."""

Called = tuple[str, str, str]
"""Domain, name and overload of a function."""


@dataclass(frozen=True)
class Source:
    """Where a value comes from: a node's output (`slot`), or something with a key of its own.

    `key` tells the content of a constant, the number of a graph input, or what an outer value is; `shape` is the
    key without the values of a constant, `home` the scope that stores it.  `kind` is "node", "constant", "input",
    "outer" or "none".
    """

    kind: str
    slot: Slot | None = None
    key: int = 0
    shape: int = 0
    home: Scope | None = field(default=None, compare=False, repr=False)


@dataclass
class Graph:
    """A scope of one of the two models.

    `inputs` and `ends` number its inputs and outputs, `outer` tells what the values of enclosing scopes are, and
    `calls` numbers the model's functions: nodes that call functions of one number are alike.  `known` holds the keys
    of graphs inside nodes that were worked out already; a graph shares it with the graphs inside it.
    """

    scope: Scope
    keys: Keys
    inputs: Mapping[str, int]
    outer: Mapping[str, Source] = field(default_factory=dict)
    calls: Mapping[Called, int] = field(default_factory=dict)
    ends: Mapping[str, int] = field(default_factory=dict)
    known: dict[Hashable, int] = field(default_factory=dict, repr=False)

    @cached_property
    def order(self) -> list[int]:
        """The nodes that are no constants, in topological order; those on a cycle come last."""
        order, stuck = sorted_nodes(self.scope.nodes)
        return [index for index in (*order, *sorted(stuck)) if not is_constant(self.scope.nodes[index])]

    @cached_property
    def operators(self) -> dict[int, int]:
        """For each node a key of its operator, or of the function that it calls."""
        nodes = self.scope.nodes
        return {index: self.keys.of("operator", *self._operator(nodes[index])) for index in self.order}

    @cached_property
    def labels(self) -> dict[int, int]:
        """For each node a key of its operator and attributes, subgraphs left out."""
        return {index: self.keys.of("label", *self._label(index)) for index in self.order}

    @cached_property
    def sources(self) -> dict[int, tuple[Source, ...]]:
        """For each node where its inputs come from; absent ones at the end are left out."""
        nodes = self.scope.nodes
        return {index: tuple(self.source(name) for name in _trimmed(nodes[index].input)) for index in self.order}

    @cached_property
    def readers(self) -> dict[Slot, list[tuple[int, int]]]:
        """For each value that a node makes: the nodes and places that read it."""
        found: dict[Slot, list[tuple[int, int]]] = {}
        for index in self.order:
            for place, source in enumerate(self.sources[index]):
                if source.slot is not None:
                    found.setdefault(source.slot, []).append((index, place))
        return found

    @cached_property
    def results(self) -> list[tuple[int, str, Source]]:
        """The outputs of the scope: number, name, and where they come from."""
        return [(self.ends.get(name, n), name, self.source(name)) for n, name in enumerate(self.scope.outputs)]

    @cached_property
    def made_results(self) -> dict[int, list[tuple[int, int, Slot]]]:
        """For each node that makes outputs of the scope: their places, their numbers, and the slots."""
        found: dict[int, list[tuple[int, int, Slot]]] = {}
        for place, (number, _, source) in enumerate(self.results):
            if source.slot is not None:
                found.setdefault(source.slot[0], []).append((place, number, source.slot))
        return found

    @cached_property
    def numbered_results(self) -> dict[int, tuple[str, Source]]:
        """The outputs of the scope by their number: name, and where they come from."""
        return {number: (name, source) for number, name, source in self.results}

    @cached_property
    def still(self) -> dict[int, int]:
        """For each node that reads nothing but constants, or what such nodes make, a key of what it computes."""
        found: dict[int, int] = {}
        for index in self.order:
            reads = [
                (s.key, -1) if s.slot is None else (found.get(s.slot[0], -1), s.slot[1]) for s in self.sources[index]
            ]
            constant = all(s.kind == "constant" if s.slot is None else s.slot[0] in found for s in self.sources[index])
            if constant and not any(True for _ in subgraphs(self.scope.nodes[index])):
                found[index] = self.keys.of("still", self.labels[index], tuple(reads))
        return found

    def source(self, name: str) -> Source:
        """Where a value comes from."""
        if name not in self._sources:
            self._sources[name] = self._find(name)
        return self._sources[name]

    @cached_property
    def _sources(self) -> dict[str, Source]:
        return {"": Source("none", key=self.keys.of("none"), shape=self.keys.of("none"))}

    def _find(self, name: str) -> Source:
        made = self.scope.producer.get(name)
        if made is not None and not is_constant(self.scope.nodes[made[0]]):
            return Source("node", made)
        tensor = stored(self.scope, name)
        if tensor is not None:
            key, shape = self._constant(name, tensor)
            return Source("constant", None, key, shape, self.scope)
        if name in self.inputs:
            key = self.keys.of("input", len(self.scope.id), self.inputs[name])
            return Source("input", None, key, key)
        if name in self.outer:
            return self.outer[name]
        key = self.keys.of("unmade", name)
        return Source("none", None, key, key)

    def _constant(self, name: str, tensor: Stored) -> tuple[int, int]:
        model, owner = self.scope.model, (id(self.scope.model), self.scope.id, name)
        if isinstance(tensor, onnx.TensorProto):
            shape: Hashable = ("constant", tensor.data_type, tuple(tensor.dims))
            return self.keys.of(shape, self.keys.token(model, tensor, owner)), self.keys.of(shape)
        parts = (tensor.values, tensor.indices)
        shape = ("sparse", tensor.values.data_type, tuple(tensor.dims))
        tokens = (self.keys.token(model, part, (*owner, n)) for n, part in enumerate(parts))
        return self.keys.of(shape, *tokens), self.keys.of(shape)

    def _operator(self, node: onnx.NodeProto) -> tuple[Hashable, ...]:
        number = self.calls.get((node.domain, node.op_type, node.overload))
        domain = "" if node.domain in STANDARD else node.domain
        return (domain, node.op_type) if number is None else ("function", number)

    def _label(self, index: int) -> tuple[Hashable, ...]:
        node = self.scope.nodes[index]
        attributes = tuple(sorted(attribute_keys(self.scope.model, node).items()))
        return self.operators[index], attributes, len(_trimmed(node.input)), len(_trimmed(node.output))


def is_constant(node: onnx.NodeProto) -> bool:
    """Whether a node is a Constant whose tensor can be compared."""
    return (
        node.op_type == "Constant"
        and node.domain in STANDARD
        and len(node.output) == 1
        and constant_tensor(node) is not None
    )


def stored(scope: Scope, name: str) -> Stored | None:
    """The tensor that a scope stores under a name, as an initializer, a sparse one, or in a Constant node."""
    if name in scope.initializers:
        return scope.initializers[name]
    made = scope.producer.get(name)
    if made is not None:
        node = scope.nodes[made[0]]
        return constant_tensor(node) if is_constant(node) else None
    return _sparse(scope).get(name)


@once
def _sparse(scope: Scope) -> Mapping[str, onnx.SparseTensorProto]:
    tensors = scope.proto.sparse_initializer if isinstance(scope.proto, onnx.GraphProto) else ()
    return {tensor.values.name: tensor for tensor in reversed(tensors)}


def stored_names(scope: Scope) -> Iterator[str]:
    """The names of all tensors that a scope stores."""
    yield from scope.initializers
    if isinstance(scope.proto, onnx.GraphProto):
        yield from (tensor.values.name for tensor in scope.proto.sparse_initializer)
    yield from (node.output[0] for node in scope.nodes if is_constant(node))


def attribute_keys(model: Model, node: onnx.NodeProto) -> dict[str, bytes]:
    """The attributes of a node as bytes, by name; subgraphs and documentation left out."""
    inner = {name for name, _, _ in subgraphs(node)}
    return {a.name: _attribute_key(model, a) for a in node.attribute if a.name not in inner}


def _attribute_key(model: Model, attribute: onnx.AttributeProto) -> bytes:
    """A tensor counts by its values, whatever way they are stored."""
    if attribute.type == onnx.AttributeProto.TENSOR and not attribute.ref_attr_name:
        head = f"{attribute.t.data_type} {list(attribute.t.dims)} ".encode()
        return head + tensor_digest(model, attribute.t)
    if not attribute.doc_string:
        return attribute.SerializeToString(deterministic=True)
    plain = onnx.AttributeProto()
    plain.CopyFrom(attribute)
    plain.ClearField("doc_string")
    return plain.SerializeToString(deterministic=True)


def _trimmed(names: Sequence[str]) -> Sequence[str]:
    """The names without the absent ones at the end."""
    last = next((place for place in range(len(names), 0, -1) if names[place - 1]), 0)
    return names[:last]
