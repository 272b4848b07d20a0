"""NonZero and Compress where something can be done about them, and the reasons where not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decompose.proving import builds, prove, reason

NONZERO, COMPRESS, UNIQUE = "OFX718", "OFX719", "OFX723"
REDUCTIONS = ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare"]


def masked(reduction: str, dims: str, mask: str, result: str, axes: str, keep: int = 0, dtype: str = "float") -> str:
    """reduction(x[m], axes), as PyTorch writes it; `axes` "" means all."""
    rest, constant = (", a", f"<int64[{axes.count(',') + 1}] a = {{{axes}}}>") if axes else ("", "")
    return f"""g ({dtype}[{dims}] x, bool[{mask}] m) => ({dtype}[{result}] y) {constant} {{
        n = NonZero (m)
        t = Transpose <perm = [1, 0]> (n)
        s = GatherND (x, t)
        y = Reduce{reduction} <keepdims = {keep}> (s{rest})
    }}"""


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(REDUCTIONS), st.integers(1, 2), st.integers(0, 2**32 - 1), st.booleans())
def test_what_a_mask_selects_is_reduced_the_same(reduction: str, rank: int, seed: int, some_axes: bool) -> None:
    random = np.random.default_rng(seed)
    shape = tuple(int(size) for size in random.integers(1, 5, rank + 1))
    names = ["A", "B"][:rank]
    axes, result = ("0", "C") if some_axes else ("", "")
    text = masked(reduction, ",".join([*names, "C"]), ",".join(names), result, axes)
    text = text.replace("[] y", " y")
    mask = random.random(shape[:rank]) < 0.6
    mask.flat[0] = True  # an empty selection has no mean, and ONNX Runtime no maximum
    x = random.normal(size=shape).astype(np.float32)
    x.flat[-1] = np.inf if not mask.flat[-1] else 1.0  # what is not selected does not matter
    prove(text, NONZERO, {"x": x, "m": mask})


def test_integers_are_selected_too() -> None:
    x = np.array([[np.iinfo(np.int32).min, 5], [7, np.iinfo(np.int32).max], [1, 2]], dtype=np.int32)
    for reduction in ("Max", "Min", "Sum"):
        text = masked(reduction, "N,2", "N", "2", "0", dtype="int32")
        prove(text, NONZERO, {"x": x, "m": np.array([True, False, True])})


def test_nothing_selected_sums_to_nothing() -> None:
    for reduction in ("Sum", "Prod"):
        text = masked(reduction, "N,2", "N", "2", "0")
        prove(text, NONZERO, {"x": np.ones((3, 2), np.float32), "m": np.zeros(3, bool)})


@pytest.mark.parametrize("keep", [0, 1])
def test_indices_as_a_vector(keep: int) -> None:
    """x[torch.nonzero(m).squeeze()].sum(0)"""
    text = f"""g (float[N,3] x, int32[N] m) => (float[{"1," * keep}3] y) <int64[1] a = {{0}}> {{
        n = NonZero (m)
        i = Squeeze (n, a)
        s = Gather (x, i)
        y = ReduceSum <keepdims = {keep}> (s, a)
    }}"""
    result = prove(text, NONZERO, {"x": np.eye(3, dtype=np.float32), "m": np.array([0, -2, 1], np.int32)})
    assert builds(result) and not builds(text)


@pytest.mark.parametrize(("dims", "rank"), [("N", 1), ("A,3", 2), ("A,B,C", 3)])
@pytest.mark.parametrize("filled", ["ConstantOfShape <value = int64[1] {1}> (s)", "Expand (c, s)"])
def test_every_place_of_a_filled_tensor(dims: str, rank: int, filled: str) -> None:
    text = f"""g (float[{dims}] x) => (int64[{rank},M] y) <bool[1] c = {{1}}> {{
        s = Shape (x)
        o = {filled}
        y = NonZero (o)
    }}"""
    result = prove(text, NONZERO)
    assert builds(result) and not builds(text)


MASKED_SCATTER = """g (float[B,S] x, bool[B,S] m, float[K,2] src) => (float[B,S] y)
<int64[1] minus = {-1}, int64[1] zero = {0}, int64 first = {0}> {
    n = NonZero (m)
    t = Transpose <perm = [1, 0]> (n)
    flat = Reshape (src, minus)
    shape = Shape (t)
    count = Gather (shape, first)
    end = Unsqueeze (count, zero)
    u = Slice (flat, zero, end, zero)
    y = ScatterND (x, t, u)
}"""


def test_masked_scatter_takes_its_source_in_turn() -> None:
    """x.masked_scatter(m, src) as PyTorch exports it, with a source that is too long, and with none at all."""
    x, mask = np.full((2, 3), np.inf, np.float32), np.array([[True, False, True], [False, True, False]])
    feeds = [
        {"x": x, "m": mask, "src": np.arange(8, dtype=np.float32).reshape(4, 2)},
        {"x": x, "m": np.zeros((2, 3), bool), "src": np.zeros((0, 2), np.float32)},
        {"x": x, "m": np.ones((2, 3), bool), "src": np.arange(6, dtype=np.float32).reshape(3, 2)},
    ]
    result = prove(MASKED_SCATTER, NONZERO, *feeds)
    assert builds(result) and not builds(MASKED_SCATTER)
    second = MASKED_SCATTER.replace("first = {0}", "first = {1}")  # the rank, not the number of places
    assert "depends on the values" in reason(second, NONZERO)


@pytest.mark.parametrize("value", ["float v", "float[3] v", "float[1,3] v"])
def test_a_value_where_the_mask_is_true(value: str) -> None:
    text = f"""g (float[N,3] x, bool[N] m, {value}) => (float[N,3] y) <int64[1] a = {{0}}, int64[1] c = {{3}}> {{
        n = NonZero (m)
        t = Transpose <perm = [1, 0]> (n)
        s = Shape (t)
        r = Gather (s, a)
        e = Concat <axis = 0> (r, c)
        u = Expand (v, e)
        y = ScatterND (x, t, u)
    }}"""
    result = prove(text, NONZERO)
    assert builds(result) and not builds(text)


def selected(body: str, inputs: str, output: str) -> str:
    """`s` is x[m] for x[N,4] and m[N]; `t` are its places."""
    return f"""g (float[N,4] x, bool[N] m{inputs}) => (float[{output}] y) {{
        n = NonZero (m)
        t = Transpose <perm = [1, 0]> (n)
        s = GatherND (x, t)
        {body}
    }}""".replace("float[] y", "float y")


@pytest.mark.parametrize(
    ("body", "inputs", "output"),
    [
        ("e = Exp (s) y = ScatterND (x, t, e)", "", "N,4"),
        (
            "a = MatMul (s, w) b = Relu (a) c = MatMul (b, v) y = ScatterND (x, t, c)",
            ", float[4,5] w, float[5,4] v",
            "N,4",
        ),
        ("o = GatherND (z, t) d = Sub (s, o) q = Mul (d, d) y = ReduceMean <keepdims = 0> (q)", ", float[N,4] z", ""),
        ("l = Log (s) h = Mul (l, w) y = ReduceSum <keepdims = 0> (h)", ", float[4] w", ""),
    ],
)
def test_what_is_computed_row_by_row(body: str, inputs: str, output: str) -> None:
    """x[m] = f(x[m]), an expert of a mixture, a masked loss, and rows that would be NaN had they been selected."""
    text = selected(body, inputs, output)
    random = np.random.default_rng(0)
    shapes = {"w": (4, 5) if "[4,5]" in inputs else (4,), "v": (5, 4), "z": (3, 4)}
    feed: dict[str, Any] = {
        name: random.uniform(1, 2, shape).astype(np.float32) for name, shape in shapes.items() if f"] {name}" in inputs
    }
    feed |= {"x": random.uniform(1, 2, (3, 4)).astype(np.float32), "m": np.array([True, False, True])}
    feed["x"][1] = -1 if output == "" else 1
    result = prove(text, NONZERO, feed)
    assert builds(result) and not builds(text)


@pytest.mark.parametrize(
    ("body", "inputs", "output"),
    [
        ("y = Relu (s)", "", "M,4"),
        ("a = Add (s, z) y = ReduceSum <keepdims = 0> (a)", ", float[M,4] z", ""),
        ("a = Softmax <axis = 0> (s) y = ReduceSum <keepdims = 0> (a)", "", ""),
        (
            "c = Cast <to = 7> (s) d = Div (c, w) e = Cast <to = 1> (d) y = ReduceSum <keepdims = 0> (e)",
            ", int64[4] w",
            "",
        ),
        ("a = MatMul (z, s) y = ReduceSum <keepdims = 0> (a)", ", float[2,M] z", ""),
    ],
)
def test_what_depends_on_the_other_rows_is_told(body: str, inputs: str, output: str) -> None:
    assert "depends on the values" in reason(selected(body, inputs, output), NONZERO)


def test_a_count_needs_no_list() -> None:
    text = """g (float[N,M] x) => (int64[2] y, int64[2] z) {
        n = NonZero (x)
        y = Shape (n)
        z = Shape (n)
    }"""
    x = np.array([[0.0, -0.0, np.nan], [1.0, -1.0, np.inf]], dtype=np.float32)
    result = prove(text, NONZERO, {"x": x}, {"x": np.zeros((0, 3), np.float32)})
    assert builds(result)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.booleans(), min_size=1, max_size=4), st.sampled_from([None, 0, 1, -1, -2]), st.sampled_from([9, 11, 18])
)
def test_a_known_condition_is_a_gather(condition: list[bool], axis: int | None, opset: int) -> None:
    constant = ", ".join(str(int(item)) for item in condition)
    form = "" if axis is None else f"<axis = {axis}>"
    dims = ["P"] if axis is None else ["P", "4"] if axis in (0, -2) else ["N", "P"]
    text = f"""<ir_version: 8, opset_import: ["" : {opset}]>
    g (float[N,4] x) => (float[{",".join(dims)}] y) <bool[{len(condition)}] c = {{{constant}}}>
    {{ y = Compress {form} (x, c) }}"""
    prove(text, COMPRESS, {"x": np.arange(16, dtype=np.float32).reshape(4, 4)})


def test_a_condition_at_run_time_that_only_a_maximum_sees() -> None:
    text = """g (float[N,4] x, bool[4] c) => (float[N] y) <int64[1] a = {1}> {
        s = Compress <axis = 1> (x, c)
        y = ReduceMax <keepdims = 0> (s, a)
    }"""
    feed: dict[str, Any] = {"x": -np.ones((2, 4), np.float32), "c": np.array([True, False, False, True])}
    result = prove(text, COMPRESS, feed)
    assert builds(result) and not builds(text)


@pytest.mark.parametrize(
    ("code", "text", "why"),
    [
        (NONZERO, "g (bool[N] m) => (int64[1,M] y) { y = NonZero (m) }", "depends on the values"),
        (NONZERO, masked("Sum", "N,2", "N", "M", "1"), "depends on the values"),
        (NONZERO, masked("Sum", "N,3", "M", "3", "0"), "depends on the values"),
        (COMPRESS, "g (float[4] x, bool[4] c) => (float[M] y) { y = Compress (x, c) }", "depends on it"),
        (COMPRESS, "g (float[4] x, bool[3] c) => (float[M] y) { y = Compress (x, c) }", "may be shorter"),
        (UNIQUE, "g (float[4] x) => (float[M] y) { y = Unique (x) }", "the length of y depends on the values"),
    ],
)
def test_the_others_are_told(code: str, text: str, why: str) -> None:
    assert why in reason(text, code)
