"""Tree ensembles of ai.onnx.ml against ONNX Runtime: every row must end in the very leaf."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.forests import ALL_MODES, Rows, grown, model, rows_of_data
from tests.decompose.proving import builds, prove, reason

SEEDS = st.integers(0, 10_000)
DTYPES = st.sampled_from(["float32", "float64", "int64", "int32"])
MODES = st.sampled_from([("LEQ",), ("LT",), ALL_MODES])


@settings(max_examples=40, deadline=None)
@given(
    SEEDS,
    st.sampled_from(["float32", "float64"]),
    MODES,
    st.booleans(),
    st.sampled_from(["SUM", "AVERAGE", "MIN", "MAX"]),
    st.integers(1, 3),
)
def test_regressor(seed: int, dtype: str, modes: tuple[str, ...], missing: bool, how: str, targets: int) -> None:
    random = np.random.default_rng(seed)
    rows, leaves = grown(random, 3, modes, missing)
    for tree, numbers in enumerate(leaves):
        for number in numbers:
            rows.weights += [(tree, number, target, float(random.normal())) for target in range(targets)]
    base: dict[str, Any] = {} if seed % 2 else {"base_values": [0.5 - target for target in range(targets)]}
    transform = "SOFTMAX" if targets > 1 and seed % 3 == 0 else "NONE"
    made = model("target", rows, targets, dtype, aggregate_function=how, post_transform=transform, **base)
    prove(made, "OFX830", {"x": rows_of_data(random, dtype, missing)})


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from(["SUM", "MIN", "MAX"]))
def test_leaves_that_speak_of_one_target(seed: int, how: str) -> None:
    random = np.random.default_rng(seed)
    rows, leaves = grown(random, 3, ("LEQ",), False)
    for tree, numbers in enumerate(leaves):
        rows.weights += [(tree, number, int(random.integers(3)), float(random.normal())) for number in numbers]
    made = model("target", rows, 3, aggregate_function=how)
    prove(made, "OFX830", {"x": rows_of_data(random, "float32", False)})


TRANSFORMS = st.sampled_from(["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])


@settings(max_examples=30, deadline=None)
@given(SEEDS, DTYPES, TRANSFORMS, st.integers(3, 4), st.booleans())
def test_classes(seed: int, dtype: str, transform: str, classes: int, missing: bool) -> None:
    random = np.random.default_rng(seed)
    rows, leaves = grown(random, 4, ("LEQ",), missing)
    for tree, numbers in enumerate(leaves):
        for number in numbers:
            rows.weights += [(tree, number, target, float(random.normal())) for target in range(classes)]
    base: dict[str, Any] = {} if seed % 2 else {"base_values": [0.5 - target for target in range(classes)]}
    made = model("class", rows, classes, dtype, post_transform=transform, **base)
    prove(made, "OFX830", {"x": rows_of_data(random, dtype, missing)})


@settings(max_examples=30, deadline=None)
@given(SEEDS, TRANSFORMS, st.integers(0, 1), st.booleans(), st.booleans())
def test_two_classes_with_one_score(seed: int, transform: str, known: int, positive: bool, base: bool) -> None:
    random = np.random.default_rng(seed)
    rows, leaves = grown(random, 3, ("LT",), False)
    for tree, numbers in enumerate(leaves):
        for number in numbers:
            weight = float(random.normal())
            rows.weights.append((tree, number, known, abs(weight) / 3 if positive else weight))
    more: dict[str, Any] = {"base_values": [0.25]} if base and known == 0 else {}
    made = model("class", rows, 2, post_transform=transform, **more)
    prove(made, "OFX830", {"x": rows_of_data(random, "float32", False)})


def _one_split(kind: str, classes: int, ids: list[int], **more: Any) -> onnx.ModelProto:
    rows = Rows(
        [(0, 0, 0, 0.5, "BRANCH_LEQ", 1, 2, 0), (0, 1, 0, 0.0, "LEAF", 0, 0, 0), (0, 2, 0, 0.0, "LEAF", 0, 0, 0)]
    )
    rows.weights = [(0, leaf, target, 0.25 * leaf) for leaf in (1, 2) for target in ids]
    return model(kind, rows, classes, **more)


def test_thresholds_are_compared_exactly() -> None:
    """The float next to a threshold on either side, both zeros, infinities and NaN."""
    near = np.array([np.nextafter(np.float32(0.5), np.float32(side)) for side in (0, 1)])
    column = np.concatenate([near, [0.5, 0.0, -0.0, np.inf, -np.inf, np.nan]]).astype(np.float32)
    x = np.zeros((column.size, 4), dtype=np.float32)
    x[:, 0] = column
    prove(_one_split("target", 1, [0]), "OFX830", {"x": x})


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (_one_split("target", 1, [0], post_transform="LOGISTIC"), "do not agree on LOGISTIC of one target"),
        (_one_split("class", 2, [0, 1]), "choose different labels"),
        (_one_split("class", 2, [1], base_values=[0.5]), "does not use every base value"),
        (_one_split("target", 2, [0], base_values=[0.5, 1.0]), "where no leaf speaks"),
    ],
)
def test_what_runtime_and_standard_do_not_agree_on(made: onnx.ModelProto, why: str) -> None:
    assert why in reason(made, "OFX830")


def test_forest_in_tensorrt() -> None:
    random = np.random.default_rng(7)
    rows, leaves = grown(random, 20, ("LEQ",), True, depth=5)
    for tree, numbers in enumerate(leaves):
        rows.weights += [(tree, number, tree % 3, float(random.normal())) for number in numbers]
    made = model("class", rows, 3, post_transform="SOFTMAX")
    assert not builds(made)
    assert builds(prove(made, "OFX830", {"x": rows_of_data(random, "float32", True)}))


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from([0, 1, 2, 3]), st.sampled_from(["float32", "float64"]))
def test_trees_of_version_5(seed: int, how: int, dtype: str) -> None:
    """Two stumps, one of them asking for membership in a set."""
    random = np.random.default_rng(seed)
    tensor = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    members = [*(random.integers(0, 5, int(random.integers(1, 4))) / 2).tolist(), np.nan]
    node = onnx.helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=2,
        aggregate_function=how,
        membership_values=onnx.helper.make_tensor("m", tensor, [len(members)], [float(v) for v in members]),
        nodes_featureids=[0, 1, 2],
        nodes_splits=onnx.helper.make_tensor("s", tensor, [3], [0.5, 0.0, -0.5]),
        nodes_modes=onnx.helper.make_tensor("n", onnx.TensorProto.UINT8, [3], [0, 6, int(random.integers(0, 6))]),
        nodes_truenodeids=[0, 1, 3],
        nodes_trueleafs=[1, 1, 1],
        nodes_falsenodeids=[2, 2, 4],
        nodes_falseleafs=[0, 1, 1],
        leaf_targetids=[0, 1, 0, 1, 0],
        leaf_weights=onnx.helper.make_tensor("w", tensor, [5], random.normal(size=5).tolist()),
        tree_roots=[0, 1],
    )
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [onnx.helper.make_tensor_value_info("x", tensor, ["N", 4])],
        [onnx.helper.make_tensor_value_info("y", tensor, ["N", 2])],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("ai.onnx.ml", 5)], ir_version=10)
    prove(made, "OFX830", {"x": rows_of_data(random, dtype, False)})
