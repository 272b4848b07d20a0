"""The fact base against the real TensorRT-RTX: where it says yes or no, the parser and the builder must agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
import pytest
from onnx import helper, parser

from onnxfix.targets import explain_message, local_target, resolve, supports

trt = pytest.importorskip("tensorrt_rtx")

Run = Callable[..., tuple[bool, list[str]]]
UNARY = ["Abs", "Acos", "Ceil", "Celu", "Cos", "Erf", "Exp", "HardSwish", "IsNaN", "Log", "LogSoftmax", "Mish", "Neg"]
UNARY += ["Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Softplus", "Sqrt", "Tanh", "Not", "Det"]
UNARY += ["Bernoulli", "Unique", "ReduceMean", "ReduceL2", "ArgMax", "Hardmax", "Transpose", "Size", "Swish"]
BINARY = ["Add", "Mul", "Pow", "Equal", "Greater", "And", "MatMul", "BitwiseAnd", "BitShift", "PRelu", "Max"]
OUTPUTS = {"IsNaN": "bool", "Equal": "bool", "Greater": "bool", "ArgMax": "int64", "Size": "int64"}
SHAPES = {
    "ReduceMean": "[1,1]",
    "ReduceL2": "[1,1]",
    "ArgMax": "[1,4]",
    "Size": "",
    "NonZero": "[2,n]",
    "Unique": "[n]",
}


@pytest.fixture(scope="module")
def run() -> Run:
    """Parses and builds a model, optionally for one compute capability; gives success and the parser's messages."""
    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    builder = trt.Builder(logger)

    def parse_and_build(model: onnx.ModelProto, capability: str | None = None) -> tuple[bool, list[str]]:
        network = builder.create_network(0)
        onnx_parser = trt.OnnxParser(network, logger)
        if not onnx_parser.parse(model.SerializeToString()):
            return False, [onnx_parser.get_error(i).desc() for i in range(onnx_parser.num_errors)]
        config = builder.create_builder_config()
        if capability:
            config.num_compute_capabilities = 1
            config.set_compute_capability(getattr(trt.ComputeCapability, f"SM{capability}"), 0)
        return builder.build_serialized_network(network, config) is not None, []

    return parse_and_build


def one_node(body: str, inputs: str, outputs: str, opset: int = 24) -> onnx.ModelProto:
    return parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : {opset}]> g ({inputs}) => ({outputs}) {{ {body} }}'
    )


def answer(model: onnx.ModelProto, dtypes: list[str], target: str | None = None) -> str:
    node = model.graph.node[0]
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    asked = resolve(target) if target else local_target()
    assert asked is not None
    opset = model.opset_import[0].version
    known = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in model.graph.input}
    shapes = [known.get(name) for name in node.input]
    return supports(asked, node.op_type, opset=opset, dtypes=dtypes, attributes=attributes, shapes=shapes).answer


def check(run: Run, model: onnx.ModelProto, dtypes: list[str]) -> None:
    expected = answer(model, dtypes)
    assert expected != "unknown"
    taken, messages = run(model)
    assert taken == (expected == "yes"), messages
    assert taken or not messages or any(explain_message(message) for message in messages)


@pytest.mark.parametrize("dtype", ["float", "float16", "bfloat16", "int32", "int64", "bool"])
@pytest.mark.parametrize("op_type", UNARY)
def test_unary_operators(run: Run, op_type: str, dtype: str) -> None:
    output = f"{OUTPUTS.get(op_type, dtype)}{SHAPES.get(op_type, '[3,4]')} y"
    check(run, one_node(f"y = {op_type}(x)", f"{dtype}[3,4] x", output), [dtype])


@pytest.mark.parametrize("dtype", ["float", "float16", "int32", "bool"])
@pytest.mark.parametrize("op_type", BINARY)
def test_binary_operators(run: Run, op_type: str, dtype: str) -> None:
    output = f"{OUTPUTS.get(op_type, dtype)}[4,4] y"
    check(run, one_node(f"y = {op_type}(a, b)", f"{dtype}[4,4] a, {dtype}[4,4] b", output), [dtype])


ATTRIBUTES: list[tuple[str, str, str, int]] = [
    ("y = Mod<fmod=1>(a, b)", "float[4] a, float[4] b", "float[4] y", 13),
    ("y = Mod(a, b)", "int32[4] a, int32[4] b", "int32[4] y", 13),
    ("y = MaxPool<kernel_shape=[2,2], dilations=[1,1]>(x)", "float[1,2,8,8] x", "float[1,2,7,7] y", 12),
    ("y = MaxPool<kernel_shape=[2,2], dilations=[2,2]>(x)", "float[1,2,8,8] x", "float[1,2,6,6] y", 12),
    ("y = AveragePool<kernel_shape=[2,2], dilations=[1,2]>(x)", "float[1,2,8,8] x", "float[1,2,7,6] y", 19),
    ("y = LpPool<kernel_shape=[2,2], p=2>(x)", "float[1,2,8,8] x", "float[1,2,7,7] y", 18),
    ("y = LpPool<kernel_shape=[2,2], p=3>(x)", "float[1,2,8,8] x", "float[1,2,7,7] y", 18),
    ('y = Einsum<equation="ij,jk->ik">(a, b)', "float[2,3] a, float[3,4] b", "float[2,4] y", 12),
    ('y = Einsum<equation="...ij,jk->...ik">(a, b)', "float[2,2,3] a, float[3,4] b", "float[2,2,4] y", 12),
    ('y = ScatterND<reduction="none">(d, i, u)', "float[4] d, int64[2,1] i, float[2] u", "float[4] y", 18),
    ('y = ScatterND<reduction="add">(d, i, u)', "float[4] d, int64[2,1] i, float[2] u", "float[4] y", 18),
    ('y = ScatterElements<reduction="none">(d, i, u)', "float[4] d, int64[2] i, float[2] u", "float[4] y", 18),
    ('y = ScatterElements<reduction="mul">(d, i, u)', "float[4] d, int64[2] i, float[2] u", "float[4] y", 18),
    (
        "y = Attention(q, k, v)",
        "float16[1,2,8,16] q, float16[1,2,8,16] k, float16[1,2,8,16] v",
        "float16[1,2,8,16] y",
        23,
    ),
    (
        "y = Attention<softcap=2.0>(q, k, v)",
        "float16[1,2,8,16] q, float16[1,2,8,16] k, float16[1,2,8,16] v",
        "float16[1,2,8,16] y",
        23,
    ),
    ("y = BatchNormalization(x, s, s, s, s)", "float[1,2,4] x, float[2] s", "float[1,2,4] y", 15),
    (
        "y, m, v = BatchNormalization<training_mode=1>(x, s, s, s, s)",
        "float[1,2,4] x, float[2] s",
        "float[1,2,4] y",
        15,
    ),
    (
        "y = LSTM<hidden_size=2, input_forget=1>(x, w, r)",
        "float[3,1,2] x, float[1,8,2] w, float[1,8,2] r",
        "float[3,1,1,2] y",
        14,
    ),
    ("y = LSTM<hidden_size=2>(x, w, r)", "float[3,1,2] x, float[1,8,2] w, float[1,8,2] r", "float[3,1,1,2] y", 14),
]


@pytest.mark.parametrize(("body", "inputs", "outputs", "opset"), ATTRIBUTES, ids=[row[0] for row in ATTRIBUTES])
def test_attributes(run: Run, body: str, inputs: str, outputs: str, opset: int) -> None:
    model = one_node(body, inputs, outputs, opset)
    check(run, model, [inputs.split("[")[0]])


@pytest.mark.parametrize("capability", ["75", "80", "86", "89", "120"])
@pytest.mark.parametrize("dtype", ["float", "float16", "bfloat16"])
def test_element_types_of_a_gpu(run: Run, dtype: str, capability: str) -> None:
    local = local_target()
    assert local is not None
    model = one_node("y = Add(x, x)", f"{dtype}[3,4] x", f"{dtype}[3,4] y")
    expected = answer(model, [dtype], f"{local.name}@sm{capability}")
    assert run(model, capability)[0] == (expected == "yes")


REFUSED: list[tuple[str, str, str, str]] = [
    ("y = Mod(a, b)", "float[4] a, float[4] b", "float[4] y", "mod-float"),
    ("y = TfIdfVectorizer(x)", "float[4] x", "float[4] y", "checker-false"),
]


@pytest.mark.parametrize(("body", "inputs", "outputs", "identifier"), REFUSED, ids=[row[3] for row in REFUSED])
def test_a_real_refusal_is_explained(run: Run, body: str, inputs: str, outputs: str, identifier: str) -> None:
    taken, messages = run(one_node(body, inputs, outputs, 13))
    assert not taken
    found: list[Any] = [found for message in messages for found in explain_message(message, local_target())]
    assert identifier in {explanation.id for explanation in found}
