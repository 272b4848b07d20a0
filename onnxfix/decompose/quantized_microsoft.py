"""Quantized operators of com.microsoft in float arithmetic, with the roundings of ONNX Runtime's CPU kernels (1.32).

Each takes values with a scale and a zero point behind each, and ends in round, saturate, and a Cast to the type of the
last zero point.  Some kernels add the zero point before they round, and ties to even then fall otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.carriers import FLOAT, INT32, limits
from onnxfix.decompose.op import Op
from onnxfix.decompose.products import as_it_is, as_whole, matmul, operand
from onnxfix.decompose.quantized import as_float, centred, dequantize_linear, finish, quantize_linear, real
from onnxfix.decompose.quantized_lstm import dynamic_quantize_lstm
from onnxfix.decompose.quantized_pools import qlinear_average_pool, qlinear_global_average_pool
from onnxfix.decompose.quantized_products import qlinear_conv

_T = onnx.TensorProto
_DOUBLE = int(_T.DOUBLE)


def qlinear_add(op: Op) -> None:
    """QLinearAdd: the kernel scales both operands to the result and gathers the zero points in one term.

    It fuses each product with the sum behind it into one rounding.  In double the product is exact, so that the Cast
    to float is that rounding; TensorRT itself computes double as float.
    """
    left, right = (op.make("Div", as_float(op, scale), as_float(op, 6)) for scale in (1, 4))
    shift = _fused(op, left, as_float(op, 2), op.make("Mul", right, as_float(op, 5)))
    fixed = op.make("Sub", as_float(op, 7), shift)
    scaled = _fused(op, op.input(0), left, _fused(op, op.input(3), right, fixed))
    dtype = op.type(7).dtype if op.has(7) else op.dtype(0)
    op.require(dtype in (_T.UINT8, _T.INT8), "it is not of 8 bits")
    op.finish(forms.cast(op, forms.clip(op, forms.round_even(op, scaled), *limits(dtype)), dtype))


def _fused(op: Op, a: str, b: str, c: str) -> str:
    """a * b + c with one rounding to float."""
    wide = [forms.cast(op, value, _DOUBLE) for value in (a, b, c)]
    return forms.cast(op, op.make("Add", op.make("Mul", wide[0], wide[1]), wide[2]), FLOAT)


def qlinear_mul(op: Op) -> None:
    """QLinearMul: one scale for the exact product."""
    ratio = op.make("Div", op.make("Mul", as_float(op, 1), as_float(op, 4)), as_float(op, 6))
    product = op.make("Mul", centred(op, 0, 2), centred(op, 3, 5))
    finish(op, op.make("Mul", product, ratio), 0, 7, add_first=True)


def qlinear_unary(op: Op) -> None:
    """QLinearSigmoid, QLinearLeakyRelu, QLinearSoftmax: the function of the numbers, quantized again."""
    kind = op.node.op_type.removeprefix("QLinear")
    x = real(op, 0, 1, 2)
    if kind == "LeakyRelu":
        y = op.make("LeakyRelu", x, alpha=float(op.attribute("alpha", 0.01)))
    elif kind == "Sigmoid":
        y = op.make("Sigmoid", x)
    else:
        y = _softmax(op, x)
    finish(op, op.make("Div", y, as_float(op, 3)), 0, 4)


def _softmax(op: Op, x: str) -> str:
    """The attribute `opset` says which Softmax is meant: below 13 it is over all axes from `axis` on."""
    old = int(op.attribute("opset", 13)) < 13
    axis = int(op.attribute("axis", 1 if old else -1))
    rank = len(op.dims(0))
    if not old or axis % rank == rank - 1:
        return forms.softmax(op, x, axis, rank)
    flat = op.make("Flatten", x, axis=axis % rank)
    return op.make("Reshape", forms.softmax(op, flat, 1, 2), op.make("Shape", x))


def qlinear_concat(op: Op) -> None:
    """QLinearConcat: scale and zero point of the result, then each value with its own; numbers already alike stay."""
    parts = []
    for place in range(2, len(op.node.input), 3):
        parts.append(op.make("Div", real(op, place, place + 1, place + 2), as_float(op, 0)))
    joined = op.make("Concat", *parts, axis=int(op.attribute("axis", 0)))
    finish(op, joined, 2, 1)


def qgemm(op: Op) -> None:
    """QGemm: an exact integer product plus an int32 bias, times alpha and the scales; float without a result scale."""
    a, b = operand(op, 0, 2), operand(op, 3, 5, as_it_is)
    given = {name: int(op.attribute(name, 0)) for name in ("transA", "transB")}
    for name, place in (("transA", 0), ("transB", 3)):
        op.require(len(op.dims(place)) == 2, f"{name} of what is no matrix")
    value, kind = matmul(op, a, b, (0, 3), (bool(given["transA"]), bool(given["transB"])))
    if op.has(6):
        whole = value if kind == INT32 else as_whole(op, value)
        value, kind = op.make("Add", whole, op.input(6)), INT32
    acc = value if kind == FLOAT else forms.cast(op, value, FLOAT)
    scale = op.make("Mul", as_float(op, 1), as_float(op, 4))
    alpha = float(op.attribute("alpha", 1.0))
    scale = scale if alpha == 1.0 else op.make("Mul", scale, op.const(np.float32(alpha)))
    if not op.has(7):
        op.finish(op.make("Mul", acc, scale))
        return
    finish(op, op.make("Mul", acc, op.make("Div", scale, as_float(op, 7))), 0, 8)


def matmul_to_float(op: Op) -> None:
    """MatMulIntegerToFloat: A, B, their scales, their zero points, a bias."""
    a, b = operand(op, 0, 4, as_it_is), operand(op, 1, 5, as_it_is)
    value, kind = matmul(op, a, b, (0, 1))
    _scaled(op, value, kind, op.make("Mul", as_float(op, 2), as_float(op, 3)), 6)


def _scaled(op: Op, value: str, kind: int, scale: str, bias: int) -> None:
    """The sum as float, times the scale, plus the bias."""
    product = op.make("Mul", value if kind == FLOAT else forms.cast(op, value, FLOAT), scale)
    op.finish(op.make("Add", product, op.input(bias)) if op.has(bias) else product)


def dynamic_quantize_matmul(op: Op) -> None:
    """DynamicQuantizeMatMul(A, B, scale and zero point of B, bias): quantize A, multiply as MatMulIntegerToFloat."""
    quantized = op.many("DynamicQuantizeLinear", [op.input(0)], 3)
    inputs = [quantized[0], op.input(1), quantized[1], op.input(2), quantized[2], op.input(3), op.input(4)]
    op.finish(op.make("MatMulIntegerToFloat", *inputs, domain="com.microsoft"))


def qattention(op: Op) -> None:
    """QAttention: the exact integer product for query, key and value, then attention in float.

    Inputs: data, weights, bias, their scales, mask, their zero points, past (which is not rewritten).
    """
    op.require(not op.has(8) and len(op.node.output) == 1, "it has a past state")
    op.require(not op.attribute("do_rotary", 0), "it turns positions (do_rotary)")
    inputs = [op.input(0), op.input(1), op.input(3), op.input(4), op.input(6), op.input(7), op.input(2)]
    heads = int(op.attribute("num_heads", 0))
    columns = op.shape(1)[1]
    product = op.make("MatMulIntegerToFloat", *inputs, domain="com.microsoft")
    query, key, value = forms.split(op, product, 2, [columns // 3] * 3)
    op.finish(
        op.make(
            "MultiHeadAttention",
            *(query, key, value, "", op.input(5)),
            domain="com.microsoft",
            num_heads=heads,
            unidirectional=int(op.attribute("unidirectional", 0)),
            mask_filter_value=op.attribute("mask_filter_value"),
            scale=op.attribute("scale"),
        )
    )


MICROSOFT: Mapping[str, Callable[[Op], None]] = {
    "DynamicQuantizeLSTM": dynamic_quantize_lstm,
    "DynamicQuantizeMatMul": dynamic_quantize_matmul,
    "MatMulIntegerToFloat": matmul_to_float,
    "QAttention": qattention,
    "QGemm": qgemm,
    "QLinearAdd": qlinear_add,
    "QLinearAveragePool": qlinear_average_pool,
    "QLinearConcat": qlinear_concat,
    "QLinearConv": qlinear_conv,
    "QLinearGlobalAveragePool": qlinear_global_average_pool,
    "QLinearLeakyRelu": qlinear_unary,
    "QLinearMul": qlinear_mul,
    "QLinearSigmoid": qlinear_unary,
    "QLinearSoftmax": qlinear_unary,
}


def microsoft_quantize(op: Op) -> None:
    """QuantizeLinear and DequantizeLinear of com.microsoft, which are the standard's with 16 bits too."""
    (quantize_linear if op.node.op_type == "QuantizeLinear" else dequantize_linear)(op)


def microsoft_quantized(op: Op) -> None:
    """A quantized operator of com.microsoft, by its name."""
    MICROSOFT[op.node.op_type](op)
