"""Two models compared: every scope, the stored tensors, and the head of the file."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from onnxfix.changes.contents import Keys
from onnxfix.changes.functions import Functions, Named, function_changes, paired_functions, title, unwrapping, wrapping
from onnxfix.changes.graph import Called, Graph
from onnxfix.changes.head import head_changes
from onnxfix.changes.interface import interface_changes, paired_inputs, paired_outputs, renames_only
from onnxfix.changes.journal import blamed, explained
from onnxfix.changes.matching import match_nodes
from onnxfix.changes.nested import Scopes, bodies, inner_keys, places
from onnxfix.changes.pieces import piece
from onnxfix.changes.records import Change, DiffReport, Kind
from onnxfix.changes.regions import Region, regions
from onnxfix.changes.scopes import Comparison, node_changes
from onnxfix.changes.weights import Seen, unread_changes, weight_changes
from onnxfix.model.model import Model
from onnxfix.model.scope import scopes_of

IGNORABLE: dict[str, tuple[Kind, ...]] = {
    "names": ("renamed",),
    "docs": ("docs",),
    "metadata": ("metadata",),
    "initializer-placement": ("placement",),
    "value-info": ("value-info",),
    "order": ("moved",),
}
"""What `--ignore` may name, and the kinds of change behind it; "names" are those of inputs and outputs, too."""


@dataclass(frozen=True)
class Compared:
    """Two models, their scopes and functions, and the matched nodes of every pair of scopes."""

    one: Model
    two: Model
    scopes: tuple[Scopes, Scopes]
    functions: Functions
    comparisons: Sequence[Comparison]

    @property
    def main(self) -> Comparison:
        """The comparison of the main graphs."""
        return self.comparisons[0]


def compare_models(one: Model, two: Model, ignore: Collection[str] = ("initializer-placement",)) -> DiffReport:
    """All changes from `one` to `two`, without those that `ignore` names (keys of IGNORABLE)."""
    started = time.perf_counter()
    return report_of(matched_models(one, two), ignore, started)


def report_of(compared: Compared, ignore: Collection[str], started: float) -> DiffReport:
    """The report on matched models; `started` is when that began, by time.perf_counter()."""
    ignored = {kind for word in ignore for kind in IGNORABLE[word]}
    journal = blamed(compared.two.proto)
    changes = [
        explained(change, journal)
        for change in _changes(compared, journal)
        if change.kind not in ignored and not ("renamed" in ignored and renames_only(change))
    ]
    comparisons = compared.comparisons
    return DiffReport(
        before=compared.one.label,
        after=compared.two.label,
        changes=tuple(changes),
        nodes=(sum(len(c.one.order) for c in comparisons), sum(len(c.two.order) for c in comparisons)),
        matched=sum(len(comparison.pairs.left) for comparison in comparisons),
        seconds=time.perf_counter() - started,
    )


def matched_models(one: Model, two: Model) -> Compared:
    """Match the nodes of two models, scope by scope, enclosing scopes first."""
    keys = Keys()
    scopes: tuple[Scopes, Scopes] = ({s.id: s for s in scopes_of(one)}, {s.id: s for s in scopes_of(two)})
    functions = paired_functions(one, two, scopes, keys)
    calls = functions.numbers()
    inputs = paired_inputs(one.proto.graph, two.proto.graph)
    outputs = paired_outputs(one.proto.graph, two.proto.graph)
    mains = (Graph(scopes[side][()], keys, inputs[side], {}, calls[side], outputs[side]) for side in (0, 1))
    waiting = deque([tuple(mains)])
    for old, new in sorted(functions.pairs.items()):
        pair = functions.ones[old], functions.twos[new]
        waiting.append(tuple(Graph(s, keys, places(s), {}, call) for s, call in zip(pair, calls, strict=True)))
    found = []
    while waiting:
        first, second = waiting.popleft()
        pairs = match_nodes(first, second, (inner_keys(first, scopes[0]), inner_keys(second, scopes[1])))
        found.append(Comparison(first, second, pairs))
        waiting.extend(bodies(first, second, pairs, scopes))
    return Compared(one, two, scopes, functions, found)


def _changes(compared: Compared, journal: dict[str, str]) -> Iterator[Change]:
    one, two = compared.one.proto, compared.two.proto
    functions = compared.functions
    known = set(functions.pairs.values())
    new = {name: scope for name, scope in functions.twos.items() if name not in known}
    old = {name: scope for name, scope in functions.ones.items() if name not in functions.pairs}
    pieces = [list(_pieces(compared, comparison, journal, old, new)) for comparison in compared.comparisons]
    wrapped = frozenset(name for found in pieces for _, name in found if name is not None)
    inputs, outputs = paired_inputs(one.graph, two.graph), paired_outputs(one.graph, two.graph)
    yield from interface_changes(one, two, inputs, outputs)
    yield from head_changes(one, two, dict(_value_names(compared.main)))
    yield from function_changes(compared.functions, wrapped)
    seen: Seen = set()
    for comparison, found in zip(compared.comparisons, pieces, strict=True):
        yield from (change for change, _ in found)
        yield from node_changes(comparison)
        yield from weight_changes(comparison, seen)
        yield from unread_changes(comparison)


def _pieces(
    compared: Compared, comparison: Comparison, journal: dict[str, str], old: Named, new: Named
) -> Iterator[tuple[Change, Called | None]]:
    """Each piece, and the function that it was put into (one of `new`) or taken out of (one of `old`)."""
    one, two, pairs = comparison.one, comparison.two, comparison.pairs
    for region in regions(one, two, pairs):
        names = [graph.scope.nodes[i].name for graph, part in ((two, region.new), (one, region.old)) for i in part]
        change = explained(piece(one, two, pairs, region, comparison.label), journal, names)
        into = wrapping(one, two, pairs, region, new, compared.scopes[1])
        out = unwrapping(one, two, pairs, region, old, compared.scopes[0])
        yield _function_piece(change, region, into, out), into or out


def _function_piece(change: Change, region: Region, into: Called | None, out: Called | None) -> Change:
    name = into or out
    if name is None:
        return change
    nodes = len(region.old if into else region.new)
    what = f"{nodes} {'node' if nodes == 1 else 'nodes'}"
    message = f"{what} put into the new function" if into else f"{what} taken out of the former function"
    return Change(
        "function",
        change.subject,
        f"{message} {title(name)}",
        change.scope,
        change.before,
        change.after,
        change.old,
        change.new,
        change.rule,
    )


def _value_names(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """For each value of the first scope its name in the second: what matched nodes make and read."""
    one, two = comparison.one, comparison.two
    for numbers in ((one.inputs, two.inputs), (one.ends, two.ends)):
        second = {number: name for name, number in numbers[1].items()}
        yield from ((name, second[number]) for name, number in numbers[0].items() if number in second)
    for a, b in comparison.pairs.ordered():
        old, new = one.scope.nodes[a], two.scope.nodes[b]
        reads = zip(old.input, new.input, one.sources[a], two.sources[b], strict=False)
        yield from ((x, y) for x, y, first, second in reads if first.kind == second.kind == "constant")
        yield from ((x, y) for x, y in zip(old.output, new.output, strict=False) if x and y)
