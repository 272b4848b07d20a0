"""ScatterND and ScatterElements with a reduction against ONNX Runtime and TensorRT-RTX."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from tests.decompose.proving import builds, prove, reason, unsafe

ND, ELEMENTS = "OFX716", "OFX717"
REDUCTIONS = ["add", "mul", "max", "min"]
DTYPES = [np.float32, np.float64, np.int32, np.int64]


def scatter(
    op: str, arrays: dict[str, Any], stored: tuple[str, ...], dynamic: bool, **attributes: Any
) -> onnx.ModelProto:
    """One node; the arrays in `stored` are constants, the others inputs (with unknown sizes when `dynamic`)."""
    kinds = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in arrays.items()}
    dims = {name: list(array.shape) for name, array in arrays.items()}
    if dynamic:
        last = dims["i"][-1]
        dims = {name: [f"{name}{axis}" for axis in range(len(shape))] for name, shape in dims.items()}
        if op == "ScatterND":
            dims["i"][-1] = last
        else:
            axis = attributes["axis"] % len(dims["x"])
            dims["i"] = dims["u"] = [f"i{a}" if a == axis else dim for a, dim in enumerate(dims["x"])]
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "i", "u"], ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info(name, kinds[name], dims[name]) for name in arrays if name not in stored],
        [helper.make_tensor_value_info("y", kinds["x"], dims["x"])],
        [onnx.numpy_helper.from_array(arrays[name], name) for name in stored],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def numbers(random: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    return (
        (random.normal(size=shape) * 3).astype(dtype)
        if np.dtype(dtype).kind == "f"
        else random.integers(-3, 4, shape).astype(dtype)
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_scatter_nd_computes_the_same(data: st.DataObject) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    width = data.draw(st.integers(1, len(shape)))
    lead = tuple(data.draw(st.lists(st.integers(1, 4), min_size=0, max_size=2)))
    dtype = data.draw(st.sampled_from(DTYPES))
    columns = [random.integers(-size, size, lead) for size in shape[:width]]
    arrays = {
        "x": numbers(random, shape, dtype),
        "i": np.stack(columns, axis=-1).astype(np.int64),
        "u": numbers(random, lead + shape[width:], dtype),
    }
    stored = ("i",) if data.draw(st.booleans()) else ()
    dynamic = not stored and data.draw(st.booleans())
    model = scatter("ScatterND", arrays, stored, dynamic, reduction=data.draw(st.sampled_from(REDUCTIONS)))
    prove(model, ND, {name: array for name, array in arrays.items() if name not in stored})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_scatter_elements_computes_the_same(data: st.DataObject) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    count = data.draw(st.integers(1, 7))
    smaller = tuple(data.draw(st.integers(1, size)) for size in shape) if count <= shape[axis] else shape
    places = tuple(count if a == axis % len(shape) else size for a, size in enumerate(smaller))
    dtype = data.draw(st.sampled_from(DTYPES))
    index = data.draw(st.sampled_from([np.int32, np.int64]))
    arrays = {
        "x": numbers(random, shape, dtype),
        "i": random.integers(-shape[axis], shape[axis], places).astype(index),
        "u": numbers(random, places, dtype),
    }
    dynamic = smaller == shape and data.draw(st.booleans())
    model = scatter("ScatterElements", arrays, (), dynamic, axis=axis, reduction=data.draw(st.sampled_from(REDUCTIONS)))
    prove(model, ELEMENTS, arrays)


def example(
    op: str, dtype: Any = np.float32, *, indices: int = 5, stored: tuple[str, ...] = (), dynamic: bool = False
) -> Any:
    random = np.random.default_rng(1)
    shape = (indices, 1) if op == "ScatterND" else (indices, 3)
    arrays = {
        "x": numbers(random, (4, 3), dtype),
        "i": random.integers(-4, 4, shape),
        "u": numbers(random, (indices, 3), dtype),
    }
    axis = {"axis": 0} if op == "ScatterElements" else {}
    return arrays, scatter(op, arrays, stored, dynamic, reduction="max", **axis)


@pytest.mark.parametrize(("op", "code"), [("ScatterND", ND), ("ScatterElements", ELEMENTS)])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.float16])
@pytest.mark.parametrize("dynamic", [False, True])
def test_the_target_takes_the_result_and_not_the_original(op: str, code: str, dtype: Any, dynamic: bool) -> None:
    arrays, model = example(op, dtype, dynamic=dynamic)
    assert not builds(model)
    result = (
        prove(model, code, arrays)
        if dtype != np.float16 or op == "ScatterElements"
        else prove_in_reference(model, code, arrays)
    )
    assert builds(result)


def prove_in_reference(model: onnx.ModelProto, code: str, feed: dict[str, Any]) -> onnx.ModelProto:
    """ONNX Runtime has no ScatterND with a reduction of float16."""
    from onnx.reference import ReferenceEvaluator

    from tests.decompose.proving import outcome_of

    result: onnx.ModelProto = outcome_of(model, code).model.proto
    wanted, found = (ReferenceEvaluator(proto).run(None, feed)[0] for proto in (model, result))
    np.testing.assert_array_equal(found, wanted)
    return result


@pytest.mark.parametrize("indices", ["0, 2, 0", "0, -1, 0", "1, 2, 0"])
def test_known_indices_of_a_dynamic_tensor(indices: str) -> None:
    node = '{ y = ScatterND <reduction = "add"> (x, i, u) }'
    text = f"g (float[N,2] x, float[3,2] u) => (float[N,2] y) <int64[3,1] i = {{{indices}}}> {node}"
    x, u = np.ones((4, 2), np.float32), np.arange(6, dtype=np.float32).reshape(3, 2)
    assert builds(prove(text, ND, {"x": x, "u": u}))


@pytest.mark.parametrize("reduction", ["max", "min"])
def test_the_ends_of_a_type(reduction: str) -> None:
    low, high = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    arrays = {
        "x": np.array([low, high, 0], dtype=np.int32),
        "i": np.array([0, 0, 1], dtype=np.int64),
        "u": np.array([low, high, low], dtype=np.int32),
    }
    prove(scatter("ScatterElements", arrays, (), False, axis=0, reduction=reduction), ELEMENTS, arrays)


def test_infinite_updates_stay_with_their_index() -> None:
    arrays, _ = example("ScatterND")
    arrays["u"][1] = [np.inf, -np.inf, np.nan]
    arrays["i"][:] = [[0], [1], [1], [2], [2]]
    prove(scatter("ScatterND", arrays, (), False, reduction="add"), ND, arrays)


def text(op: str, x: str, i: str, u: str, reduction: str, dtype: str = "float") -> str:
    node = f'{op} <reduction = "{reduction}"> (x, i, u)'
    return f"g ({dtype}[{x}] x, int64[{i}] i, {dtype}[{u}] u) => ({dtype}[{x}] y) {{ y = {node} }}"


def test_plain_scatter_is_left_alone_and_much_memory_asks() -> None:
    arrays, _ = example("ScatterND")
    assert reason(scatter("ScatterND", arrays, (), False), ND) == ""
    assert unsafe(text("ScatterND", "9000,8", "9000,1", "9000,8", "add"), ND)
    assert unsafe(text("ScatterElements", "9000,8", "9000,8", "9000,8", "add"), ELEMENTS)
    assert "more indices than places" in reason(text("ScatterElements", "A,4", "B,5", "B,5", "add"), ELEMENTS)
    assert "this type" in reason(text("ScatterElements", "4", "4", "4", "max", "bool"), ELEMENTS)
