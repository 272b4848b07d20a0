"""A burnt-in batch made free, proven at one batch and at two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interface_models import changes, repaired, run

from onnxfix.actions.free_batch import free_target

BURNT = {
    "flattened": "g (float[B,3,4] x) => (float[B,12] y) <int64[2] s = {B,12}> { r = Relu(x) y = Reshape(r, s) }",
    "beside -1": "g (float[B,3,4] x) => (float[B,12] y) <int64[2] s = {B,-1}> { r = Relu(x) y = Reshape(r, s) }",
    "split": "g (float[B,6] x) => (float[B,2,3] y) <int64[3] s = {B,2,3}> { y = Reshape(x, s) }",
    "merged": "g (float[B,3,4] x) => (float[c,4] y) <int64[2] s = {-1,4}> { y = Reshape(x, s) }",
    "two": "g (float[B,6] x) => (float[B,6] y) <int64[3] s = {B,2,3}, int64[2] t = {B,6}>"
    " { a = Reshape(x, s) b = Neg(a) y = Reshape(b, t) }",
    "steps first": "g (float[B,5,4] x) => (float[5,B,4] y) <int64[3] s = {5,B,4}>"
    " { t = Transpose <perm = [1, 0, 2]> (x) y = Reshape(t, s) }",
    "shared target": "g (float[B,6] x, float[B,6] z) => (float[B,2,3] y, float[B,2,3] w) <int64[3] s = {B,2,3}>"
    " { y = Reshape(x, s) w = Reshape(z, s) }",
}


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", BURNT)
def test_a_freed_batch(name: str, batch: int, tmp_path: Path) -> None:
    text = BURNT[name].replace("B", str(batch))
    report = repaired(text, tmp_path, dynamic_batch=True)
    check = report.verdict.of("numeric")
    assert check is not None
    assert check.outcome == "passed", check.reason
    assert f"at N={batch} and at N={2 * batch}" in check.reason
    graph = onnx.load(tmp_path / "out.onnx").graph
    feeds = {v.name: np.ones((3, *(d.dim_value for d in v.type.tensor_type.shape.dim[1:])), "f") for v in graph.input}
    assert all(3 in array.shape or array.shape[0] == 9 for array in run(tmp_path / "out.onnx", **feeds))


JOINED = """g (float[1,4,8] x) => (float[1,5,8] y) <float[1,1,8] token = {1,2,3,4,5,6,7,8}, int64[4] s = {1,5,2,4}>
{ c = Concat <axis = 1> (token, x) q = Reshape(c, s) h = Transpose <perm = [0, 2, 1, 3]> (q)
  t = Constant <value = int64[3] {1,5,8}> () y = Reshape(h, t) }"""
STATE = """g (float[1,5,2] x) => (float[5,1,2] y) <float[1,2,2] w = {1,2,3,4}, float[1,2,2] r = {1,0,1,0},
  float[1,1,2] h = {H,0.0}, int64[1] a = {1}>
{ t = Transpose <perm = [1, 0, 2]> (x) o = RNN <hidden_size = 2> (t, w, r, "", "", h) y = Squeeze(o, a) }"""


@pytest.mark.parametrize("text", [JOINED, STATE.replace("H", "0.0"), STATE.replace("H", "0.5")], ids="abc")
def test_constants_that_hold_the_batch(text: str, tmp_path: Path) -> None:
    """A token joined to every sample, and the first state of a recurrent layer, zero and not."""
    report = repaired(text, tmp_path, dynamic_batch=True)
    assert report.verdict.outcome == "passed", [check.reason for check in report.verdict.checks]
    value = onnx.load(tmp_path / "m.onnx").graph.input[0]
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    assert 6 in run(tmp_path / "out.onnx", x=np.ones((6, *shape[1:]), "f"))[0].shape


def test_another_batch(tmp_path: Path) -> None:
    report = repaired(BURNT["flattened"].replace("B", "1"), tmp_path, shapes={"x": (4, 3, 4)})
    assert report.verdict.outcome == "passed"
    assert [change[3] for change in changes(report)] == ["float[4,3,4]", "float[4,12]"]


def test_a_batch_burnt_into_a_reshape_only(tmp_path: Path) -> None:
    text = "g (float[N,3,4] x) => (float[1,12] y) <int64[2] s = {1,12}> { y = Reshape(x, s) }"
    report = repaired(text, tmp_path, shapes={"x": ("N", 3, 4)})
    assert report.verdict.outcome == "passed"
    assert run(tmp_path / "out.onnx", x=np.ones((5, 3, 4), "f"))[0].shape == (5, 12)


def test_a_graph_that_mixes_samples_is_not_freed(tmp_path: Path) -> None:
    text = "g (float[1,4] x) => (float[1,4] y) { m = ReduceMean <axes = [0]> (x) y = Sub(x, m) }"
    report = repaired(text, tmp_path, dynamic_batch=True)
    assert report.verdict.outcome == "failed"
    assert not report.output


def test_recorded_inputs_prove_a_freed_batch_twice_over(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.random.default_rng(0).normal(size=(2, 3, 4)).astype("f"))
    report = repaired(BURNT["flattened"].replace("B", "2"), tmp_path, dynamic_batch=True, inputs=tmp_path / "in.npz")
    check = report.verdict.of("numeric")
    assert check is not None
    assert (check.outcome, len(check.details["runs"])) == ("passed", 2)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(1, 3), st.data())
@settings(max_examples=200, deadline=None)
def test_where_the_batch_is_in_a_target(rest: list[int], batch: int, data: st.DataObject) -> None:
    """The freed target gives, for any batch, what reshaping sample by sample gives."""
    size = int(np.prod(rest))
    cuts = [n for n in range(1, size + 1) if size % n == 0]
    first = data.draw(st.sampled_from(cuts))
    target = [batch, first, size // first]
    freed = free_target(target, ("N", *rest), (batch, *rest), tuple(target))
    assert freed == [-1, first, size // first]
    for count in (batch, 2 * batch):
        whole = np.arange(count * size).reshape(count, *rest)
        parts = [whole[start : start + batch].reshape(target) for start in range(0, count, batch)]
        assert np.array_equal(whole.reshape(freed), np.concatenate(parts))


@pytest.mark.parametrize("name", ["batch", "rows"])
def test_a_batch_that_is_free_is_not_burnt_in(name: str, tmp_path: Path) -> None:
    text = "g (float[batch,n] x) => (float[a,b] y) <int64[2] s = {1,-1}> { r = Relu(x) y = Reshape(r, s) }"
    report = repaired(text, tmp_path, shapes={"x": (name, 7)})
    assert "OFX409" in {fix.code for fix in report.fixes}
    codes = [fix.code for fix in report.fixes] + [item.diagnostic.code for item in report.withheld]
    assert "OFX410" not in codes
    value = onnx.load(tmp_path / "out.onnx").graph.input[0].type.tensor_type.shape
    assert [dim.dim_param or dim.dim_value for dim in value.dim] == [name, 7]
