"""Random tree ensembles, as models of one node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.random import Generator

from onnxfix.model.model import Array

FEATURES = 4
ALL_MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")


@dataclass
class Rows:
    """One row for each node: tree, number, feature, threshold, mode, successors, missing; and the weights."""

    nodes: list[tuple[int, int, int, float, str, int, int, int]] = field(default_factory=list)
    weights: list[tuple[int, int, int, float]] = field(default_factory=list)


def grown(
    random: Generator, trees: int, modes: Sequence[str], missing: bool, depth: int = 3
) -> tuple[Rows, list[list[int]]]:
    """Trees whose thresholds are halves, so that equal values meet them, and the numbers of their leaves."""
    rows, leaves = Rows(), []
    for tree in range(trees):
        numbers: list[int] = []
        nodes: dict[int, tuple[int, int, int, float, str, int, int, int]] = {}

        def grow(
            left: int,
            tree: int = tree,
            nodes: dict[int, tuple[int, int, int, float, str, int, int, int]] = nodes,
            numbers: list[int] = numbers,
        ) -> int:
            own = len(nodes)
            nodes[own] = (tree, own, 0, 0.0, "LEAF", 0, 0, 0)
            if left == 0 or (own > 0 and random.random() < 0.25):
                numbers.append(own)
                return own
            threshold, mode = float(random.integers(-3, 4)) / 2, "BRANCH_" + str(random.choice(list(modes)))
            yes, no = grow(left - 1), grow(left - 1)
            feature, lost = int(random.integers(FEATURES)), int(missing and random.integers(2))
            nodes[own] = (tree, own, feature, threshold, mode, yes, no, lost)
            return own

        grow(depth)
        rows.nodes += [nodes[number] for number in sorted(nodes)]
        leaves.append(numbers)
    return rows, leaves


def model(kind: str, rows: Rows, classes: int, dtype: str = "float32", **more: Any) -> onnx.ModelProto:
    """`kind` is "target" (a regressor of so many targets) or "class"; `more` are further attributes."""
    trees, numbers, features, values, modes, yes, no, missing = (
        list(column) for column in zip(*rows.nodes, strict=True)
    )
    columns = [list(column) for column in zip(*rows.weights, strict=True)]
    own: dict[str, Any] = dict(
        zip((f"{kind}_{n}" for n in ("treeids", "nodeids", "ids", "weights")), columns, strict=True)
    )
    node = onnx.helper.make_node(
        "TreeEnsembleRegressor" if kind == "target" else "TreeEnsembleClassifier",
        ["x"],
        ["p"] if kind == "target" else ["l", "p"],
        domain="ai.onnx.ml",
        nodes_treeids=trees,
        nodes_nodeids=numbers,
        nodes_featureids=features,
        nodes_values=values,
        nodes_modes=modes,
        nodes_truenodeids=yes,
        nodes_falsenodeids=no,
        nodes_missing_value_tracks_true=missing,
        **own,
        **more,
    )
    if kind == "target":
        node.attribute.append(onnx.helper.make_attribute("n_targets", classes))
    else:
        node.attribute.append(onnx.helper.make_attribute("classlabels_int64s", [3 * n + 1 for n in range(classes)]))
    x = onnx.helper.make_tensor_value_info("x", onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), ["N", FEATURES])
    made = [onnx.helper.make_tensor_value_info("p", 1, ["N", classes])]
    if kind == "class":
        made.insert(0, onnx.helper.make_tensor_value_info("l", 7, ["N"]))
    graph = onnx.helper.make_graph([node], "forest", [x], made)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8)


def rows_of_data(random: Generator, dtype: str, missing: bool) -> Array:
    """Halves, with NaN here and there."""
    values = random.integers(-4, 5, (30, FEATURES)) / 2
    if dtype.startswith("int"):
        return (values * 2).astype(dtype)
    values = values.astype(dtype)
    if missing:
        values[random.random(values.shape) < 0.2] = np.nan
    return values
