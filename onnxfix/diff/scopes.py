"""The changes of one scope: pieces, attributes, wiring, stored tensors, names and order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from onnxfix.diff.graph import Graph, Source, attribute_keys
from onnxfix.diff.matching import Pairs
from onnxfix.diff.records import Change
from onnxfix.diff.regions import Region, regions
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


def graph_changes(comparison: Comparison) -> Iterator[Change]:
    """The changes of a scope, subgraphs and stored tensors left out."""
    one, two, pairs = comparison.one, comparison.two, comparison.pairs
    for region in regions(one, two, pairs):
        yield _piece(comparison, region)
    for a, b in sorted(pairs.left.items(), key=lambda pair: pair[1]):
        yield from _attributes(comparison, a, b)
        yield from _wiring(comparison, a, b)
    yield from _outputs(comparison)
    yield from _names(comparison)
    yield from _order(comparison)


def _piece(comparison: Comparison, region: Region) -> Change:
    old = [comparison.one.scope.nodes[index] for index in region.old]
    new = [comparison.two.scope.nodes[index] for index in region.new]
    kinds = [" + ".join(node.op_type for node in nodes[:6]) + (" …" if len(nodes) > 6 else "") for nodes in (old, new)]
    kind, message = (
        ("replaced", f"{kinds[0]} → {kinds[1]}")
        if old and new
        else ("removed", f"{kinds[0]} removed")
        if old
        else ("inserted", f"{kinds[1]} inserted")
    )
    return Change(
        kind,  # type: ignore[arg-type]
        subject=name_of((new or old)[-1]),
        message=message,
        scope=comparison.label,
        before=tuple(map(node_text, old)),
        after=tuple(map(node_text, new)),
        old=tuple(map(first_output, old)),
        new=tuple(map(first_output, new)),
    )


def _attributes(comparison: Comparison, a: int, b: int) -> Iterator[Change]:
    old, new = comparison.one.scope.nodes[a], comparison.two.scope.nodes[b]
    ones, twos = attribute_keys(old), attribute_keys(new)
    names = sorted(name for name in ones.keys() | twos.keys() if ones.get(name) != twos.get(name))
    if names:
        yield _about(comparison, "attribute", old, new, f"{new.op_type}: {', '.join(names)} changed")


def _wiring(comparison: Comparison, a: int, b: int) -> Iterator[Change]:
    old, new = comparison.one.scope.nodes[a], comparison.two.scope.nodes[b]
    ones, twos = comparison.one.sources[a], comparison.two.sources[b]
    absent = Source("none")
    places = [
        place
        for place in range(max(len(ones), len(twos)))
        if _rewired(
            comparison.pairs,
            ones[place] if place < len(ones) else absent,
            twos[place] if place < len(twos) else absent,
        )
    ]
    if places:
        message = f"{new.op_type} reads other values as input {', '.join(map(str, places))}"
        yield _about(comparison, "rewired", old, new, message)


def _rewired(pairs: Pairs, one: Source, two: Source) -> bool:
    """Whether two sources differ although all nodes concerned are matched; constants are compared elsewhere."""
    if one.slot is not None and one.slot[0] not in pairs.left:
        return False
    if two.slot is not None and two.slot[0] not in pairs.right:
        return False
    if one.slot is not None and two.slot is not None:
        return (pairs.left[one.slot[0]], one.slot[1]) != two.slot
    if one.kind == two.kind == "constant":
        return False
    return one.kind != two.kind or one.key != two.key


def _outputs(comparison: Comparison) -> Iterator[Change]:
    """Outputs of the scope, matched by their place, that come from other nodes than before."""
    ones, twos = comparison.one.results, comparison.two.results
    for place, (one, two) in enumerate(zip(ones, twos, strict=False)):
        if _rewired(comparison.pairs, one, two) or (one.kind == two.kind == "constant" and one.key != two.key):
            old, new = comparison.one.scope.outputs[place], comparison.two.scope.outputs[place]
            message = f"output {place} of the graph is another value"
            yield Change("rewired", new, message, comparison.label, (old,), (new,))


def _names(comparison: Comparison) -> Iterator[Change]:
    for a, b in sorted(comparison.pairs.left.items(), key=lambda pair: pair[1]):
        old, new = comparison.one.scope.nodes[a], comparison.two.scope.nodes[b]
        if old.name != new.name:
            yield _about(comparison, "renamed", old, new, f"node {old.name or '(no name)'} → {new.name or '(no name)'}")
        for before, after in zip(old.output, new.output, strict=False):
            if before != after and before and after:
                yield Change("renamed", after, f"value {before} → {after}", comparison.label, (before,), (after,))


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


def _about(comparison: Comparison, kind: str, old: onnx.NodeProto, new: onnx.NodeProto, message: str) -> Change:
    return Change(
        kind,  # type: ignore[arg-type]
        subject=name_of(new),
        message=message,
        scope=comparison.label,
        before=(node_text(old),),
        after=(node_text(new),),
        old=(first_output(old),),
        new=(first_output(new),),
    )


def name_of(node: onnx.NodeProto) -> str:
    """The node's name, or its first output."""
    return node.name or first_output(node)


def first_output(node: onnx.NodeProto) -> str:
    """The first output that has a name."""
    return next(filter(None, node.output), "")
