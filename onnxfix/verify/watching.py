"""Every value of a model watched while it runs, in the graphs inside nodes and in functions too; runs in the sandbox.

The main graph is one session, whose values are asked for a few at a time.  A graph inside a node is a session of its
own, run step by step on what flows at its border, so that no more than one step is in memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeGuard

import numpy as np

from onnxfix.errors import OnnxfixError
from onnxfix.model import Model, load, save
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope, name_in_paths, scopes_of, subgraphs
from onnxfix.opset.inline import called
from onnxfix.sandbox.progress import tell
from onnxfix.verify.figures import figures_of, merged
from onnxfix.verify.functions import bound
from onnxfix.verify.runtime import CannotLoad, CannotRun, Session
from onnxfix.verify.steps import CannotStep, steps
from onnxfix.verify.units import Asked, Feeds, Place, Unit, alone, captures, shown, unit, with_inputs

INSIDE = "inside.onnx"
"""The file beside the model that holds the graph in which a value first was not finite."""

Want = Literal["figures", "arrays", "inside"]
"""Figures of all values; the arrays of the main graph and nothing of graphs inside nodes; or figures, and the graph
inside a node in which a value first was not finite, in the file INSIDE."""

Order = tuple[float, ...]
"""When a value is made: place of the node, step, place of the node inside, step, …, infinity."""


Key = tuple[Place, str]
"""The graph that a value belongs to, and its name there."""


@dataclass
class Seen:
    """A value so far: its path, the scope's, what makes it, and its figures over all runs."""

    name: str
    scope: str
    node: str
    op_type: str
    index: int
    figures: dict[str, Any] = field(default_factory=dict)
    runs: int = 0
    flawed_run: int = -1


@dataclass(frozen=True)
class Found:
    """What came out. `first` is the index in `seen` of the value that first was not finite although all that its node
    reads was, -1 without one.

    `fed` is what its graph was fed when that is a graph inside a node.
    """

    seen: tuple[Seen, ...]
    skipped: tuple[tuple[str, str], ...]
    arrays: Mapping[str, Any]
    choice: int
    first: int = -1
    fed: Feeds | None = None


def watch_here(path: str, asked: Asked, choices: Sequence[Feeds], want: Want) -> Found:
    """Run a model on the first of the choices that it takes, and watch the values in `asked`.

    The file has the model as `units.shown` gives it.  Raises OnnxfixError.
    """
    try:
        return _Watcher(Path(path).parent, want).run(Path(path), asked, choices)
    except (CannotLoad, CannotRun) as error:
        raise OnnxfixError(f"ONNX Runtime does not run it: {error}") from None


@dataclass(frozen=True)
class Birth:
    """A value that is not finite although all that its node reads is: when, which, in what graph, fed with what."""

    when: Order
    key: Key
    model: Model
    feeds: Feeds


class _Watcher:
    """One run of a model."""

    def __init__(self, folder: Path, want: Want) -> None:
        self._folder, self._want = folder, want
        self._units: dict[Place, Unit] = {}
        self._seen: dict[Key, Seen] = {}
        self._skipped: dict[str, str] = {}
        self._idle: dict[Place, str] = {}
        self._arrays: dict[str, Any] = {}
        self._first: Birth | None = None
        self._around: dict[Key, Birth] = {}

    def run(self, file: Path, asked: Asked, choices: Sequence[Feeds]) -> Found:
        """Runs it, and gathers what was seen in the order of the nodes."""
        model = load(file)
        main = unit((), "", scopes_of(model)[0], model, asked, self._want != "arrays", file)
        choice = _taken(main.session, choices)
        self._graph(main, choices[choice], (), ())
        keys = sorted(self._seen, key=lambda key: (*key[0], self._seen[key].index, math.inf))
        skipped = {path: "it did not run" for path in self._idle.values() if path} | self._skipped
        found = Found(tuple(map(self._seen.__getitem__, keys)), tuple(skipped.items()), self._arrays, choice)
        births = [self._first, *(birth for birth in self._around.values() if not self._is_flawed_inside(birth))]
        first = min(filter(None, births), key=lambda birth: birth.when, default=None)
        if first is None:
            return found
        key, graph, feeds = first.key, first.model, first.feeds
        found = replace(found, first=keys.index(key))
        if not key[0] or self._want != "inside":
            return found
        save(with_inputs(graph, feeds, sized=True), self._folder / INSIDE, embed=True)
        return replace(found, fed=feeds)

    def _graph(self, graph: Unit, feeds: Feeds, wanted: Sequence[str], order: Order) -> list[Any]:
        """Watch one run of a graph, and of those inside it; gives the wanted values."""
        for name, value in graph.watched(feeds):
            if self._want == "arrays":
                self._arrays[name] = value
            elif _plain(value):
                self._note(graph, name, value, feeds, order)
            else:
                self._skipped["/".join(filter(None, (graph.path, name)))] = "it holds no plain numbers"
        for index, values in graph.entered(feeds):
            node = graph.scope.nodes[index]
            path = "/".join(filter(None, (graph.path, name_in_paths(node, index))))
            try:
                self._enter(graph, index, path, values, (*order, index))
            except (CannotLoad, CannotRun, CannotStep, OnnxfixError) as error:
                self._skipped[path] = f"values inside its graphs are not watched: {error}"
            if not graph.place:  # nothing below this node runs again
                self._units.clear()
        found = graph.values(feeds, wanted)
        return [found[name] for name in wanted]

    def _note(self, graph: Unit, name: str, value: Any, feeds: Feeds, order: Order) -> None:
        key = graph.place, name
        seen = self._seen[key] = self._seen.get(key) or _unseen(graph, name)
        figures = figures_of(value)
        seen.figures = merged(seen.figures, figures) if seen.runs else figures
        if figures.get("nan") or figures.get("infinite"):
            seen.flawed_run = seen.runs if seen.flawed_run < 0 else seen.flawed_run
            if self._is_made(graph, seen.index, figures, feeds):
                birth = Birth((*order, seen.index, math.inf), key, graph.model, feeds)
                if seen.index in dict(graph.borders):
                    self._around.setdefault(key, birth)
                elif self._first is None or birth.when < self._first.when:
                    self._first = birth
        seen.runs += 1
        if seen.runs == 1:
            tell(len(self._seen))

    def _is_made(self, graph: Unit, index: int, figures: Mapping[str, Any], feeds: Feeds) -> bool:
        """Whether what a node makes is not finite although all that it reads is: a mask of -inf is only handed on."""
        kind = "nan" if figures.get("nan") else "infinite"
        read = dict(graph.borders).get(index, graph.scope.nodes[index].input)
        return not any(self._holds(graph, name, feeds, kind) for name in read if name)

    def _holds(self, graph: Unit, name: str, feeds: Feeds, kind: str) -> bool:
        seen = self._seen.get((graph.place, name))
        if seen is not None:
            return bool(seen.figures.get(kind))
        value = feeds[name] if name in feeds else graph.scope.array(name)
        arrays = value if isinstance(value, list) else [value]
        return any(figures_of(array).get(kind) for array in arrays if _plain(array))

    def _is_flawed_inside(self, birth: Birth) -> bool:
        """Whether something inside the node that makes the value was not finite: it was made there, or handed on."""
        inside = (*birth.key[0], self._seen[birth.key].index)
        return any(seen.flawed_run >= 0 for key, seen in self._seen.items() if key[0][: len(inside)] == inside)

    def _enter(self, graph: Unit, index: int, path: str, values: Feeds, order: Order) -> None:
        """What is inside a node that reads these values: the function that it calls, or its graphs, step by step."""
        node = graph.scope.nodes[index]
        function = graph.functions.get(called(node))
        if function is not None:
            fed = {own: values[name] for own, name in zip(function.input, node.input, strict=False) if name}
            call = graph.model.with_proto(bound(graph.model.proto, function, node))
            self._graph(self._made((*graph.place, index, 0), path, scopes_of(call)[0], None, fed), fed, (), (*order, 0))
            return
        play, step, after = steps(node, graph.scope.opset, values), 0, None
        bodies = {attribute: graph.scope.inner[index, attribute, 0] for attribute, _, _ in subgraphs(node)}
        places = {name: (*graph.place, index, number) for number, name in enumerate(bodies)}
        outside = {name: captures(body) for name, body in bodies.items()}
        for name, place in places.items():
            self._idle.setdefault(place, f"{path}/{name}")
        while True:
            try:
                attribute, own = play.send(after)  # type: ignore[arg-type]
            except StopIteration:
                return
            self._idle[places[attribute]] = ""
            body = bodies[attribute]
            fed = {name: values[name] for name in outside[attribute]} | dict(zip(body.inputs, own, strict=True))
            inner = self._made(places[attribute], f"{path}/{attribute}", body, graph.known, fed)
            after = self._graph(inner, fed, body.outputs, (*order, step))
            step += 1

    def _made(self, place: Place, path: str, body: Scope, known: Asked | None, feeds: Feeds) -> Unit:
        """The unit of a graph inside a node, or of a function (which knows no sizes), made when it first runs."""
        if place not in self._units:
            model = alone(body, feeds) if body.id else with_inputs(body.model, feeds)
            file = self._folder / f"inside{len(self._units)}.onnx"
            save(shown(body, model, known, True), file)
            self._units[place] = unit(place, path, body, model, known, True, file)
        return self._units[place]


def _plain(value: Any) -> TypeGuard[Array]:
    return isinstance(value, np.ndarray) and (value.dtype.kind in "biuf" or value.dtype.name == "bfloat16")


def _unseen(graph: Unit, name: str) -> Seen:
    index = graph.scope.producer[name][0]
    node = graph.scope.nodes[index]
    said = "/".join(filter(None, (graph.path, node.name))) if node.name else ""
    return Seen("/".join(filter(None, (graph.path, name))), graph.path, said, node.op_type, index)


def _taken(session: Session, choices: Sequence[Feeds]) -> int:
    """The first of the choices that the model runs on; the outputs are not looked at."""
    for place, feeds in enumerate(choices[:-1]):
        try:
            session.run(feeds, session.outputs[:1])
        except CannotRun:
            continue
        return place
    return len(choices) - 1
