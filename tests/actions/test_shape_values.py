"""What is told of shape arithmetic is what ONNX Runtime computes, at every size of the symbolic dimensions."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from shape_chains import SIZES, Chain, chains, run

from onnxfix.model import load
from onnxfix.model.inference import typed_scopes
from onnxfix.model.shape_values import Sizes, shape_values, sliced


def known_of(model: onnx.ModelProto) -> dict[str, Sizes]:
    return shape_values(typed_scopes(load(model))[0][0])


def told(text: str, name: str, opset: int = 17) -> tuple[object, ...] | None:
    """The elements that are told of one value of a model in ONNX text."""
    found = known_of(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}')).get(name)
    return None if found is None else found.elements


@settings(max_examples=150, deadline=None)
@given(chains())
def test_random_chains(chain: Chain) -> None:
    names = [value.name for value in chain.values]
    model = chain.model(names)
    known = known_of(chain.model([names[-1]]))
    assert "v0" in known
    for sizes in SIZES:
        for name, result in zip(names, run(model, x=chain.input(sizes)), strict=True):
            if name not in known:
                continue
            claimed = known[name]
            assert (result.ndim, result.size) == (claimed.rank, len(claimed.elements))
            assert onnx.helper.np_dtype_to_tensor_dtype(result.dtype) == claimed.dtype
            for element, number in zip(claimed.elements, result.reshape(-1).tolist(), strict=True):
                expected = sizes.get(element, number) if isinstance(element, str) else element
                assert element is None or number == expected
            if claimed.known:
                assert np.array_equal(claimed.array(), result)
                assert claimed.array().dtype == result.dtype


@settings(max_examples=60, deadline=None)
@given(chains())
def test_static_chains_are_known_to_the_last_element(chain: Chain) -> None:
    """With numbers for all dimensions nothing stays unknown, except what overflows or is empty by broadcasting."""
    chain.dims = tuple(SIZES[0].get(dim, dim) if isinstance(dim, str) else dim for dim in chain.dims)
    names = [value.name for value in chain.values]
    known = known_of(chain.model([names[-1]]))
    for value, result in zip(chain.values, run(chain.model(names), x=chain.input({})), strict=True):
        if value.length and np.all(np.abs(result) < 1000):
            assert value.name in known


GATHERED = "g (float[2,N,?] x) => (int64[A] y) <int64[%d] i = {%s}> { s = Shape(x) v = Gather(s, i) y = Identity(v) }"


@pytest.mark.parametrize(
    ("indices", "elements"),
    [("0", (2,)), ("-1, 1", (None, "N")), ("-3, 0", (2, 2)), ("3", None), ("-4", None)],
)
def test_gather(indices: str, elements: tuple[object, ...] | None) -> None:
    found = told(GATHERED % (indices.count(",") + 1, indices), "v")
    known = None if found is None else tuple(None if str(e).startswith("unk") else e for e in found)
    assert known == elements


@pytest.mark.parametrize(
    ("attributes", "elements"),
    [
        ("", (2, 3, 4)),
        ("<start = 1>", (3, 4)),
        ("<end = -1>", (2, 3)),
        ("<start = -2, end = -1>", (3,)),
        ("<start = -9, end = 9>", (2, 3, 4)),
        ("<start = 2, end = 1>", ()),
        ("<start = 0, end = 0>", ()),
    ],
)
def test_shape_with_start_and_end(attributes: str, elements: tuple[int, ...]) -> None:
    assert told(f"g (float[2,3,4] x) => (int64[A] y) {{ s = Shape{attributes}(x) y = Identity(s) }}", "s") == elements


@pytest.mark.parametrize("start", range(-7, 8))
@pytest.mark.parametrize("step", [1, 2, -1, -2, -5])
def test_slices_are_those_of_onnx_runtime(start: int, step: int) -> None:
    """A start before the first element is the first element, also going backwards; Python's slices differ."""
    ends = range(-7, 8)
    nodes = [onnx.helper.make_node("Slice", ["d", "s", f"e{n}", "a", "t"], [f"y{n}"]) for n in range(len(ends))]
    arrays = {"s": [start], "a": [0], "t": [step], **{f"e{n}": [end] for n, end in enumerate(ends)}}
    stored = [onnx.numpy_helper.from_array(np.array(value, np.int64), name) for name, value in arrays.items()]
    data = onnx.helper.make_tensor_value_info("d", onnx.TensorProto.INT64, [5])
    made = [onnx.ValueInfoProto(name=f"y{n}") for n in range(len(ends))]
    graph = onnx.helper.make_graph(nodes, "g", [data], made, stored)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    results = run(model, d=np.arange(5))
    assert [list(sliced(5, start, end, step)) for end in ends] == [result.tolist() for result in results]


def test_a_tensor_without_elements() -> None:
    text = "g (float[0,3] x) => (int64 y) { s = Shape(x) n = Size(x) y = Identity(n) }"
    assert (told(text, "s"), told(text, "n")) == ((0, 3), (0,))


def test_a_scalar_has_an_empty_shape() -> None:
    assert told("g (float x) => (int64[A] y) { s = Shape(x) y = Identity(s) }", "s") == ()


SILENT = {
    "unknown rank": "g (float x) => (int64[A] y) { s = Shape(q) y = Identity(s) }",
    "matrix": """g (float[2] x) => (int64[A,B] y) <int64[2] a = {0, 1}>
    { t = Size(x) s = Unsqueeze(t, a) y = Identity(s) }""",
    "backwards to INT_MAX": """g (float[2] x) => (int64[A] y)
    <int64[1] a = {0}, int64[1] e = {2147483647}, int64[1] t = {-1}>
    { q = Shape(x) s = Slice(q, a, e, a, t) y = Identity(s) }""",
    "slice of two axes": """g (float[2] x) => (int64[A] y) <int64[2] a = {0, 1}>
    { t = Shape(x) s = Slice(t, a, a, a) y = Identity(s) }""",
    "step of zero": """g (float[2] x) => (int64[A] y) <int64[1] a = {0}>
    { t = Shape(x) s = Slice(t, a, a, a, a) y = Identity(s) }""",
    "computed bounds": """g (float[2] x, int64[1] b) => (int64[A] y) <int64[1] a = {0}>
    { t = Shape(x) s = Slice(t, b, a) y = Identity(s) }""",
    "another domain": "g (float[2] x) => (int64[A] y) { s = own.Shape(x) y = Identity(s) }",
    "missing inputs": "g (float[2] x) => (int64[A] y) { s = Shape() y = Identity(s) }",
    "one input of two": "g (float[2] x) => (int64[A] y) { t = Shape(x) s = Gather(t) y = Identity(s) }",
    "one addend": "g (float[2] x) => (int64[A] y) { t = Shape(x) s = Add(t) y = Identity(s) }",
    "bounds left out": "g (float[2] x) => (int64[A] y) { t = Shape(x) s = Slice(t) y = Identity(s) }",
    "floats": "g (float[2] x) => (float[A] y) { t = Shape(x) s = Cast<to = 1>(t) y = Identity(s) }",
    "two types": """g (float[2] x) => (int64[A] y) <int32 c = {1}> { t = Shape(x) s = Add(t, c) y = Identity(s) }""",
}


@pytest.mark.parametrize("case", SILENT)
def test_nothing_is_told(case: str) -> None:
    assert told(SILENT[case], "s") is None


def test_elements_with_different_answers() -> None:
    text = """g (float[N,3] x) => (int64[A] y) <int64 two = {2}>
    { s = Shape(x) d = Mul(s, two) y = Identity(d) }"""
    assert told(text, "d") == (None, 6)


def test_division_by_zero_is_not_computed() -> None:
    text = "g (float[2] x) => (int64[A] y) <int64 z = {0}> { t = Shape(x) s = Div(t, z) y = Identity(s) }"
    assert told(text, "s") == (None,)


def test_numbers_beyond_32_bits_are_left_to_the_runtime() -> None:
    text = """g (float[65536,65536] x) => (int64[A] y) { s = Shape(x) d = Mul(s, s) y = Identity(d) }"""
    assert told(text, "d") == (None, None)


def test_in_a_function_a_reference_is_no_attribute() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
    g (float[2,3] x) => (int64[A] y) { y = own.f<from = 1>(x) }
    <domain: "own", opset_import: ["" : 17]>
    f <from> (a) => (b) { s = Shape<start: int = @from>(a) b = Identity(s) }"""
    scopes = typed_scopes(load(onnx.parser.parse_model(text)))[0]
    assert shape_values(scopes[1]) == {}


@pytest.mark.parametrize("opset", [9, 11])
def test_old_forms(opset: int) -> None:
    axes = "<axes = [0]>"
    bounds = "<starts = [1], ends = [3]>(s)" if opset < 10 else "(s, one, three)"
    text = f"""g (float[2,N,4] x) => (int64[A] y) <int64[1] one = {{1}}, int64[1] three = {{3}}, int64 zero = {{0}}>
    {{ s = Shape(x) p = Slice{bounds} q = Gather(s, zero) r = Unsqueeze{axes}(q)
       t = Squeeze{axes}(r) u = Unsqueeze{axes}(t) v = Concat<axis = 0>(p, u) y = Identity(v) }}"""
    assert told(text, "v", opset) == ("N", 4, 2)
