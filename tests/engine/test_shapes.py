"""Profiles of the shapes that were asked for."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfix.engine import InputRange
from onnxfix.engine.network import naming
from onnxfix.engine.options import Shapes, Triple
from onnxfix.engine.profile import candidates
from onnxfix.engine.profile import given as profiles_of
from onnxfix.errors import OnnxfixError


def network_input(name: str, shape: tuple[int, ...], *dims: str, values: bool = False) -> Any:
    return SimpleNamespace(name=name, shape=shape, dims=dims, is_shape_tensor=values)


def named(tensor: Any, axis: int) -> str:
    return tensor.dims[axis] if axis < len(tensor.dims) else ""


X = network_input("x", (-1, 3, -1), "N", "", "T")
B = network_input("b", (-1, 2), "N")
S = network_input("s", (2,), values=True)
K = network_input("k", (), values=True)


def triple(*shapes: tuple[int, ...]) -> Triple:
    low, best, high = shapes if len(shapes) == 3 else shapes * 3
    return low, best, high


def test_an_input_that_is_not_given_follows_the_shared_dimension() -> None:
    shapes = (("x", triple((1, 3, 8), (2, 3, 16), (4, 3, 32))),)
    assert list(profiles_of([X, B], named, shapes)) == [
        (InputRange("x", (1, 3, 8), (2, 3, 16), (4, 3, 32)), InputRange("b", (1, 2), (2, 2), (4, 2)))
    ]


def test_values_of_shape_inputs() -> None:
    shapes = (("s", triple((1, -1), (4, 4), (9, 9))), ("k", triple((5,))))
    (profile,) = profiles_of([S, K], named, shapes)
    assert profile == (InputRange("s", (1, -1), (4, 4), (9, 9), True), InputRange("k", (5,), (5,), (5,), True))


def test_an_input_without_free_sizes_needs_no_range() -> None:
    fixed = network_input("f", (2, 3))
    assert list(profiles_of([fixed], named, (("f", triple((2, 3))),))) == [()]


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ((("x", triple((1, 3, 8))), ("b", triple((2, 2)))), "dimension N is 1:1:1 in 'x' and 2:2:2 in 'b'"),
        ((("y", triple((1,))),), "--shapes y: there is no such input (the inputs are x, b, s)"),
        ((("x", triple((1, 3))),), "2 axes, but the input has 3 (its shape is ?x3x?)"),
        ((("x", triple((1, 4, 8))),), "axis 1 is always 3 in the model"),
        ((("x", triple((2, 3, 8), (1, 3, 8), (3, 3, 8))),), "2:1:3 at axis 0 is not smallest:best:largest"),
        ((("s", triple((1,))),), "1 values, but the input holds 2"),
        ((("x", triple((1, 3, 8), (1, 3), (1, 3, 8))),), "best has 2 numbers and the smallest 3"),
    ],
)
def test_one_line_for_a_shape_that_does_not_fit(shapes: Shapes, words: str) -> None:
    with pytest.raises(OnnxfixError, match=re.escape(words)):
        list(profiles_of([X, B, S], named, shapes))


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3))
def test_one_profile_for_each_time(sizes: list[tuple[int, int]]) -> None:
    shapes = tuple(("x", triple((batch, 3, length))) for batch, length in sizes)
    profiles = list(profiles_of([X, B], named, shapes))
    assert [profile[0].best for profile in profiles] == [(batch, 3, length) for batch, length in sizes]
    assert [profile[1].best for profile in profiles] == [(batch, 2) for batch, _ in sizes]


def test_names_of_dimensions_where_the_library_has_none(tmp_path: Any) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[N,3] x, float[N] b) => (float[N,3] y) { y = Relu(x) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    old = [SimpleNamespace(name="x", shape=(-1, 3), is_shape_tensor=False)]
    old.append(SimpleNamespace(name="b", shape=(-1,), is_shape_tensor=False))
    name = naming(str(tmp_path / "m.onnx"))
    assert (name(old[0], 0), name(old[0], 1), name(old[1], 0)) == ("N", "", "N")
    first = next(candidates(old, name, {"N": (2, 3, 4)}, {}))
    assert [item.best for item in first] == [(3, 3), (3,)]
