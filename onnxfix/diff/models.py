"""Two models compared: every scope, the stored tensors, and the head of the file."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from dataclasses import replace

from onnxfix.diff.contents import Keys
from onnxfix.diff.graph import Graph
from onnxfix.diff.head import head_changes, paired_inputs
from onnxfix.diff.matching import match_nodes
from onnxfix.diff.nested import Scopes, bodies, inner_keys, places
from onnxfix.diff.records import Change, DiffReport, Kind
from onnxfix.diff.scopes import Comparison, graph_changes
from onnxfix.diff.weights import weight_changes
from onnxfix.model.model import Model
from onnxfix.model.scope import Scope, scopes_of

IGNORABLE: dict[str, tuple[Kind, ...]] = {
    "names": ("renamed",),
    "docs": ("docs",),
    "metadata": ("metadata",),
    "initializer-placement": ("placement",),
    "value-info": ("value-info",),
    "order": ("moved",),
}
"""What `--ignore` may name, and the kinds of change behind it."""

JOURNAL = "onnxfix"
"""Key of the metadata entry with the journal of a repair."""


def compare_models(one: Model, two: Model, ignore: Collection[str] = ("initializer-placement",)) -> DiffReport:
    """All changes from `one` to `two`, without those that `ignore` names (keys of IGNORABLE)."""
    started = time.perf_counter()
    ignored = {kind for word in ignore for kind in IGNORABLE[word]}
    compared = list(_comparisons(one, two))
    changes = [*head_changes(one.proto, two.proto, paired_inputs(one.proto.graph, two.proto.graph))]
    changes += list(_functions(one, two))
    for comparison in compared:
        changes += [*graph_changes(comparison), *weight_changes(comparison)]
    return DiffReport(
        before=one.label,
        after=two.label,
        changes=tuple(_explained(change, _journal(two)) for change in changes if change.kind not in ignored),
        nodes=tuple(sum(len(c.one.order if side == 0 else c.two.order) for c in compared) for side in (0, 1)),  # type: ignore[arg-type]
        matched=sum(len(comparison.pairs.left) for comparison in compared),
        seconds=time.perf_counter() - started,
    )


def _comparisons(one: Model, two: Model) -> Iterator[Comparison]:
    """The main graphs, the functions of one name, and every subgraph of matched nodes."""
    keys = Keys()
    scopes: tuple[Scopes, Scopes] = ({s.id: s for s in scopes_of(one)}, {s.id: s for s in scopes_of(two)})
    inputs = paired_inputs(one.proto.graph, two.proto.graph)
    waiting = [(Graph(scopes[0][()], keys, inputs[0]), Graph(scopes[1][()], keys, inputs[1]))]
    ones, twos = (_function_scopes(model, found) for model, found in zip((one, two), scopes, strict=True))
    for name in ones.keys() & twos.keys():
        waiting.append((Graph(ones[name], keys, places(ones[name])), Graph(twos[name], keys, places(twos[name]))))
    while waiting:
        first, second = waiting.pop(0)
        pairs = match_nodes(first, second, (inner_keys(first, scopes[0]), inner_keys(second, scopes[1])))
        yield Comparison(first, second, pairs)
        waiting += bodies(first, second, pairs, scopes)


def _function_scopes(model: Model, scopes: Scopes) -> dict[tuple[str, str, str], Scope]:
    return {(f.domain, f.name, f.overload): scopes[("f", place)] for place, f in enumerate(model.proto.functions)}


def _functions(one: Model, two: Model) -> Iterator[Change]:
    ones, twos = ({(f.domain, f.name, f.overload) for f in model.proto.functions} for model in (one, two))
    for word, names in (("removed", ones - twos), ("added", twos - ones)):
        for name in sorted(names):
            title = f"{name[0]}.{name[1]}" + (f" ({name[2]})" if name[2] else "")
            yield Change("function", title, f"function {title} {word}")


def _journal(model: Model) -> dict[str, str]:
    """For each node or value that the journal of a repair names: the code of the rule."""
    text = next((entry.value for entry in model.proto.metadata_props if entry.key == JOURNAL), "")
    try:
        fixes = json.loads(text)["fixes"] if text else []
        return {str(node): str(fix["code"]) for fix in fixes for node in fix.get("nodes", ())}
    except (ValueError, KeyError, TypeError, AttributeError):  # written by somebody else
        return {}


def _explained(change: Change, journal: dict[str, str]) -> Change:
    rule = next((journal[name] for name in (change.subject, *change.old, *change.new) if name in journal), "")
    return replace(change, rule=rule) if rule else change
