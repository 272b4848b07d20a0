"""Broadcasting by `broadcast` and `axis` (opset 6): the result is what numpy computes, at opset 7 and at 13."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

NUMPY = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Greater": np.greater,
    "Less": np.less,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
    "Equal": np.equal,
}
BOOLEAN = {"And", "Or", "Xor"}


@st.composite
def broadcasts(draw: st.DrawFn) -> tuple[str, tuple[int, ...], int, int, bool]:
    """(operator, shape of A, first axis of B, rank of B, whether the axis is written)."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    axis = draw(st.integers(0, len(shape) - 1))
    rank = draw(st.integers(1, len(shape) - axis))
    suffix = axis + rank == len(shape)
    return draw(st.sampled_from(sorted(NUMPY))), shape, axis, rank, not suffix or draw(st.booleans())


@given(case=broadcasts(), to=st.sampled_from([7, 13]), stored=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_second_operand_lies_at_axis(convert: Any, run: Any, case: Any, to: int, stored: bool, seed: int) -> None:
    operator, shape, axis, rank, written = case
    random = np.random.default_rng(seed)
    small = shape[axis : axis + rank]
    kind = np.bool_ if operator in BOOLEAN else np.int32 if operator == "Equal" else np.float32
    a, b = (random.integers(1, 3 if kind != np.bool_ else 2, size).astype(kind) for size in (shape, small))
    model = _model(operator, a, b, axis if written else None, stored=stored)
    aligned = b.reshape(small + (1,) * (len(shape) - axis - rank))
    expected = NUMPY[operator](a, aligned)
    (actual,) = run(convert(model, to), **({"a": a} if stored else {"a": a, "b": b}))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def _model(operator: str, a: Any, b: Any, axis: int | None, *, stored: bool) -> onnx.ModelProto:
    kind = helper.np_dtype_to_tensor_dtype(a.dtype)
    result = TensorProto.BOOL if operator in {*BOOLEAN, "Equal", "Greater", "Less"} else kind
    node = helper.make_node(operator, ["a", "b"], ["y"], broadcast=1, **({} if axis is None else {"axis": axis}))
    inputs = [helper.make_tensor_value_info(n, kind, v.shape) for n, v in (("a", a), ("b", b))]
    output = helper.make_tensor_value_info("y", result, a.shape)
    tensors = [onnx.numpy_helper.from_array(b, "b")] if stored else []
    graph = helper.make_graph([node], "g", inputs, [output], tensors)
    return helper.make_model(graph, ir_version=3, opset_imports=[helper.make_opsetid("", 6)])


def test_equal_shapes_need_no_rule(plan: Any) -> None:
    result = plan(
        '<ir_version: 3, opset_import: ["" : 6]> g (float[2,3] a, float[2,3] b) => (float[2,3] y) { y = Add (a, b) }', 7
    )
    assert not result.blockers and not result.journal


def test_unknown_rank_is_a_blocker(plan: Any) -> None:
    result = plan(
        """<ir_version: 3, opset_import: ["" : 6]> g (float[] a, float[3] b) => (float[] y)
        { c = Relu (a)
          y = Add <broadcast = 1, axis = 1> (c, b) }""",
        7,
    )
    assert [blocker.node for blocker in result.blockers] == [1]
    assert "the rank of 'c' is unknown" in result.blockers[0].reason
