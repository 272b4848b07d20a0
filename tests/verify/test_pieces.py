from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfix.model import load
from onnxfix.verify.labels import Label, label_of
from onnxfix.verify.oracle import Oracle
from onnxfix.verify.pieces import Pieces
from onnxfix.verify.runtime import CannotLoad, CannotRun, Session

X = np.random.default_rng(0).normal(size=(1, 3, 4, 4)).astype(np.float32)


def parse(opset: int, text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}')


def oracle(folder: Path, opset: int, text: str, *outputs: str) -> Oracle:
    onnx.save(parse(opset, text), folder / "m.onnx")
    return Oracle(folder / "m.onnx", outputs)


@pytest.mark.parametrize(
    ("opset", "node", "label"),
    [
        (11, "y = Upsample <scales = [1.0, 2.0]> (x)", Label(8)),
        (11, "y = Upsample (x, s)", Label(9)),
        (18, "y = ReduceMean <axes = [1]> (x)", Label(17)),
        (13, "y = Squeeze <axes = [1]> (x)", Label(12)),
        (17, "y = Relu (x)", Label(17)),
        (11, "y = Squeeze (x, a)", Label(13)),
        (6, "y = Relu (x)", Label(8)),
        (1, "y = Relu <consumed_inputs = [0]> (x)", Label(8)),
        (6, "y = Add (x, x)", Label(0, 6)),
        (5, 'y = Cast <to = "FLOAT"> (x)', Label(0, 1)),
        (1, "y = LpPool <kernel_shape = [1], p = 2.0> (x)", None),
        (
            6,
            "y = If <then_branch = a () => (t) { t = Relu(x) }, else_branch = b () => (e) { e = Neg(x) }> (c)",
            Label(8),
        ),
        (6, "y = If <then_branch = a () => (t) { t = Add(x, x) }, else_branch = b () => (e) { e = Neg(x) }> (c)", None),
    ],
)
def test_labels(opset: int, node: str, label: Label | None) -> None:
    model = parse(opset, f"g (float[1,1] x, float[2] s, int64[1] a, bool c) => (float[1] y) {{ {node} }}")
    assert label_of(model.graph.node[0], opset) == label


def test_model_with_a_foreign_node_and_no_outputs(tmp_path: Path) -> None:
    text = """g (float[1,3,4,4] x) => ()
    { a = Relu(x)  u = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (a)  y = Sigmoid(u) }"""
    run = oracle(tmp_path, 11, text, "y", "a")
    assert run.title == "ONNX Runtime (each node under the opset of its form)"
    got = run.run({"x": X})
    expected = 1 / (1 + np.exp(-np.maximum(X, 0).repeat(2, 2).repeat(2, 3)))
    np.testing.assert_allclose(got["y"], expected, rtol=1e-5)
    np.testing.assert_array_equal(got["a"], np.maximum(X, 0))


def test_legacy_model(tmp_path: Path) -> None:
    text = """g (float[1,3,4,4] x) => (float[1,3,4,4] y) <float[3] b = {1, 2, 3}>
    { a = Relu <consumed_inputs = [0]> (x)  c = Add <axis = 1, broadcast = 1> (a, b)  y = Neg(c) }"""
    run = oracle(tmp_path, 5, text, "y")
    assert run.title == "ONNX Runtime and numpy (Add of opset 5)"
    np.testing.assert_array_equal(run.run({"x": X})["y"], -(np.maximum(X, 0) + np.float32([1, 2, 3]).reshape(3, 1, 1)))


def test_control_flow_reads_values_of_other_pieces(tmp_path: Path) -> None:
    text = """g (float[1,3,4,4] x, bool c) => (float[1,3,4,4] y) <float[3] b = {1, 2, 3}>
    { a = Add <axis = 1, broadcast = 1> (x, b)
      y = If <then_branch = t () => (p) { p = Neg(a) }, else_branch = e () => (q) { q = Relu(a) }> (c) }"""
    run = oracle(tmp_path, 6, text, "y")
    shifted = X + np.float32([1, 2, 3]).reshape(3, 1, 1)
    np.testing.assert_array_equal(run.run({"x": X, "c": np.array(True)})["y"], -shifted)
    np.testing.assert_array_equal(run.run({"x": X, "c": np.array(False)})["y"], np.maximum(shifted, 0))


def test_reference_evaluator_is_the_last_resort(tmp_path: Path) -> None:
    run = oracle(tmp_path, 17, "g (double[2,2] x) => (double y) { y = Det(x) }", "y")
    assert run.run({"x": np.diag([2.0, 3.0])})["y"] == pytest.approx(6)
    assert run.title == "the reference evaluator of onnx"
    assert "Could not find an implementation for Det" in str(run.refused[0])


def test_training_nodes_cannot_run(tmp_path: Path) -> None:
    run = oracle(tmp_path, 6, "g (float[2,3] x) => (float[2,3] y) { y = Dropout(x) }", "y")
    with pytest.raises(CannotRun, match="Dropout with is_test = 0 is random"):
        run.run({"x": X})


def test_value_that_is_nowhere(tmp_path: Path) -> None:
    run = oracle(tmp_path, 17, "g (float[2] x) => (float[2] y) { y = Relu(x) }", "z")
    with pytest.raises((CannotLoad, CannotRun)):
        run.run({"x": X})


def test_large_weights_stay_outside_and_inner_ones_are_found(tmp_path: Path) -> None:
    model = parse(
        11,
        """g (float[64,64] x, bool c) => (float[64,64] y)
        { a = MatMul(x, w)  k = Upsample <scales = [1.0, 1.0]> (a)
          y = If <then_branch = t () => (p) { p = Add(k, v) }, else_branch = e () => (q) { q = Neg(k) }> (c) }""",
    )
    w, v = (np.random.default_rng(seed).normal(size=(64, 64)).astype(np.float32) for seed in (1, 2))
    model.graph.initializer.append(onnx.numpy_helper.from_array(w, "w"))
    branch = next(a.g for a in model.graph.node[2].attribute if a.name == "then_branch")
    branch.initializer.append(onnx.numpy_helper.from_array(v, "v"))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    loaded = load(tmp_path / "m.onnx")
    assert loaded.proto.ByteSize() < 4096
    x = np.eye(64, dtype=np.float32)
    got = Pieces(loaded, ["y", "w"]).run({"x": x, "c": np.array(True)})
    np.testing.assert_allclose(got["y"], w + v, rtol=1e-5)
    np.testing.assert_array_equal(got["w"], w)


STEPS = ["Relu(P)", "Neg(P)", "Add(P, Q)", "Mul(P, Q)", "Upsample <scales = [1.0, 1.0, 1.0, 1.0]> (P)", "Tanh(P)"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8))
def test_pieces_agree_with_the_whole(steps: list[tuple[str, int, int]]) -> None:
    """Cutting at the Upsample nodes of an opset 11 model gives what the opset 8 model gives in one go."""
    body = ""
    for index, (step, p, q) in enumerate(steps):
        values = ["x", *(f"v{n}" for n in range(index))]
        body += f"v{index} = {step.replace('P', values[p % len(values)]).replace('Q', values[q % len(values)])}\n"
    outputs = [f"v{n}" for n in range(len(steps))]
    text = f"g (float[1,3,4,4] x) => ({', '.join(f'float[1,3,4,4] {name}' for name in outputs)}) {{ {body} }}"
    whole = Session(parse(8, text).SerializeToString()).run({"x": X})
    cut = Pieces(load(parse(11, text)), outputs).run({"x": X})
    for name in outputs:
        np.testing.assert_array_equal(cut[name], whole[name])
