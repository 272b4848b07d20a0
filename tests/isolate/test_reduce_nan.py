"""`reduce --check nan`: the node that makes NaN or infinity, also inside bodies and functions, with what it was fed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxfix
from onnxfix.verify.runtime import Session

HEAD = '<ir_version: 8, opset_import: ["" : 17, "own" : 1]>\n'

BODIES = {
    "branch": (
        """g (float[2] x, bool c) => (float[2] z) { a = Abs(x) [f] z = If (c)
        <then_branch = t () => (float[2] u) { b = Neg(a) l = Log(b) u = Relu(l) },
        else_branch = e () => (float[2] v) { b = Neg(a) l = Log(b) v = Tanh(l) }> }""",
        "Log",
        "f/",
    ),
    "loop": (
        """g (float[2] x, bool c) => (float[2] z) <int64 n = {9}, float big = {1e9}>
        { a = Exp(x) [l] z = Loop (n, c, a) <body = b (int64 i, bool go, float[2] v) => (bool next, float[2] u)
        { next = Identity(go) m = Abs(v) s = Mul(m, big) u = Relu(s) }> }""",
        "Mul",
        "l/body/s",
    ),
    "nested": (
        """g (float[2] x, bool c) => (float[2] z) <int64 n = {3}, float one = {1}>
        { a = Exp(x) [l] z = Loop (n, c, a) <body = b (int64 i, bool go, float[2] v) => (bool next, float[2] u)
        { next = Identity(go) m = Abs(v) [f] u = If (go) <then_branch = t () => (float[2] p)
        { k = Neg(m) q = Sqrt(k) p = Add(q, one) }, else_branch = e () => (float[2] r) { r = Neg(v) }> }> }""",
        "Sqrt",
        "l/body/f/then_branch/q",
    ),
    "function": (
        """g (float[2] x, bool c) => (float[2] z) { a = Exp(x) [call] b = own.f <k = -1.0> (a) z = Relu(b) }
        <domain: "own", opset_import: ["" : 17]> f <k> (v) => (u)
        { c = Constant <value_float: float = @k> () m = Mul(v, c) u = Log(m) }""",
        "Log",
        "call/u",
    ),
}


@pytest.mark.parametrize("kind", list(BODIES))
def test_a_failing_node_is_lifted_out(kind: str, tmp_path: Path) -> None:
    text, operator, place = BODIES[kind]
    np.savez(tmp_path / "in.npz", x=np.array([1, 2], np.float32), c=np.array(True))
    out = tmp_path / "small.onnx"
    report = onnxfix.reduce(onnx.parser.parse_model(HEAD + text), out, check="nan", inputs=tmp_path / "in.npz")
    assert [item.op_type for item in report.origin] == [operator]
    assert report.failure.startswith(f"'{place}")
    with np.load(report.inputs) as inputs:
        feeds = dict(inputs)
    assert all(np.isfinite(array).all() for array in feeds.values())
    (result,) = Session(out).run(feeds).values()
    assert not np.isfinite(result).all()
    onnx.checker.check_model(onnx.load(out), full_check=True)


def test_weights_outside_the_body_come_along(tmp_path: Path) -> None:
    text = """g (float[2] x, bool c) => (float[2] z) { a = Abs(x) [f] z = If (c)
      <then_branch = t () => (float[2] u) { b = Mul(a, w) u = Log(b) },
       else_branch = e () => (float[2] v) { v = Tanh(a) }> }"""
    model = onnx.parser.parse_model(HEAD + text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full(2, -3, np.float32), "w"))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0, location="m.data")
    np.savez(tmp_path / "in.npz", x=np.array([1, 2], np.float32), c=np.array(True))
    report = onnxfix.reduce(
        tmp_path / "m.onnx", tmp_path / "small.onnx", check="nan", inputs=tmp_path / "in.npz", progress=print
    )
    assert [item.op_type for item in report.origin] == ["Log"]


def test_texts_are_borders_too(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]>
      g (string[2] s) => (float[2] y) { i = Identity(s) y = ai.onnx.ml.LabelEncoder <keys_strings = ["one"],
      values_floats = [1.0], default_float = 2.0> (i) }"""
    model = onnx.parser.parse_model(text)
    next(a for a in model.graph.node[1].attribute if a.name == "default_float").f = float("nan")
    np.savez(tmp_path / "in.npz", s=np.array(["one", "two"]))
    report = onnxfix.reduce(model, tmp_path / "small.onnx", check="nan", inputs=tmp_path / "in.npz")
    assert [item.op_type for item in report.origin] == ["LabelEncoder"]
    with np.load(report.inputs) as inputs:
        assert list(inputs["i"]) == ["one", "two"]


def test_sequences_are_borders_too(tmp_path: Path) -> None:
    text = """g (float[2,2] x) => (float[m,2] y) { a = Neg(x) s = SplitToSequence <axis = 0> (a)
      t = SequenceMap <body = b (float[1,2] v) => (float[1,2] u) { u = Mul(v, big) }> (s)
      y = ConcatFromSequence <axis = 0> (t) }"""
    model = onnx.parser.parse_model(HEAD + text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1e38, np.float32), "big"))
    np.savez(tmp_path / "in.npz", x=np.full((2, 2), 9, np.float32))
    report = onnxfix.reduce(model, tmp_path / "small.onnx", check="nan", inputs=tmp_path / "in.npz")
    assert [item.op_type for item in report.origin] == ["Mul"]


def test_a_mask_of_infinity_is_not_taken_for_the_failure(tmp_path: Path) -> None:
    """The NaN comes up in the Softmax of a row that is masked as a whole; the mask is what it is fed."""
    text = """g (float[2,2] x, bool[2,2] m) => (float[2,2] y) <float none = {0}>
      { k = Where(m, none, low) a = Add(x, k) [soft] s = Softmax(a) y = Neg(s) }"""
    model = onnx.parser.parse_model(HEAD + text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(-np.inf, np.float32), "low"))
    np.savez(tmp_path / "in.npz", x=np.ones((2, 2), np.float32), m=np.array([[False, False], [True, True]]))
    report = onnxfix.reduce(model, tmp_path / "small.onnx", check="nan", inputs=tmp_path / "in.npz")
    assert [item.node for item in report.origin] == ["soft"] and report.failure == "'s' holds NaN"
    assert not report.complaint
