"""Decision trees as tables, and the walk down all trees at once, level by level, that reads them.

A node of any tree has one place in the tables: feature, threshold, kind of comparison, the places of its two
successors.  A leaf follows itself.  The walk holds the place of every row in every tree (rows x trees) and costs a
few small gathers for each level: linear in rows, trees and depth.  Comparisons are those of the operator, in the type
of the input, so every row ends in the very leaf.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op

DEPTH = 256
"""More levels than this are not written out."""

LARGE = 1 << 26
"""A table of the weights of all nodes by target is not larger than this."""

COMPARISONS = {
    "LEQ": "Less|Equal",
    "LT": "Less",
    "GTE": "Greater|Equal",
    "GT": "Greater",
    "EQ": "Equal",
    "NEQ": "!Equal",
}
"""The operators, joined by Or or negated, that make a comparison at every opset."""

FLOAT, DOUBLE, BOOL = 1, 11, 9


@dataclass
class Forest:
    """The tables; `mode` is a key of COMPARISONS or "" for a leaf, `leaves` holds (target, weight) by place."""

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    mode: list[str] = field(default_factory=list)
    missing: list[bool] = field(default_factory=list)
    yes: list[int] = field(default_factory=list)
    no: list[int] = field(default_factory=list)
    leaves: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    roots: list[int] = field(default_factory=list)

    def add(self, mode: str = "", feature: int = 0, threshold: float = 0.0, missing: bool = False) -> int:
        """A new node that follows itself; its place is returned."""
        place = len(self.mode)
        self.mode.append(mode)
        self.feature.append(feature)
        self.threshold.append(threshold)
        self.missing.append(missing)
        self.yes.append(place)
        self.no.append(place)
        return place

    def depth(self, op: Op) -> int:
        """The number of comparisons on the longest way; NoRewrite for cycles and for trees that are too deep."""
        level = set(self.roots)
        for count in range(DEPTH + 1):
            level = {after for place in level if self.mode[place] for after in (self.yes[place], self.no[place])}
            if not level:
                return count
        op.require(False, f"the trees have more than {DEPTH} levels")
        return 0


def reached(op: Op, forest: Forest, x: str, dtype: int) -> str:
    """The place of the leaf that each row of x (rows, features) reaches in each tree, as (rows, trees) of int64."""
    op.require(op.opset >= 11, "GatherElements needs opset 11")
    depth = forest.depth(op)
    op.require(depth > 0, "no tree compares anything")
    tables = _Tables(op, forest, dtype)
    roots = np.array(forest.roots, dtype=np.int64)
    features = np.array(forest.feature, dtype=np.int64)[roots]
    values = op.make("Gather", x, op.const(features), axis=1)
    places = tables.step(values, roots)
    for _ in range(depth - 1):
        values = op.make("GatherElements", x, tables.look_up("feature", places), axis=1)
        places = tables.step(values, places)
    return places


class _Tables:
    """The tables as constants, each made when it is first asked for."""

    def __init__(self, op: Op, forest: Forest, dtype: int) -> None:
        self.op, self.dtype = op, dtype
        kind = onnx_kind(dtype)
        self.modes = sorted({mode for mode in forest.mode if mode})
        self.some_missing = any(forest.missing)
        self.arrays = {
            "feature": np.array(forest.feature, dtype=np.int64),
            "threshold": np.array(forest.threshold, dtype=kind),
            "missing": np.array(forest.missing, dtype=bool),
            "yes": np.array(forest.yes, dtype=np.int64),
            "no": np.array(forest.no, dtype=np.int64),
            **{mode: np.array([own == mode for own in forest.mode]) for mode in self.modes},
        }
        self.constants: dict[str, str] = {}

    def look_up(self, name: str, places: str | NDArray[np.int64]) -> str:
        """A column of the tables at places that are computed, or known."""
        if not isinstance(places, str):
            return self.op.const(self.arrays[name][places])
        if name not in self.constants:
            self.constants[name] = self.op.const(self.arrays[name])
        return self.op.make("Gather", self.constants[name], places, axis=0)

    def step(self, values: str, places: str | NDArray[np.int64]) -> str:
        """One level down."""
        threshold = self.look_up("threshold", places)
        holds = ""
        for mode in self.modes:
            held = self._compared(mode, values, threshold)
            if len(self.modes) > 1:
                held = self.op.make("And", held, self.look_up(mode, places))
            holds = self.op.make("Or", holds, held) if holds else held
        if self.some_missing:
            lost = self.op.make("And", self.op.make("IsNaN", values), self.look_up("missing", places))
            holds = self.op.make("Or", holds, lost)
        return self.op.make("Where", holds, self.look_up("yes", places), self.look_up("no", places))

    def _compared(self, mode: str, values: str, threshold: str) -> str:
        form = COMPARISONS[mode]
        if form.startswith("!"):
            return self.op.make("Not", self.op.make(form[1:], values, threshold))
        found = [self.op.make(name, values, threshold) for name in form.split("|")]
        return found[0] if len(found) == 1 else self.op.make("Or", *found)


def onnx_kind(dtype: int) -> type:
    """The numpy type of float or double."""
    return np.float64 if dtype == DOUBLE else np.float32


def certain(forest: Forest, targets: int) -> bool:
    """Whether every row gets a weight for every target: each has a tree all of whose leaves speak of it."""
    trees = [_leaves_below(forest, root) for root in forest.roots]
    spoken = [set.intersection(*({t for t, _ in forest.leaves[leaf]} for leaf in tree)) for tree in trees]
    return set(range(targets)) <= set().union(*spoken)


def _leaves_below(forest: Forest, root: int) -> list[int]:
    pending, seen = [root], {root}
    while pending:
        place = pending.pop()
        following = {forest.yes[place], forest.no[place]} - seen
        seen |= following
        pending += following
    return [place for place in seen if place in forest.leaves]


def gathered(op: Op, forest: Forest, places: str, targets: int, how: str, dtype: int) -> str:
    """What the reached leaves say of each target, joined over the trees: (rows, targets).

    `how` is SUM, AVERAGE, MIN or MAX.  A target of which no leaf speaks has 0.
    """
    size, kind = len(forest.mode), onnx_kind(dtype)
    op.require(size * targets <= LARGE, "the trees have too many nodes and targets for a table")
    told = np.zeros((size, targets), dtype=bool)
    weights: NDArray[Any] = np.zeros((size, targets), dtype=kind)
    join = {"MIN": np.minimum, "MAX": np.maximum}.get(how, np.add)
    for place, leaf in forest.leaves.items():
        for target, weight in leaf:
            known = told[place, target]
            weights[place, target] = join(weights[place, target], kind(weight)) if known else weight
            told[place, target] = True
    extreme = how in ("MIN", "MAX")
    if extreme:
        weights[~told] = np.inf if how == "MIN" else -np.inf
    leaves = op.make("Gather", op.const(weights), places, axis=0)
    name = {"MIN": "ReduceMin", "MAX": "ReduceMax", "AVERAGE": "ReduceMean"}.get(how, "ReduceSum")
    joined = forms.reduce(op, name, leaves, [1], keepdims=False)
    if extreme and not certain(forest, targets):
        spoken = op.make("Gather", op.const(told.astype(kind)), places, axis=0)
        some = op.make("Greater", forms.reduce(op, "ReduceMax", spoken, [1], keepdims=False), op.const(kind(0)))
        joined = op.make("Where", some, joined, op.const(kind(0)))
    return joined
