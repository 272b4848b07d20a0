"""Tree ensembles of ai.onnx.ml: TreeEnsembleRegressor, TreeEnsembleClassifier, and TreeEnsemble of version 5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.ml_classes import finish_classes
from onnxfix.decompose.ml_forest import DOUBLE, FLOAT, Forest, certain, gathered, reached
from onnxfix.decompose.ml_scores import probit, transformed
from onnxfix.decompose.op import Op

_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ", "MEMBER")


def tree_ensemble(op: Op) -> None:
    """All three operators; raises NoRewrite for labels that are texts and for trees without a comparison."""
    op.require(len(op.dims(0)) == 2, "the input does not have two axes")
    classifier = op.node.op_type == "TreeEnsembleClassifier"
    if classifier:
        _classifier(op)
    else:
        _regressor(op)


def _regressor(op: Op) -> None:
    newest = op.node.op_type == "TreeEnsemble"
    forest = _newest_forest(op) if newest else _named_forest(op, "target")
    how, transform = op.attribute("aggregate_function"), op.attribute("post_transform")
    if newest:
        how, transform = _AGGREGATES[int(how)], _TRANSFORMS[int(transform)]
    targets = int(op.attribute("n_targets", 1) or 1)
    x, dtype = _operand(op)
    scores = gathered(op, forest, reached(op, forest, x, dtype), targets, how, dtype)
    base = _list(op, "base_values")
    if base:
        told = certain(forest, targets)
        op.require(told, "ONNX Runtime and the standard do not agree on the base value where no leaf speaks")
        scores = op.make("Add", scores, op.const(np.array(base), dtype))
    if targets > 1:
        scores = transformed(op, scores, transform, dtype)
    else:
        told = transform in ("NONE", "PROBIT")
        op.require(told, f"ONNX Runtime and the standard do not agree on {transform} of one target")
        scores = probit(op, scores, dtype) if transform == "PROBIT" else scores
    op.finish(scores if newest or dtype == FLOAT else forms.cast(op, scores, FLOAT))


def _classifier(op: Op) -> None:
    forest = _named_forest(op, "class")
    count = len(op.attribute("classlabels_int64s") or op.attribute("classlabels_strings") or ())
    op.require(count > 0, "there are no labels")
    x, dtype = _operand(op)
    spoken = {target for leaf in forest.leaves.values() for target, _ in leaf}
    weights = [weight for leaf in forest.leaves.values() for _, weight in leaf]
    scores = gathered(op, forest, reached(op, forest, x, dtype), count, "SUM", dtype)
    base = _list(op, "base_values")
    if not (count == 2 and len(spoken) == 1):
        told = certain(forest, count)
        op.require(
            told or (min(weights) > 0 and not base), "some rows get no weight for a class, and ONNX Runtime skips it"
        )
    finish_classes(op, scores, count, spoken, base, min(weights, default=0.0) >= 0, dtype)


def _operand(op: Op) -> tuple[str, int]:
    """The input as float or double: the type in which ONNX Runtime compares."""
    dtype = op.dtype(0)
    return (op.input(0), dtype) if dtype in (FLOAT, DOUBLE) else (forms.cast(op, op.input(0), FLOAT), FLOAT)


def _list(op: Op, name: str) -> list[Any]:
    """An attribute that is a list, or a tensor under its own name or with `_as_tensor` behind it."""
    value = op.attribute(f"{name}_as_tensor")
    if value is None:
        value = op.attribute(name)
    if isinstance(value, onnx.TensorProto):
        return list(onnx.numpy_helper.to_array(value).reshape(-1).tolist())
    return list(value) if value is not None else []


def _named_forest(op: Op, kind: str) -> Forest:
    """The trees of versions 1 and 3, where a node is known by its tree and its number; `kind` is target or class."""
    trees, numbers = _list(op, "nodes_treeids"), _list(op, "nodes_nodeids")
    modes = [mode.removeprefix("BRANCH_") for mode in _list(op, "nodes_modes")]
    features, values = _list(op, "nodes_featureids"), _list(op, "nodes_values")
    missing = _list(op, "nodes_missing_value_tracks_true") or [0] * len(trees)
    after = list(zip(_list(op, "nodes_truenodeids"), _list(op, "nodes_falsenodeids"), strict=True))
    forest = Forest()
    keys = list(zip(trees, numbers, strict=True))
    op.require(len(set(keys)) == len(keys), "two nodes of a tree have one number")
    for mode, feature, value, lost in zip(modes, features, values, missing, strict=True):
        op.require(mode in (*_MODES[:6], "LEAF"), f"the mode {mode} is not known")
        forest.add("" if mode == "LEAF" else mode, feature, value, bool(lost))
    places = {key: place for place, key in enumerate(keys)}
    children: set[int] = set()
    for place, ((tree, _), pair) in enumerate(zip(keys, after, strict=True)):
        if forest.mode[place]:
            op.require(all((tree, number) in places for number in pair), "a node of a tree is missing")
            forest.yes[place], forest.no[place] = (places[tree, number] for number in pair)
            children.update((forest.yes[place], forest.no[place]))
    forest.roots = [place for place in range(len(keys)) if place not in children]
    op.require(len(forest.roots) == len(set(trees)), "a tree has not one root")
    _weigh(op, forest, places, kind)
    return forest


def _weigh(op: Op, forest: Forest, places: dict[tuple[int, int], int], kind: str) -> None:
    keys = zip(_list(op, f"{kind}_treeids"), _list(op, f"{kind}_nodeids"), strict=True)
    rows = zip(keys, _list(op, f"{kind}_ids"), _list(op, f"{kind}_weights"), strict=True)
    for place, mode in enumerate(forest.mode):
        if not mode:
            forest.leaves[place] = []
    for key, target, weight in rows:
        op.require(key in places and places[key] in forest.leaves, "a weight belongs to no leaf")
        forest.leaves[places[key]].append((target, weight))


def _newest_forest(op: Op) -> Forest:
    """The trees of version 5: nodes and leaves are numbered through, roots are listed."""
    modes = [_MODES[mode] for mode in _list(op, "nodes_modes")]
    features, values = _list(op, "nodes_featureids"), _list(op, "nodes_splits")
    missing = _list(op, "nodes_missing_value_tracks_true") or [0] * len(modes)
    sets = _memberships(_list(op, "membership_values"))
    forest = Forest()
    heads = [forest.add(*facts) for facts in zip(modes, features, values, map(bool, missing), strict=True)]
    targets, weights = _list(op, "leaf_targetids"), _list(op, "leaf_weights")
    leaves = []
    for target, weight in zip(targets, weights, strict=True):
        leaves.append(forest.add())
        forest.leaves[leaves[-1]] = [(target, weight)]
    wanted = _after(op, "true", heads, leaves), _after(op, "false", heads, leaves)
    for place, mode in enumerate(modes):
        forest.yes[place], forest.no[place] = wanted[0][place], wanted[1][place]
        if mode == "MEMBER":
            op.require(bool(sets) and bool(sets[0]), "the members of a set are missing")
            small = all(0 <= member < 32 for member in sets[0])
            op.require(small, "ONNX Runtime finds members of a set wrongly that are negative, or 32 and more")
            _chain(forest, place, sets.pop(0))
    forest.roots = [heads[root] for root in _list(op, "tree_roots")]
    return forest


def _after(op: Op, side: str, heads: Sequence[int], leaves: Sequence[int]) -> list[int]:
    """The places of the successors on one side."""
    numbers, is_leaf = _list(op, f"nodes_{side}nodeids"), _list(op, f"nodes_{side}leafs")
    rows = list(zip(numbers, is_leaf, strict=True))
    fits = all(0 <= number < len(leaves if leaf else heads) for number, leaf in rows)
    op.require(fits, "a node of a tree is missing")
    return [leaves[number] if leaf else heads[number] for number, leaf in rows]


def _memberships(values: Sequence[float]) -> list[list[float]]:
    """The sets of the MEMBER nodes; a NaN ends each."""
    sets: list[list[float]] = [[]]
    for value in values:
        if np.isnan(value):
            sets.append([])
        else:
            sets[-1].append(value)
    return sets


def _chain(forest: Forest, place: int, members: Sequence[float]) -> None:
    """A MEMBER node as one equality after the other, all with the same successor."""
    yes, no = forest.yes[place], forest.no[place]
    forest.mode[place], forest.threshold[place] = "EQ", members[0]
    for member in members[1:]:
        following = forest.add("EQ", forest.feature[place], member, forest.missing[place])
        forest.no[place], place = following, following
        forest.yes[place] = yes
    forest.no[place] = no
