"""The changes of the matched nodes of one scope: attributes, wiring, names, order, documentation."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from onnxfix.changes.graph import Graph, attribute_keys
from onnxfix.changes.pairs import Pairs, rewired, rewired_places
from onnxfix.changes.records import Change, Kind
from onnxfix.model.scope import subgraphs
from onnxfix.model.text import node_text


@dataclass(frozen=True)
class Comparison:
    """Two scopes and their matched nodes."""

    one: Graph
    two: Graph
    pairs: Pairs

    @property
    def label(self) -> str:
        """The scope, as the second model calls it."""
        return self.two.scope.label

    def nodes(self) -> Iterator[tuple[onnx.NodeProto, onnx.NodeProto]]:
        """The matched nodes, in the order of the second scope."""
        for a, b in self.pairs.ordered():
            yield self.one.scope.nodes[a], self.two.scope.nodes[b]


def node_changes(comparison: Comparison) -> Iterator[Change]:
    """Attributes and inputs of matched nodes, outputs of the scope, names, order and documentation."""
    one, two, pairs = comparison.one, comparison.two, comparison.pairs
    for a, b in pairs.ordered():
        old, new = one.scope.nodes[a], two.scope.nodes[b]
        if one.labels[a] != two.labels[b]:
            yield from _attributes(comparison, old, new)
        places = list(rewired_places(one, two, pairs, a, b))
        if places:
            message = f"{new.op_type} reads other values as input {', '.join(map(str, places))}"
            yield about(comparison.label, "rewired", old, new, message)
    yield from _outputs(comparison)
    for old, new in comparison.nodes():
        yield from _names(comparison.label, old, new)
        yield from _texts(comparison.label, old, new)
    yield from _order(comparison)


def _attributes(comparison: Comparison, old: onnx.NodeProto, new: onnx.NodeProto) -> Iterator[Change]:
    ones, twos = attribute_keys(comparison.one.scope.model, old), attribute_keys(comparison.two.scope.model, new)
    ones |= {name: b"graph" for name, _, _ in subgraphs(old)}
    twos |= {name: b"graph" for name, _, _ in subgraphs(new)}
    names = sorted(name for name in ones.keys() | twos.keys() if ones.get(name) != twos.get(name))
    if names:
        yield about(comparison.label, "attribute", old, new, f"{new.op_type}: {', '.join(names)} changed")


def _outputs(comparison: Comparison) -> Iterator[Change]:
    """Outputs of the scope that come from other nodes than before, or hold another constant."""
    old = {number: (name, source) for number, name, source in comparison.one.results}
    for number, name, source in comparison.two.results:
        if number in old:
            before, first = old[number]
            constants = first.kind == source.kind == "constant"
            if first.key != source.key if constants else rewired(comparison.pairs, first, source):
                message = f"output {name} is another value"
                yield Change("rewired", name, message, comparison.label, (before,), (name,))


def _names(label: str, old: onnx.NodeProto, new: onnx.NodeProto) -> Iterator[Change]:
    if old.name != new.name:
        message = f"node {old.name or '(no name)'} → {new.name or '(no name)'}"
        yield Change("renamed", name_of(new), message, label, (old.name,), (new.name,))
    for before, after in zip(old.output, new.output, strict=False):
        if before != after and before and after:
            yield Change("renamed", after, f"value {before} → {after}", label, (before,), (after,))


def _texts(label: str, old: onnx.NodeProto, new: onnx.NodeProto) -> Iterator[Change]:
    """Documentation and metadata of a node."""
    if old.doc_string != new.doc_string:
        message = f"documentation of node {name_of(new)}"
        yield Change("docs", name_of(new), message, label, (old.doc_string,), (new.doc_string,))
    if old.metadata_props or new.metadata_props:
        ones, twos = ({entry.key: entry.value for entry in node.metadata_props} for node in (old, new))
        for key in sorted(ones.keys() | twos.keys()):
            if ones.get(key) != twos.get(key):
                message = f"{key} of node {name_of(new)}: {ones.get(key, 'none')} → {twos.get(key, 'none')}"
                lines = [() if text is None else (text,) for text in (ones.get(key), twos.get(key))]
                yield Change("metadata", name_of(new), message, label, lines[0], lines[1])


def _order(comparison: Comparison) -> Iterator[Change]:
    """How many nodes must move so that the matched ones stand in the same order."""
    places = [comparison.pairs.left[a] for a in sorted(comparison.pairs.left)]
    tails: list[int] = []
    for place in places:
        at = bisect_left(tails, place)
        tails[at : at + 1] = [place]
    moved = len(places) - len(tails)
    if moved:
        message = f"{moved} {'node stands' if moved == 1 else 'nodes stand'} at another place in the file"
        yield Change("moved", comparison.label or "graph", message, comparison.label, details={"nodes": moved})


def about(label: str, kind: Kind, old: onnx.NodeProto, new: onnx.NodeProto, message: str) -> Change:
    """A change of one node that both scopes have."""
    texts = node_text(old), node_text(new)
    return Change(kind, name_of(new), message, label, texts[:1], texts[1:], (first_output(old),), (first_output(new),))


def name_of(node: onnx.NodeProto) -> str:
    """The node's name, or its first output."""
    return node.name or first_output(node)


def first_output(node: onnx.NodeProto) -> str:
    """The first output that has a name."""
    return next(filter(None, node.output), "")
