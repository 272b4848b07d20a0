"""One scope as the comparison sees it: nodes without constants, and where each of their inputs comes from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import onnx

from onnxfix.diff.contents import Keys, tensor_digest
from onnxfix.model.order import sorted_nodes
from onnxfix.model.scope import Scope, constant_tensor, subgraphs

Slot = tuple[int, int]
"""(index of a node, place among its outputs)."""


@dataclass(frozen=True)
class Source:
    """Where a value comes from: a node's output (`slot`), or something with a key of its own.

    `key` tells the content of a constant, the number of a graph input, or what an outer value is; `shape` is the
    key without the values of a constant.  `kind` is "node", "constant", "input", "outer" or "none".
    """

    kind: str
    slot: Slot | None = None
    key: int = 0
    shape: int = 0


@dataclass
class Graph:
    """A scope of one of the two models.  `outer` tells what the values of enclosing scopes are."""

    scope: Scope
    keys: Keys
    inputs: Mapping[str, int]
    outer: Mapping[str, Source] = field(default_factory=dict)

    @cached_property
    def order(self) -> list[int]:
        """The nodes that are no constants, in topological order; those on a cycle come last."""
        order, stuck = sorted_nodes(self.scope.nodes)
        return [index for index in (*order, *sorted(stuck)) if not is_constant(self.scope.nodes[index])]

    @cached_property
    def labels(self) -> dict[int, int]:
        """For each node a key of its operator and attributes, subgraphs left out."""
        return {index: self.keys.of("label", *_label(self.scope.nodes[index])) for index in self.order}

    @cached_property
    def sources(self) -> dict[int, tuple[Source, ...]]:
        """For each node where its inputs come from."""
        nodes = self.scope.nodes
        return {index: tuple(self.source(name) for name in nodes[index].input) for index in self.order}

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
    def results(self) -> list[Source]:
        """Where the outputs of the scope come from."""
        return [self.source(name) for name in self.scope.outputs]

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
        tensor = self._stored(name)
        if tensor is not None:
            shape: Hashable = ("constant", tensor.data_type, tuple(tensor.dims))
            key = self.keys.of(shape, tensor_digest(self.scope.model, tensor))
            return Source("constant", None, key, self.keys.of(shape))
        if name in self.inputs:
            key = self.keys.of("input", self.scope.id[1::3], self.inputs[name])
            return Source("input", None, key, key)
        if name in self.outer:
            return self.outer[name]
        key = self.keys.of("unmade", name)
        return Source("none", None, key, key)

    def _stored(self, name: str) -> onnx.TensorProto | None:
        if name in self.scope.initializers:
            return self.scope.initializers[name]
        made = self.scope.producer.get(name)
        return None if made is None else constant_tensor(self.scope.nodes[made[0]])


def is_constant(node: onnx.NodeProto) -> bool:
    """Whether a node is a Constant whose tensor can be compared."""
    return node.op_type == "Constant" and node.domain in ("", "ai.onnx") and constant_tensor(node) is not None


def attribute_keys(node: onnx.NodeProto) -> dict[str, bytes]:
    """The attributes of a node as bytes, by name; subgraphs and documentation left out."""
    inner = {name for name, _, _ in subgraphs(node)}
    found = {}
    for attribute in node.attribute:
        if attribute.name not in inner:
            plain = onnx.AttributeProto()
            plain.CopyFrom(attribute)
            plain.ClearField("doc_string")
            found[attribute.name] = plain.SerializeToString(deterministic=True)
    return found


def _label(node: onnx.NodeProto) -> tuple[Hashable, ...]:
    domain = "" if node.domain == "ai.onnx" else node.domain
    return domain, node.op_type, tuple(sorted(attribute_keys(node).items())), len(node.input), len(node.output)
