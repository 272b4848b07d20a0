"""Resize in every mode against ONNX Runtime and the reference evaluator."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from tests.decompose.proving import builds, outcome_of, prove, reason, unsafe

CODE = "OFX715"
COORDINATES = [
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


def resize(
    shape: list[Any],
    dtype: int = TensorProto.FLOAT,
    *,
    opset: int = 19,
    roi: list[float] | None = None,
    scales: list[float] | None = None,
    sizes: list[int] | None = None,
    inputs: tuple[str, ...] = (),
    output: list[Any] | None = None,
    **attributes: Any,
) -> onnx.ModelProto:
    """One Resize; of roi, scales and sizes those named in `inputs` are graph inputs, the others constants."""
    parameters = {"roi": (1, roi), "scales": (1, scales), "sizes": (7, sizes)}
    tensors = [helper.make_tensor(n, kind, [len(v)], v) for n, (kind, v) in parameters.items() if v is not None]
    names = [name if values is not None else "" for name, (_, values) in parameters.items()]
    given_later = [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in tensors if t.name in inputs]
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", *names], ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", dtype, shape), *given_later],
        [helper.make_tensor_value_info("y", dtype, output or [f"o{axis}" for axis in range(len(shape))])],
        [tensor for tensor in tensors if tensor.name not in inputs],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


@st.composite
def resizes(draw: st.DrawFn) -> onnx.ModelProto:
    """[n, c, h, w] of which the last two axes change, by scales or by sizes, with known or unknown sizes before."""
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    coordinates = draw(st.sampled_from(COORDINATES))
    mode = draw(st.sampled_from(["nearest", "linear", "cubic"]))
    attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = draw(st.sampled_from(NEAREST))
    if mode == "cubic":
        attributes |= {
            "cubic_coeff_a": draw(st.sampled_from([-0.75, -0.5])),
            "exclude_outside": draw(st.integers(0, 1)),
        }
    if mode != "nearest":
        attributes["antialias"] = draw(st.integers(0, 1))
    if coordinates == "tf_crop_and_resize":
        attributes["extrapolation_value"] = 5.0
        attributes["roi"] = [
            0.0,
            0.0,
            draw(st.sampled_from([0.0, 0.25])),
            0.1,
            1.0,
            1.0,
            0.75,
            draw(st.sampled_from([0.9, 1.5])),
        ]
    if draw(st.booleans()):
        attributes["sizes"] = [1, 2, draw(st.integers(1, 9)), draw(st.integers(1, 9))]
    else:
        factors = [
            max(draw(st.sampled_from([0.3, 0.5, 0.6, 1.0, 1.7, 2.0, 3.0])), 1.0 / size) for size in (height, width)
        ]
        attributes["scales"] = [1.0, 1.0, *factors]
    doubled = mode == "nearest" and coordinates == "half_pixel_symmetric"  # in ONNX Runtime: other halves than in float
    dynamic = draw(st.booleans()) and not doubled and not (attributes.get("antialias") and "sizes" in attributes)
    return resize(["N", 2, "H", "W"] if dynamic else [1, 2, height, width], **attributes)


@pytest.mark.parametrize("sizes", [[1, 2, 1, 2], [1, 2, 3, 4]])
@pytest.mark.parametrize("nearest", NEAREST)
def test_places_between_two_elements_are_those_of_a_double(nearest: str, sizes: list[int]) -> None:
    """6 elements to 2: the places are 1 and 4 in float, and a little less in double, with the scale a float."""
    model = resize(
        [1, 2, 5, 6],
        sizes=sizes,
        mode="nearest",
        coordinate_transformation_mode="half_pixel_symmetric",
        nearest_mode=nearest,
    )
    prove(model, CODE, {"x": np.arange(60, dtype=np.float32).reshape(1, 2, 5, 6)})


@pytest.mark.parametrize(("before", "after"), [(7, 2), (23, 14), (10, 12), (13, 8)])
@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil"])
def test_a_place_that_misses_the_middle_by_a_rounding(before: int, after: int, nearest: str) -> None:
    model = resize(
        [1, 1, before, 1],
        sizes=[1, 1, after, 1],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode=nearest,
    )
    prove(model, CODE, {"x": np.arange(before, dtype=np.float32).reshape(1, 1, before, 1)})


@settings(max_examples=120, deadline=None)
@given(resizes(), st.integers(0, 2**32 - 1))
def test_every_mode_computes_the_same(model: onnx.ModelProto, seed: int) -> None:
    dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    shape = [size or 3 + axis for axis, size in enumerate(dims)]
    shape[0] = 1
    prove(model, CODE, {"x": np.random.default_rng(seed).normal(size=shape).astype(np.float32)})


@pytest.mark.parametrize("shape", [[5], [2, 5], [1, 2, 5], [1, 2, 3, 4, 3]])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_any_number_of_axes(shape: list[int], mode: str) -> None:
    """ONNX Runtime has not every number of axes in every mode; the reference evaluator has."""
    scales = [1.0] * min(2, len(shape) - 1) + [1.5] * max(1, len(shape) - 2)
    model = resize(shape, scales=scales, mode=mode, coordinate_transformation_mode="half_pixel_symmetric")
    outcome = outcome_of(model, CODE)
    assert outcome.journal
    feed = {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    wanted, found = (ReferenceEvaluator(proto).run(None, feed)[0] for proto in (model, outcome.model.proto))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("sizes", [[7, 8], [2, 3], [9, 4]])
def test_policies_use_one_scale(policy: str, sizes: list[int]) -> None:
    attributes: dict[str, Any] = {"keep_aspect_ratio_policy": policy, "mode": "linear", "axes": [2, 3]}
    prove(resize([1, 2, 4, 6], sizes=sizes, **attributes), CODE)
    later = resize([1, 2, 4, 6], sizes=sizes, inputs=("sizes",), **attributes)
    prove(later, CODE, {"x": np.ones((1, 2, 4, 6), np.float32), "sizes": np.array(sizes)})


@pytest.mark.parametrize("dtype", [TensorProto.INT32, TensorProto.UINT8, TensorProto.INT8, TensorProto.FLOAT16])
def test_other_types(dtype: int) -> None:
    prove(resize([1, 1, 3, 5], dtype, scales=[1.0, 1.0, 2.0, 1.4]), CODE)
    prove(resize([1, 1, 3, 5], dtype, scales=[1.0, 1.0, 2.0, 2.0], mode="linear"), CODE)


def test_the_ends_of_a_type_stay() -> None:
    values = np.array([[[[-(2**31), 2**31 - 1, -1]]]], dtype=np.int32)
    prove(resize([1, 1, 1, 3], TensorProto.INT32, scales=[1.0, 1.0, 2.0, 2.0]), CODE, {"x": values})


def test_infinity_and_nan_stay_where_they_are() -> None:
    """A product with a matrix of weights would spread them over whole rows."""
    values = np.zeros((1, 1, 6, 6), dtype=np.float32)
    values[0, 0, 1, 1], values[0, 0, 4, 4], values[0, 0, 0, 5] = np.inf, np.nan, -np.inf
    prove(
        resize([1, 1, 6, 6], sizes=[1, 1, 9, 9], mode="linear", coordinate_transformation_mode="align_corners"),
        CODE,
        {"x": values},
    )


def test_roi_and_scales_as_graph_inputs() -> None:
    crop: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}
    model = resize([1, 1, 4, 4], roi=[0.0] * 8, sizes=[1, 1, 3, 4], inputs=("roi",), output=[1, 1, 3, 4], **crop)
    roi = np.array([0, 0, 0.4, 0.6, 1, 1, 0.6, 1.8], dtype=np.float32)
    feed = {"x": np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), "roi": roi}
    assert builds(prove(model, CODE, feed)) and not builds(model)
    model = resize([1, 1, 4, 4], scales=[1.0] * 4, inputs=("scales",), output=[1, 1, 2, 2], mode="linear", antialias=1)
    for scale in (0.5, 0.6, 0.74):
        feed = {"x": feed["x"], "scales": np.array([1, 1, scale, scale], dtype=np.float32)}
        built = prove(model, CODE, feed)
    assert builds(built)


@pytest.mark.parametrize(
    "model",
    [
        resize(["N", 3, "H", "W"], scales=[1.0, 1.0, 0.5, 0.4], mode="linear", antialias=1),
        resize(["N", 3, "H", "W"], sizes=[5, 7], axes=[2, 3], mode="cubic", keep_aspect_ratio_policy="not_larger"),
        resize(["N", 1, "H", "W"], TensorProto.INT32, scales=[1.0, 1.0, 2.0, 2.0]),
        resize([1, 1, 6, 8], sizes=[1, 1, 4, 4], mode="linear", coordinate_transformation_mode="half_pixel_symmetric"),
    ],
)
def test_the_target_takes_the_result_and_not_the_original(model: onnx.ModelProto) -> None:
    assert not builds(model)
    assert builds(prove(model, CODE))


def test_a_plain_resize_is_preferred() -> None:
    attributes: dict[str, Any] = {"mode": "linear", "axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}
    model = resize([1, 2, 6, 8], sizes=[3, 4], **attributes)
    first = outcome_of(model, CODE).journal[0]
    assert [line.split(" = ")[1].split(" ")[0] for line in first.after] == ["Resize"]


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_upsample_of_opset_7_and_9(mode: str) -> None:
    form = f'mode = "{mode}", scales = [1.0, 1.0, 2.0, 2.0]'
    old = f"g (float[1,1,2,3] x) => (float[1,1,4,6] y) {{ y = Upsample <{form}> (x) }}"
    prove(f'<ir_version: 4, opset_import: ["" : 7]>\n{old}', CODE)
    new = f'g (float[1,1,2,3] x, float[4] s) => (float[1,1,4,6] y) {{ y = Upsample <mode = "{mode}"> (x, s) }}'
    prove(f'<ir_version: 4, opset_import: ["" : 9]>\n{new}', CODE)


@pytest.mark.parametrize("shape", [[1, 1, 1, 1, 1, 1, 2, 5], [1, 3, 2600, 12]])
def test_taps_one_by_one(shape: list[int]) -> None:
    """All at once would need a ninth dimension, or too much memory (here: what counts as too much is lowered)."""
    scales = [1.0] * (len(shape) - 2) + [1.0, 2.0] if len(shape) == 8 else [1.0, 1.0, 0.0101, 1.0]
    model = resize(shape, scales=scales, mode="linear", antialias=int(len(shape) == 4))
    with mock.patch("onnxfix.decompose.resize._LARGE", 1000):
        outcome = outcome_of(model, CODE)
    assert {node.op_type for node in outcome.model.proto.graph.node} == {"Gather", "Mul", "Add"}
    assert builds(outcome.model.proto)
    feed = {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    wanted, found = (ReferenceEvaluator(proto).run(None, feed)[0] for proto in (model, outcome.model.proto))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_what_is_left_alone_says_why() -> None:
    whole = resize([1, 1, 4, 4], TensorProto.UINT8, scales=[1.0, 1.0, 2.0, 2.0], mode="cubic")
    assert "rounded differently" in reason(whole, CODE)
    assert unsafe(resize([1, 1, 4, 4], TensorProto.INT32, scales=[1.0, 1.0, 1.5, 1.0], mode="linear"), CODE)
