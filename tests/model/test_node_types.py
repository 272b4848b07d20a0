"""Types behind invalid nodes and behind computed shapes."""

from __future__ import annotations

import onnx
import pytest

from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.model.node_types import reshaped
from onnxfix.model.shape_values import Sizes
from onnxfix.model.types import Dim, ValueType


def dims_of(text: str, *names: str, opset: int = 13) -> list[tuple[Dim, ...] | None]:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}')
    scope = typed_scopes(load(model))[0][0]
    return [scope.type_of(name).dims for name in names]


VIEW = """s{n} = Shape(x{n}) b{n} = Gather(s{n}, zero) t{n} = Concat<axis = 0>(b{n}, {to})
          v{n} = Reshape(x{n}, t{n}) x{m} = Relu(v{n})"""


@pytest.mark.parametrize("batch", ["2", "N"])
def test_many_views_in_a_row(batch: str) -> None:
    body = " ".join(VIEW.format(n=n, m=n + 1, to="flat" if n % 2 else "three, four") for n in range(60))
    text = f"""g (float[{batch},3,4] x0) => (float[A,B] y)
    <int64[1] zero = {{0}}, int64[1] flat = {{12}}, int64[1] three = {{3}}, int64[1] four = {{4}}>
    {{ {body} y = Relu(x60) }}"""
    size = int(batch) if batch.isdigit() else batch
    assert dims_of(text, "v0", "v1", "v58", "v59") == [(size, 3, 4), (size, 12), (size, 3, 4), (size, 12)]


def test_behind_an_invalid_node() -> None:
    text = """g (float[1,2,4,4] x) => (float[A,B] y)
    <float[4] s = {1, 1, 2, 2}, int64[1] zero = {0}, int64[1] rest = {-1}>
    { a = Upsample(x, s) h = Shape(a) n = Gather(h, zero) t = Concat<axis = 0>(n, rest)
      r = Reshape(a, t) y = Relu(r) }"""
    assert dims_of(text, "a", "r", "y") == [(1, 2, 8, 8), (1, 128), (1, 128)]


def test_declared_types_stay_where_nothing_better_is_known() -> None:
    text = "g (float[2] x) => (float[7] y, float[2] z) { y = own.Unknown(x) a = Relu(y) z = Neg(x) }"
    assert dims_of(text, "y", "a", "z") == [(7,), (7,), (2,)]


TARGETS = [
    ((2, 6), (3, 4), (2, 6)),
    (("N", -1), ("N", 3, 4), ("N", 12)),
    (("N", -1), ("N", "M"), ("N", "M")),
    (("N", -1), ("N", "M", 2), ("N", None)),
    ((-1, 4), ("N", "M"), (None, 4)),
    ((-1, 4), (2, 8), (4, 4)),
    ((-1, 3), (2, 8), (None, 3)),
    ((0, -1), (2, 8, 3), (2, 24)),
    ((0, 0, -1), (2,), (2, None, None)),
    ((None, 4), ("N", 4), (None, 4)),
    ((None, -1), (3, 4), (None, None)),
    ((0, -1), None, (None, None)),
    ((-1,), (0, 3), (0,)),
    ((0, -1), (0, 3), (0, None)),
    ((-1, -1), (2, 3), None),
    ((), (1, 1), ()),
]


@pytest.mark.parametrize(("target", "data", "dims"), TARGETS)
def test_targets_of_reshape(
    target: tuple[Dim, ...], data: tuple[Dim, ...] | None, dims: tuple[Dim, ...] | None
) -> None:
    found = reshaped(Sizes(target), ValueType(1, data), onnx.NodeProto(op_type="Reshape"))
    assert (None if found is None else tuple(found)) == dims
