"""The search for the smallest model that still fails: over nodes, into bodies, then over what is left of each node."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from onnxfix.isolate.answers import Answer, Answers
from onnxfix.isolate.assume import with_assumed_types
from onnxfix.isolate.candidates import bridged, kept, lifted, without_inside
from onnxfix.isolate.checks import Check
from onnxfix.isolate.extract import neighbours
from onnxfix.isolate.minimal import culprits, thinned
from onnxfix.model import Model, load, save
from onnxfix.model.inference import typed_scopes
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope, scopes_of
from onnxfix.opset.inline import functions_of, inlined, recursive
from onnxfix.scratch import scratch

HOPS = (0, 1, 3)
"""So far around the node that a failure names, a small failing model is looked for first."""

_ROUNDS = 8


@dataclass
class Search:
    """The smallest failing model so far; `sign` tells its failure from others, `place` is where its main graph was.

    `values` says that the check looks at values, so that no node may be bridged and no graph lifted out of a node;
    `strict` that candidates must be valid.  A check is run up to `repeat` times, until it fails.  `passed` says that
    some candidate did not fail as the whole does.  `progress` gets (the current size, fraction done).
    """

    model: Model
    check: Check
    answers: Answers
    progress: Callable[[tuple[str, float]], object]
    values: bool = False
    strict: bool = False
    repeat: int = 1
    place: str = ""
    sign: str = ""
    passed: bool = False
    first: Answer = field(default_factory=Answer)
    checks: int = 0
    before: int = 0

    def begin(self) -> bool:
        """Ask for the whole model; False when it does not fail."""
        self.before = size_of(self.model)
        self.first = self._ask(self.model)
        self.sign = self.first.sign
        return self.first.failed

    def fails(self, proto: onnx.ModelProto | None) -> bool:
        """Whether a candidate fails as the whole does; one that does is the smallest so far."""
        if proto is None:
            return False
        candidate = self.model.with_proto(proto)
        if self.strict and typed_scopes(candidate)[1]:
            return False
        if self.answers.of(proto, lambda: self._ask(candidate).sign) != self.sign:
            self.passed = True
            return False
        self.model = candidate
        return True

    def lifts(self, proto: onnx.ModelProto | None, place: str) -> bool:
        """As `fails`, for a candidate whose main graph is the graph at `place` in the smallest so far."""
        fails = self.fails(proto)
        if fails:
            self.place = "/".join(filter(None, (self.place, place)))
        return fails

    def asked(self, file: Path) -> Answer:
        """The answer for a model in a file, whatever is known of it."""
        return self._answer(file, load(file))

    def fails_for_all(self) -> bool:
        """Whether the check has refused every candidate, and refuses a model of one other node in the same way."""
        if self.passed:
            return False
        used = {node.op_type for scope in scopes_of(self.model) for node in scope.nodes}
        operator = next((name for name in ("Identity", "Neg", "Abs", "Floor") if name not in used), "")
        return bool(operator) and self._ask(self.model.with_proto(_one(operator, self.model.proto))).sign == self.sign

    def typed(self) -> list[Scope]:
        """The scopes of the smallest so far, with types."""
        return typed_scopes(self.model)[0]

    def _ask(self, candidate: Model) -> Answer:
        with scratch() as folder:
            path = Path(folder, "candidate.onnx")
            save(candidate, path)
            return self._answer(path, candidate)

    def _answer(self, path: Path, candidate: Model) -> Answer:
        for _ in range(self.repeat):
            self._count()
            answer = self.check(path, candidate)
            if answer.failed:
                break
        return answer

    def _count(self) -> None:
        self.checks += 1
        left = size_of(self.model)
        self.progress((f"{self.checks} checks, {left} of {self.before} nodes left", _done(left, self.before)))


def _one(operator: str, like: onnx.ModelProto) -> onnx.ModelProto:
    """A model of one node that hands on what it is given, or nearly so."""
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node(operator, ["x"], ["y"])], "control", values[:1], values[1:])
    return onnx.helper.make_model(graph, opset_imports=like.opset_import, ir_version=like.ir_version)


def size_of(model: Model) -> int:
    """The nodes in all scopes, Constants not counted."""
    return sum(node.op_type != "Constant" for scope in scopes_of(model) for node in scope.nodes)


def _done(left: int, before: int) -> float:
    """How far a search is: each halving is as far as the one before, and one node is the end."""
    return 1 - math.log(max(left, 1)) / math.log(before) if before > 1 else 0.0


def search_nodes(search: Search) -> None:
    """Make the model smaller by whole nodes, and by the graphs and functions around them, until nothing helps."""
    if not search.values:
        search.fails(with_assumed_types(search.model))
    _named_nodes(search)
    for _ in range(_ROUNDS):
        before = search.model.proto
        _main_nodes(search)
        _into_functions(search)
        _into_bodies(search)
        if search.model.proto is before:
            return


def _named_nodes(search: Search) -> None:
    """What the failure itself names may be all: a node of the main graph, or one in a graph inside it."""
    scopes = search.typed()
    for label, index in search.first.nodes[:3]:
        scope = next((scope for scope in scopes if scope.label == label and not scope.is_function), None)
        if scope is None or index >= len(scope.nodes):
            continue
        for hops in HOPS:
            if search.lifts(kept(scope, neighbours(scope, [index], hops)), label):
                return


def _main_nodes(search: Search) -> None:
    scope = search.typed()[0]
    nodes = [index for index, node in enumerate(scope.nodes) if node.op_type != "Constant"]
    ways = (kept,) if search.values else (bridged, kept)
    for way in ways if len(nodes) > 1 else ():
        if _reduced(search, scope, nodes, way):
            return


def _reduced(
    search: Search,
    scope: Scope,
    nodes: Sequence[int],
    way: Callable[[Scope, Iterable[int]], onnx.ModelProto | None],
) -> bool:
    """Whether leaving nodes out made the model smaller; the smallest one is then the search's."""
    start = search.model
    found = culprits(nodes, lambda chosen: search.fails(way(scope, chosen)))
    smallest = way(scope, found) if len(found) < len(nodes) else None
    search.model = start
    return smallest is not None and search.fails(smallest)


def _into_functions(search: Search) -> None:
    """Functions become plain nodes where the model still fails without them."""
    proto = search.model.proto
    functions = functions_of(proto)
    circular = recursive(functions)
    wanted = [key for key in functions if key not in circular]
    if wanted:
        search.fails(inlined(proto, wanted, Names(scopes_of(search.model))))


def _into_bodies(search: Search) -> None:
    """A graph inside a node takes the place of the whole; or it loses nodes where it is."""
    for body in [scope for scope in search.typed()[1:] if not _in_function(scope)]:
        if not search.values and search.lifts(lifted(body), body.label):
            return
    for place in [scope.id for scope in search.typed()[1:] if not _in_function(scope)]:
        scopes = search.typed()
        for body in scopes:
            if body.id == place:
                _thin_body(search, scopes[0], body)


def _thin_body(search: Search, main: Scope, body: Scope) -> None:
    """The nodes that make the graph's outputs stay: an output that comes from outside is not allowed."""
    ends = {body.producer[name][0] for name in body.outputs if name in body.producer}
    free = [index for index, node in enumerate(body.nodes) if index not in ends and node.op_type != "Constant"]
    fixed = [index for index in range(len(body.nodes)) if index not in free]
    start = search.model.proto

    def fails(chosen: Sequence[int]) -> bool:
        return search.fails(without_inside(start, main, body, [*fixed, *chosen]))

    if free and not fails([]):
        thinned(free, fails)


def _in_function(scope: Scope) -> bool:
    return scope.id[:1] == ("f",)
