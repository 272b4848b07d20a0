"""MatMulInteger, ConvInteger, QLinearMatMul and QLinearConv in float arithmetic, number for number.

Operands are taken less their zero points, so that padding is 0 (ONNX operator spec: ConvInteger pads with the zero
point).  QLinear operators scale the exact int32 sum by x_scale * w_scale / y_scale in float, as ONNX Runtime does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.carriers import BITS, FLOAT, INT32
from onnxfix.decompose.op import Op
from onnxfix.decompose.products import EXACT, Operand, as_it_is, as_whole, conv, matmul, operand
from onnxfix.decompose.quantized import as_float, saturated


def matmul_integer(op: Op) -> None:
    """MatMulInteger; zero points may be one number, one for each row of A or for each column of B, or computed."""
    a = operand(op, 0, 2, _rows(op, 2))
    b = operand(op, 1, 3, as_it_is)
    value, kind = matmul(op, a, b, (0, 1))
    op.finish(value if kind == INT32 else as_whole(op, value))


def conv_integer(op: Op) -> None:
    """ConvInteger; the weights' zero point is one number or one for each output channel."""
    x = operand(op, 0, 2)
    w = operand(op, 1, 3, _filters(op, 1, 3))
    value, kind = conv(op, x, w, (0, 1))
    op.finish(value if kind == INT32 else as_whole(op, value))


def qlinear_matmul(op: Op) -> None:
    """QLinearMatMul: A, its scale and zero point, B likewise, scale and zero point of the result."""
    a = operand(op, 0, 2, _rows(op, 2))
    b = operand(op, 3, 5, as_it_is)
    value, kind = matmul(op, a, b, (0, 3))
    left, right = _rows(op, 1)(as_float(op, 1)), as_float(op, 4)
    scale = op.make("Div", op.make("Mul", left, right), as_float(op, 6))
    _requantized(op, _float(op, value, kind), scale, 7)


def qlinear_conv(op: Op) -> None:
    """QLinearConv: x, scale, zero point; w, scale, zero point; scale and zero point of y; an int32 bias.

    That of com.microsoft may have `channels_last`, for x and y.
    """
    x = _channels_first(op, operand(op, 0, 2))
    w = operand(op, 3, 5, _filters(op, 3, 5))
    value, kind = conv(op, x, w, (0, 3))
    value, kind = _biased(op, value, kind)
    scale = op.make("Mul", as_float(op, 1), as_float(op, 4))
    scale = op.make("Div", scale, as_float(op, 6))
    _requantized(
        op, _float(op, value, kind), _channels(op, 3, 4, scale), 7, last=bool(op.attribute("channels_last", 0))
    )


def _channels_first(op: Op, x: Operand) -> Operand:
    if not op.attribute("channels_last", 0):
        return x
    rank = len(op.dims(0))
    return Operand(op.make("Transpose", x.name, perm=[0, rank - 1, *range(1, rank - 1)]), x.size)


def _biased(op: Op, value: str, kind: int) -> tuple[str, int]:
    """The sum plus the bias: in float where a small constant bias keeps it exact, else in int32."""
    if not op.has(8):
        return value, kind
    bias, shape = op.constant(8), [-1, *[1] * (len(op.dims(3)) - 2)]
    small = bias is not None and int(np.abs(bias.astype(np.int64)).max(initial=0)) <= EXACT
    if kind == FLOAT and bias is not None and small:
        # the sum itself is at most EXACT; a larger one is rounded once, as the Cast from int32 rounds it
        return op.make("Add", value, op.const(bias.astype(np.float32).reshape(shape))), FLOAT
    whole = value if kind == INT32 else as_whole(op, value)
    return op.make("Add", whole, forms.reshape(op, op.input(8), shape)), INT32


def _float(op: Op, value: str, kind: int) -> str:
    return value if kind == FLOAT else forms.cast(op, value, FLOAT)


def _requantized(op: Op, value: str, scale: str, zero: int, *, last: bool = False) -> None:
    """round(value * scale) + zero point, saturated, in the zero point's type; `last` moves the channels to the end."""
    dtype = op.dtype(zero)
    op.require(BITS.get(dtype) == 8, "the result is not of 8 bits")
    whole = forms.round_even(op, op.make("Mul", value, scale))
    result = saturated(op, whole, as_float(op, zero), dtype)
    rank = len(op.dims(0))
    result = op.make("Transpose", result, perm=[0, *range(2, rank), 1]) if last else result
    op.finish(forms.cast(op, result, dtype))


Spread = Callable[[str], str]


def _rows(op: Op, position: int) -> Spread:
    """One number for each row of A: a column, unless it is one number or has the rank of A already."""
    rank = op.type(position).rank
    return lambda value: forms.unsqueeze(op, value, [1]) if rank == 1 and op.dims(position) != (1,) else value


def _filters(op: Op, weights: int, position: int) -> Spread:
    """One number for each filter, before the weights are used."""
    ones = [1] * (len(op.dims(weights)) - 1)
    return lambda value: forms.reshape(op, value, [-1, *ones]) if op.type(position).rank == 1 else value


def _channels(op: Op, weights: int, position: int, value: str) -> str:
    """One number for each output channel, against the result."""
    many = op.type(position).rank == 1
    return forms.reshape(op, value, [-1, *[1] * (len(op.dims(weights)) - 2)]) if many else value
