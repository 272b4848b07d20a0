"""Reshape targets written with 0 and -1 mean what the computed ones meant, at every size of the symbolic dimensions."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper
from shape_chains import DIMS, OPSETS, SIZES, Chain, run

from onnxfix.actions.fold_reshape import constant_shape
from onnxfix.fixpoint.catalogue import load_rules
from onnxfix.fixpoint.options import Options
from onnxfix.fixpoint.rounds import Outcome, repair_model
from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.model.shape_values import Sizes

RULES = load_rules()


def rewritten(model: onnx.ModelProto | str) -> Outcome:
    if isinstance(model, str):
        model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{model}')
    return repair_model(load(model), RULES, Options(select=("OFX301", "OFX302")))


def target(outcome: Outcome) -> list[int] | None:
    """The shape of the only Reshape, when it is stored."""
    (node,) = [node for node in outcome.model.proto.graph.node if node.op_type == "Reshape"]
    tensors = {tensor.name: tensor for tensor in outcome.model.proto.graph.initializer}
    return numpy_helper.to_array(tensors[node.input[1]]).tolist() if node.input[1] in tensors else None


@st.composite
def reshapes(draw: st.DrawFn) -> Chain:
    """A Reshape that merges neighbouring dimensions and puts in ones, its target computed from the input's shape."""
    chain = Chain(draw(st.sampled_from(OPSETS)), draw(DIMS))
    groups: list[list[int]] = [[]]
    for axis in range(len(chain.dims)):
        if draw(st.booleans()):
            groups.append([])
        groups[-1].append(axis)
    parts, inferred = [], draw(st.none() | st.integers(0, len(groups) - 1))
    for place, group in enumerate(groups):
        if place == inferred:
            parts.append(chain.constant([-1]))
            continue
        part = chain.constant([1])
        for axis in group:
            part = chain.add("Mul", [part, chain.gathered(axis).name], 1, 1).name
        parts.append(part if len(group) != 1 or draw(st.booleans()) else chain.gathered(group[0]).name)
    shape = chain.add("Concat", parts, 1, len(parts), axis=0)
    chain.add("Reshape", ["x", shape.name], len(parts), 0, TensorProto.FLOAT)
    return chain


@settings(max_examples=80, deadline=None)
@given(reshapes())
def test_random_reshapes_keep_their_outputs(chain: Chain) -> None:
    model = chain.model([chain.values[-1].name])
    dims = typed_scopes(load(model))[0][0].type_of(chain.values[-1].name).dims
    assert dims is not None
    outcome = rewritten(model)
    for sizes in SIZES:
        (before,), (after,) = (run(proto, x=chain.input(sizes)) for proto in (model, outcome.model.proto))
        assert before.shape == after.shape
        known = [
            sizes.get(dim, size) if isinstance(dim, str) else dim for dim, size in zip(dims, before.shape, strict=True)
        ]
        assert [size if dim is None else dim for dim, size in zip(known, before.shape, strict=True)] == list(
            before.shape
        )
        assert np.array_equal(before, after)
    assert outcome.complaint == ""
    assert rewritten(outcome.model.proto).journal == []


SHAPES = [
    (("N", -1), ("N", 3, 4), [0, -1]),
    (("N", 12), ("N", 3, 4), [0, 12]),
    (("N", None), ("N", 3, 4), [0, -1]),
    (("N", "M", -1), ("N", "M", 3), [0, 0, -1]),
    (("M", "N"), ("N", "M"), None),
    (("M", 4), ("N", "M"), [-1, 4]),
    (("N", "M", None), ("N", "M", "K"), [0, 0, -1]),
    ((None, -1), ("N", 3), None),
    ((None, 0), ("N", 3), None),
    (("N", 0), ("N", 3), [0, 0]),
    (("N", 3), None, [-1, 3]),
    ((3, "N"), ("N", 3), [3, -1]),
    (("N", 2, "N"), ("N", 2, "N"), [0, 2, 0]),
    (("N",), (), [-1]),
    ((2, 3), ("N",), [2, 3]),
]


@pytest.mark.parametrize(("elements", "data", "shape"), SHAPES)
def test_elements(elements: tuple[object, ...], data: tuple[object, ...] | None, shape: list[int] | None) -> None:
    assert constant_shape(Sizes(elements), data) == shape  # type: ignore[arg-type]


VIEW = """g (float[N,3,4] x) => (float[A,B] y) <int64[1] zero = {0}, int64[1] rest = {-1}>
{ s = Shape(x) n = Gather(s, zero) shape = Concat<axis = 0>(n, rest) y = %s(x, shape) }"""


def test_the_view_of_pytorch() -> None:
    outcome = rewritten(VIEW % "Reshape")
    assert target(outcome) == [0, -1]
    assert outcome.journal[-1].message == "the shape of this Reshape is always [0, -1]"


def test_in_a_branch_and_for_a_shape_in_use_elsewhere() -> None:
    text = """g (bool c, float[N,3] x) => (float[A,B] y, int64[2] t) <int64[1] zero = {0}, int64[1] rest = {-1}>
    { s = Shape(x) n = Gather(s, zero) t = Concat<axis = 0>(n, rest)
      y = If(c) <then_branch = a () => (float[P,Q] p) { u = Concat<axis = 0>(rest, n) p = Reshape(x, t) },
                 else_branch = b () => (float[R,S] q) { q = Abs(x) }> }"""
    outcome = rewritten(text)
    assert outcome.complaint == ""
    assert [node.op_type for node in outcome.model.proto.graph.node] == ["Shape", "Gather", "Concat", "If"]


@pytest.mark.parametrize("node", ["Reshape<allowzero = 1>", "own.Reshape"])
def test_left_alone(node: str) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17, "own" : 1]>\n' + VIEW % node
    assert rewritten(onnx.parser.parse_model(text)).journal == []


def test_a_computed_zero_keeps_its_meaning() -> None:
    """0 copies a dimension in the old shape as in the new one."""
    text = """g (float[N,3] x) => (float[A,B] y) <int64[1] zero = {0}, int64 first = {0}>
    { s = Shape(x) n = Gather(s, zero) k = Sub(zero, zero) shape = Concat<axis = 0>(n, k) y = Reshape(x, shape) }"""
    outcome = rewritten(text)
    assert target(outcome) == [0, 0]
    x = np.ones((2, 3), np.float32)
    assert run(outcome.model.proto, x=x)[0].shape == (2, 3)
