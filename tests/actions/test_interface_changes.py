"""Inputs frozen, shapes fixed, graphs cut: on request only, and proven against the original."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interface_models import changes, model, repaired, run

import onnxfix


@pytest.mark.parametrize("value", [1, [1], np.array([1]), (1,)])
def test_a_frozen_input(value: Any, tmp_path: Path) -> None:
    report = repaired(
        "g (float[2,3] x, int64[1] axes) => (float[a,b] y) { y = ReduceSum(x, axes) }", tmp_path, freeze={"axes": value}
    )
    assert report.verdict.outcome == "passed"
    assert changes(report) == [("input", "axes", "int64[1]", "constant int64[1] = 1")]
    assert run(tmp_path / "out.onnx", x=np.ones((2, 3), np.float32))[0].tolist() == [[3], [3]]


def test_the_original_gets_the_frozen_value(tmp_path: Path) -> None:
    """Any other axis would give another shape: the comparison must feed the value that was frozen."""
    text = "g (float[2,3] x, int64[n] axes) => (float[a,b] y) { y = ReduceSum(x, axes) }"
    assert repaired(text, tmp_path, freeze={"axes": [0, 1]}).verdict.outcome == "passed"


def test_frozen_beside_recorded_inputs(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.ones((2, 3), np.float32), k=np.array([1]))
    text = "g (float[2,3] x, int64[1] k) => (float[a,b] y, int64[a,b] i) { y, i = TopK(x, k) }"
    report = repaired(text, tmp_path, freeze={"k": 2}, inputs=tmp_path / "in.npz")
    assert (report.verdict.outcome, report.interface[0].after) == ("passed", "constant int64[1] = 2")


def test_recorded_inputs_are_frozen_only_where_the_target_asks(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.ones((2, 3), np.float32), a=np.array([1]), z=np.ones(3, np.float32))
    onnx.save(
        model("g (float[2,3] x, int64[1] a, float[3] z) => (float[p,q] y) { s = ReduceSum(x, a) y = Add(s, z) }"),
        tmp_path / "m.onnx",
    )
    arguments: dict[str, Any] = {"target": "rtx1.7", "inputs": tmp_path / "in.npz"}
    kept = onnxfix.repair(tmp_path / "m.onnx", tmp_path / "kept.onnx", **arguments)
    told = [held.reason for held in kept.withheld if held.diagnostic.rule == "run-time-parameter"]
    assert told == ["changes the interface: pass --allow-interface-changes to apply it"]
    assert not kept.interface
    report = onnxfix.repair(tmp_path / "m.onnx", tmp_path / "out.onnx", interface_changes=True, **arguments)
    assert changes(report) == [("input", "a", "int64[1]", "constant int64[1] = 1")]
    assert report.verdict.outcome == "passed"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"freeze": {"q": 1}}, "--freeze: no input is called 'q' (there are: x, k)"),
        ({"freeze": {"k": 1.5}}, "--freeze: the value of 'k' is not int64: 1.5"),
        ({"freeze": {"k": [1, 2]}}, "--freeze: the value of 'k' has the shape [2], the input [1]"),
        (
            {"freeze": {"k": "one"}},
            "--freeze: the value of 'k' is not int64: one",
        ),
        ({"shapes": {"x": (1, 3)}}, "--shape: input 'x' has 3 dimensions, [N, 3, W], and 2 sizes are given"),
        (
            {"shapes": {"x": (1, 4, 5)}},
            "--shape: axis 1 of 'x' is always 3 in the model and cannot be 4 "
            "(only free sizes, and a batch at axis 0, can change)",
        ),
        ({"shapes": {"x": (-1, 3, 5)}}, "--shape: axis 0 of 'x' cannot be -1"),
        (
            {"shapes": {"k": (1,)}, "freeze": {"k": 1}},
            "--shape: input 'k' is frozen and given a shape (leave one of them out)",
        ),
        (
            {"cut": "Nothing"},
            "--cut: no node or operator is called 'Nothing' "
            "(give the name of a node of the main graph, or its operator)",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(asked: dict[str, Any], told: str, tmp_path: Path) -> None:
    text = "g (float[N,3,W] x, int64[1] k) => (float[N,3,V] y, int64[N,3,V] i) { y, i = TopK(x, k) }"
    with pytest.raises(onnxfix.OnnxfixError) as caught:
        repaired(text, tmp_path, **asked)
    assert str(caught.value) == told
    assert not (tmp_path / "out.onnx").exists()


def test_contradicting_shapes(tmp_path: Path) -> None:
    with pytest.raises(onnxfix.OnnxfixError, match="dimension 'N' would be 1 in 'x' and 2 in 'z'"):
        repaired(
            "g (float[N,3] x, float[N,3] z) => (float[N,3] y) { y = Add(x, z) }",
            tmp_path,
            shapes={"x": (1, 3), "z": (2, 3)},
        )


def test_fixed_dimensions(tmp_path: Path) -> None:
    text = "g (float[N,3,W] x, float[N,1,1] s) => (float[N,3,W] y) { y = Mul(x, s) }"
    report = repaired(text, tmp_path, shapes={"x": (2, 3, 8)})
    assert report.verdict.outcome == "passed"
    assert [change[3] for change in changes(report)] == ["float[2,3,8]", "float[2,1,1]", "float[2,3,8]"]
    fixed = onnx.load(tmp_path / "out.onnx").graph
    assert [dim.dim_value for dim in fixed.output[0].type.tensor_type.shape.dim] == [2, 3, 8]


def test_an_output_that_is_not_what_it_declares(tmp_path: Path) -> None:
    """PyTorch names the first axis of an output after the batch although the model puts two rows there."""
    text = "g (float[N,3] x, float[N,3] z) => (float[N,3] y) { a = Add(x, z) y = Concat <axis = 0> (a, a) }"
    report = repaired(text, tmp_path, shapes={"x": (1, 3)})
    assert report.verdict.outcome == "passed"
    given = onnx.load(tmp_path / "out.onnx").graph.input
    assert [[dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in given] == [[1, 3], [1, 3]]


NMS = """g (float[1,6,4] b, float[1,1,6] s) => (int64[n,3] y, float[1,6,4] z)
<int64 k = {3}, float half = {0.5}>
{ boxes = Relu(b) scores = Sigmoid(s) [nms] y = NonMaxSuppression(boxes, scores, k, half) z = Neg(boxes) }"""


@pytest.mark.parametrize("where", ["nms", "NonMaxSuppression", "y"])
def test_a_cut(where: str, tmp_path: Path) -> None:
    report = repaired(NMS, tmp_path, cut=where)
    assert report.verdict.outcome == "passed"
    assert changes(report) == [
        ("output", "y", "int64[n,3]", "in the rest: int64[n,3]"),
        ("output", "boxes", "", "float[1,6,4]"),
        ("output", "scores", "", "float[1,1,6]"),
    ]
    assert report.rest == str(tmp_path / "out.rest.onnx")
    rng = np.random.default_rng(1)
    feeds = {"b": rng.uniform(size=(1, 6, 4)).astype("f"), "s": rng.normal(size=(1, 1, 6)).astype("f")}
    z, boxes, scores = run(tmp_path / "out.onnx", **feeds)
    (y,) = run(tmp_path / "out.rest.onnx", boxes=boxes, scores=scores)
    whole = run(tmp_path / "m.onnx", **feeds)
    assert np.array_equal(y, whole[0])
    assert np.array_equal(z, whole[1])


def test_a_dry_cut_writes_nothing(tmp_path: Path) -> None:
    report = repaired(NMS, tmp_path, cut="nms", dry_run=True)
    assert (report.output, report.rest) == ("", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx"]


def test_nothing_asked_for_changes_nothing(tmp_path: Path) -> None:
    report = repaired("g (float[1,3] x) => (float[1,3] y) { y = Relu(x) }", tmp_path)
    assert (report.fixes, report.interface) == ((), ())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=8), st.data())
@settings(max_examples=25, deadline=None)
def test_any_graph_cut_anywhere_is_the_whole(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    """Random graphs with stored tensors, shared values, several outputs, and values that a branch captures."""
    values = ["x", "z", "w"]
    lines = []
    for number, (one, other) in enumerate(pairs):
        a, b = values[one % len(values)], values[other % len(values)]
        if number % 3 == 2:
            branch = f"then_branch = t () => (float[2] p{number}) {{ p{number} = Add({a}, {b}) }}"
            other_branch = f"else_branch = e () => (float[2] q{number}) {{ q{number} = Neg({b}) }}"
            lines.append(f"v{number} = If (c) <{branch}, {other_branch}>")
        else:
            lines.append(f"v{number} = {'Mul' if number % 2 else 'Sub'}({a}, {b})")
        values.append(f"v{number}")
    made = values[3:]
    outputs = sorted({*data.draw(st.lists(st.sampled_from(made), max_size=3)), made[-1]})
    declared = ", ".join(f"float[2] {name}" for name in outputs)
    text = f"g (bool c, float[2] x, float[2] z) => ({declared}) <float[2] w = {{1, 2}}> {{ {' '.join(lines)} }}"
    where = data.draw(st.sampled_from(made[1:]))
    with tempfile.TemporaryDirectory() as folder:
        report = repaired(text, Path(folder), cut=where)
    if report.verdict.checks:
        assert report.verdict.outcome == "passed", [check.reason for check in report.verdict.checks]
