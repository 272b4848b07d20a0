"""supports(): answers spot-checked against the tables they come from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from onnxfix.targets import dtype_name, gpu_precision, limits, refuses_operator, resolve, supports
from onnxfix.targets.tables import table

OPERATORS: dict[str, Any] = table("operators")["ops"]
COVERED = [f"trt{key}" for key in table("operators")["order"]["trt"] if "-" not in key]
COVERED += [f"rtx{key}" for key in table("operators")["order"]["rtx"]]


@pytest.mark.parametrize(
    ("name", "op_type", "answer", "words"),
    [
        ("trt8.6", "Relu", "yes", ""),
        ("trt8.6", "Bernoulli", "no", "no importer for Bernoulli"),
        ("trt5.1", "Tile", "no", "no importer"),
        ("trt7.0", "Tile", "yes", ""),
        ("trt8.2", "LayerNormalization", "no", "TensorRT 8.4 is the first to list"),
        ("trt10.13", "RMSNormalization", "unknown", "TensorRT 10.15 is the first to list"),
        ("trt10.15", "RMSNormalization", "yes", ""),
        ("trt7.1", "If", "yes", "leaves it out"),
        ("trt8.4", "RandomNormal", "unknown", "registers no importer"),
        ("trt11.4.1", "Swish", "yes", ""),
        ("trt8.6", "NoSuchOperator", "unknown", "no source"),
        ("trt8.6", "BitCast", "unknown", "no source"),
        ("trt8.6", "TRT_Conv", "yes", ""),
        ("trt8.6", "TRT_Attention", "unknown", "no source"),
        ("rtx1.4", "QuantizeLinear", "unknown", "without a GPU"),
        ("rtx1.7", "QuantizeLinear", "yes", ""),
        ("rtx1.4", "Swish", "no", "no importer"),
        ("rtx1.7", "NonMaxSuppression", "unknown", "without a GPU"),
        ("rtx1.7", "RoiAlign", "unknown", "plugin"),
        ("rtx1.7", "GroupQueryAttention", "unknown", "not verified"),
        ("rtx1.2", "Relu", "unknown", "no source"),
    ],
)
def test_operators(name: str, op_type: str, answer: str, words: str) -> None:
    support = supports(resolve(name), op_type)
    assert (support.answer, words in support.reason) == (answer, True), support
    assert refuses_operator(resolve(name), op_type) == (answer == "no")


@pytest.mark.parametrize(
    ("name", "op_type", "dtype", "answer", "words"),
    [
        ("trt8.6", "Add", "float", "yes", ""),
        ("trt8.6", "Add", "int64", "yes", "read as int32"),
        ("trt8.6", "Sin", "int64", "no", "not in int64"),
        ("trt9.0", "Add", "int64", "yes", ""),
        ("trt8.6", "Add", "double", "yes", "read as fp32"),
        ("trt7.1", "Add", "double", "no", "no fp64"),
        ("trt7.1", "Add", "int32", "unknown", "no source lists"),
        ("trt8.6", "Add", "bfloat16", "no", "no bf16"),
        ("trt10.0", "Add", "bfloat16", "yes", ""),
        ("t4@trt10.0", "Add", "bfloat16", "no", "sm75 has no bf16"),
        ("a100@trt10.0", "Add", "bfloat16", "yes", ""),
        ("rtx1.7@sm86", "DequantizeLinear", "float8e4m3fn", "no", "sm86 has no fp8"),
        ("rtx1.7@sm89", "DequantizeLinear", "float8e4m3fn", "yes", ""),
        ("trt8.2", "Cast", "uint8", "no", "no uint8"),
        ("trt8.6", "Cast", "uint8", "yes", ""),
        ("trt6.0", "Where", "bool", "no", "no importer"),
        ("trt6.0", "Add", "bool", "no", "no bool"),
        ("trt8.0", "Relu", "int8", "unknown", "through Q/DQ"),
        ("trt8.0", "DequantizeLinear", "int8", "yes", ""),
        ("trt10.0", "Relu", "string", "no", "not in string"),
        ("rtx1.7", "Celu", "float16", "no", "fp32, fp64"),
    ],
)
def test_element_types(name: str, op_type: str, dtype: str, answer: str, words: str) -> None:
    support = supports(resolve(name), op_type, dtypes=[dtype])
    assert (support.answer, words in support.reason) == (answer, True), support


@pytest.mark.parametrize(
    ("name", "op_type", "opset", "attributes", "answer", "words"),
    [
        ("trt8.6", "ReduceMean", 17, None, "yes", ""),
        ("trt8.6", "ReduceMean", 18, None, "unknown", "redefined in opset 18"),
        ("trt8.6", "Relu", 18, None, "yes", ""),
        ("trt5.1", "CausalConvWithState", 10, {}, "unknown", "no source"),
        ("trt8.6", "Relu", 99, None, "yes", ""),
        ("trt10.13", "ReduceMean", 18, None, "yes", ""),
        ("trt7.1", "Resize", 11, None, "yes", ""),
        ("trt7.1", "Resize", 11, {}, "no", "half_pixel"),
        ("trt7.1", "Resize", 10, {}, "yes", ""),
        (
            "trt7.1",
            "Resize",
            11,
            {"coordinate_transformation_mode": b"asymmetric", "nearest_mode": "floor"},
            "yes",
            "",
        ),
        ("trt8.6", "Resize", 11, {"coordinate_transformation_mode": "tf_crop_and_resize"}, "no", "asymmetric"),
        (
            "trt8.6",
            "Resize",
            11,
            {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "ceil"},
            "no",
            "round_prefer_floor",
        ),
        ("rtx1.7", "MaxPool", 12, {"dilations": [1, 1]}, "yes", ""),
        ("rtx1.7", "MaxPool", 12, {"dilations": [1, 2]}, "no", "1 everywhere"),
        ("trt8.6", "BatchNormalization", 15, {"training_mode": 1}, "no", "must be 0; the node has 1"),
        ("trt8.6", "LSTM", 14, {"layout": 1}, "no", "not honoured"),
        ("trt10.1", "TopK", 11, {"sorted": 0}, "yes", "has no effect"),
        ("trt8.6", "Constant", 13, {"value_strings": [b"a"]}, "no", "value_strings is not taken"),
        ("rtx1.7", "Attention", 23, {"softcap": 0.0}, "unknown", "types and sizes"),
        ("rtx1.7", "Attention", 23, {"softcap": 2.0}, "no", "softcap is not taken"),
        ("trt8.2", "Einsum", 12, {"equation": "b...i,bj->b...j"}, "no", "ellipsis"),
        ("trt8.2", "Einsum", 12, {"equation": "ii,j->j"}, "no", "diagonal"),
        ("trt8.2", "Einsum", 12, {"equation": "bi,bj->ij"}, "yes", ""),
        ("trt9.0", "Einsum", 12, {"equation": "b...i,bj->b...j"}, "yes", ""),
        ("trt10.1", "DeformConv", 19, {"pads": [0, 1, 0, 0]}, "no", "same at both ends"),
        ("trt10.1", "DeformConv", 19, {"pads": [0, 1, 0, 1]}, "yes", "ModulatedDeformConv2d"),
        ("trt8.6", "ConvTranspose", 11, {"pads": [-1, 0, 0, 0]}, "no", "begin at 0"),
        ("trt8.6", "ConvTranspose", 11, {"pads": [0, 0, -1, 0]}, "yes", ""),
        ("trt8.6", "Reshape", 13, {"allowzero": 1}, "yes", "newer than opset 13"),
        ("trt8.6", "Reshape", 14, {"allowzero": 1}, "yes", ""),
        ("trt9.3", "ScatterElements", 18, {"reduction": "add"}, "no", "one of none"),
        ("trt10.0", "ScatterElements", 18, {"reduction": "add"}, "yes", "needs the plugin"),
        ("trt10.0", "ScatterElements", 18, {}, "yes", ""),
        ("trt8.6", "RandomNormal", 1, {"seed": 3.0, "shape": [1]}, "yes", "has no effect"),
    ],
)
def test_attributes_and_opsets(
    name: str, op_type: str, opset: int, attributes: dict[str, Any] | None, answer: str, words: str
) -> None:
    support = supports(resolve(name), op_type, opset=opset, attributes=attributes)
    assert (support.answer, words in support.reason) == (answer, True), support
    assert support.source or support.answer == "unknown"


def test_a_limit_may_depend_on_the_element_type() -> None:
    target = resolve("trt8.6")
    assert supports(target, "Mod", dtypes=["int32"], attributes={"fmod": 0}).answer == "yes"
    assert supports(target, "Mod", dtypes=["float"], attributes={"fmod": 0}).answer == "no"
    assert supports(target, "Mod", attributes={"fmod": 0}).answer == "yes"


def test_a_wrong_result_is_marked_as_such() -> None:
    assert supports(resolve("rtx"), "GRU", attributes={"layout": 1}).level == "silent_wrong"
    assert supports(resolve("rtx1.7@sm75"), "Add", dtypes=["bfloat16"]).stage == "build"


def test_an_attribute_that_lifts_the_type_list() -> None:
    assert supports(resolve("rtx1.6"), "Attention", dtypes=["float"]).answer == "no"
    lifted = supports(resolve("rtx1.6"), "Attention", dtypes=["float"], attributes={"TRT_decomposable": 1})
    assert lifted.answer == "unknown"


def test_shapes() -> None:
    def attention(dtype: str, query: list[int | None], keys: list[int | None], **attributes: Any) -> str:
        shapes = [query, keys, keys]
        asked = supports(resolve("rtx1.7"), "Attention", dtypes=[dtype], attributes=attributes, shapes=shapes)
        return asked.answer

    assert supports(resolve("rtx1.7"), "Attention", dtypes=["float16"], attributes={}).answer == "unknown"
    assert attention("float16", [1, 8, 4, 64], [1, 8, 9, 64]) == "yes"
    assert attention("float16", [1, 8, 4, 8], [1, 8, 9, 8]) == "no"
    assert attention("float", [1, 8, 1, 64], [1, 8, 9, 64]) == "yes"
    assert attention("float", [None, 1, 1, 64], [None, 1, 9, 64]) == "yes"
    assert attention("float", [1, 8, None, 64], [1, 8, 9, 64]) == "no"
    assert attention("float", [2, 4, 24], [2, 6, 24], q_num_heads=3, kv_num_heads=3) == "yes"
    assert attention("float", [2, 4, 24], [2, 6, 24], q_num_heads=3, kv_num_heads=3, is_causal=1) == "no"
    assert supports(resolve("trt8.6"), "Relu", dtypes=["float"], shapes=[[1] * 9]).answer == "no"
    assert supports(resolve("rtx1.7"), "MatMul", dtypes=["float"], shapes=[[3], [2, 3, 4]]).stage == "parse"
    assert supports(resolve("rtx1.7"), "MatMul", dtypes=["float"], shapes=[[3], None]).answer == "yes"


@pytest.mark.parametrize(
    ("name", "precision", "answer"),
    [
        ("jetson-nano", "int8", "no"),
        ("jetson-nano", "fp16", "yes"),
        ("jetson-tx2", "int8", "no"),
        ("jetson-xavier-nx", "int8", "yes"),
        ("geforce-gtx-1080", "fp16", "no"),
        ("h200", "fp8", "yes"),
        ("jetson-nano", "bf16", "unknown"),
        ("trt8.6", "int8", "unknown"),
    ],
)
def test_precisions_of_a_gpu(name: str, precision: str, answer: str) -> None:
    support = gpu_precision(resolve(name), precision)
    assert support.answer == answer
    assert bool(support.source) == (answer != "unknown")


@settings(deadline=None)
@given(
    st.sampled_from(COVERED),
    st.sampled_from(sorted(OPERATORS)),
    st.none() | st.integers(7, 25),
    st.lists(st.sampled_from(["float", "FLOAT16", "int64", "bool", "string", "fp8", 16]), max_size=2),
)
def test_a_refusal_has_a_reason_and_a_source(
    name: str, op_type: str, opset: int | None, dtypes: list[str | int]
) -> None:
    target = resolve(name)
    support = supports(target, op_type, opset=opset, dtypes=dtypes, attributes={})
    if support.answer == "no":
        assert support.reason and support.source
    if support.answer == "unknown":
        assert support.reason
    if refuses_operator(target, op_type):
        assert support.answer == "no"


def test_limits_list_what_supports_does_not_ask() -> None:
    old = {limit.fact["must_be"] for limit in limits(resolve("trt8.2"), "TopK") if "must_be" in limit.fact}
    new = [limit for limit in limits(resolve("trt8.6"), "TopK") if "must_be" in limit.fact]
    assert (old, new) == ({"initializer"}, [])


@pytest.mark.parametrize(
    ("given_name", "name"),
    [("float", "fp32"), ("FLOAT16", "fp16"), (TensorProto.BFLOAT16, "bf16"), ("bf16", "bf16"), ("int64", "int64")],
)
def test_element_type_names(given_name: str | int, name: str) -> None:
    assert dtype_name(given_name) == name
