"""QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear in float arithmetic, number for number.

ONNX operator spec: y = saturate(round(x / scale) + zero_point), ties to even, and x = (y - zero_point) * scale.  The
whole numbers of 8 and 16 bits are exact in float.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.carriers import BITS, FLOAT, SMALL_FLOATS, UNSIGNED, limits
from onnxfix.decompose.op import NoRewrite, Op
from onnxfix.model.model import Array

_T = onnx.TensorProto
_SHORT = 16
"""Integers of so many bits, and their differences, are exact in float."""


def as_float(op: Op, position: int) -> str:
    """An input of the node in float; a zero point that is left out is 0."""
    known = op.constant(position)
    if known is not None or not op.has(position):
        return op.const(np.float32(0) if known is None else known.astype(np.float32))
    name = op.input(position)
    return name if op.dtype(position) == FLOAT else forms.cast(op, name, FLOAT)


def quantize_linear(op: Op) -> None:
    """QuantizeLinear to any type but float8e8m0; the scale may be any number and the zero point need not be known."""
    dtype = quantized_type(op)
    op.require(dtype in SMALL_FLOATS or BITS.get(dtype, 64) <= _SHORT, "it makes integers of more than 16 bits")
    scale = _spread(op, 1, FLOAT)
    ratio = op.make("Div", as_float(op, 0), scale)
    if dtype in SMALL_FLOATS:
        op.finish(op.make("Cast", ratio, to=dtype, saturate=int(op.attribute("saturate", 1))))
        return
    zero = _spread(op, 2, FLOAT) if op.has(2) and not _is_zero(op, 2) else ""
    op.finish(forms.cast(op, saturated(op, forms.round_even(op, ratio), zero, dtype), dtype))


def saturated(op: Op, whole: str, zero: str, dtype: int) -> str:
    """A whole number in float plus the zero point ("" for none), brought into an integer type's range."""
    shifted = op.make("Add", whole, zero) if zero else whole
    return forms.clip(op, shifted, *limits(dtype))


def quantized_type(op: Op) -> int:
    """The element type that QuantizeLinear makes: that of the zero point, else `output_dtype`, else uint8."""
    return op.dtype(2) if op.has(2) else int(op.attribute("output_dtype", 0)) or int(_T.UINT8)


def dequantize_linear(op: Op) -> None:
    """DequantizeLinear from any type.  Constants stay 8 bits wide where a zero point of 0 is all they lack."""
    made = int(op.attribute("output_dtype", 0)) or op.dtype(1)
    data = op.constant(0)
    if data is not None and (not op.has(2) or op.constant(2) is not None) and _stored(op, data, made):
        return
    scale = _spread(op, 1, FLOAT)
    product = op.make("Mul", _centred(op), scale)
    op.finish(product if made == FLOAT else forms.cast(op, product, made))


def _centred(op: Op) -> str:
    """The data less the zero point, in float."""
    plain = not op.has(2) or _is_zero(op, 2)
    if plain or op.dtype(0) in SMALL_FLOATS:
        return as_float(op, 0)
    if BITS[op.dtype(0)] <= _SHORT:
        return op.make("Sub", as_float(op, 0), _spread(op, 2, FLOAT))
    return forms.cast(op, op.make("Sub", op.input(0), _spread(op, 2, op.dtype(2))), FLOAT)


def _stored(op: Op, data: Array, made: int) -> bool:
    """Finish with a constant: 4 or 8 bits around zero where they fit, else the floats themselves."""
    zero, scale = op.constant(2), op.constant(1)
    moved = zero is not None and (op.dtype(0) in UNSIGNED or zero.astype(np.float32).any())
    if moved and zero is not None and (scale is None or bool((scale > 0).all())):
        centred = data.astype(np.int32) - _spread_array(op, zero.astype(np.int32))
        for dtype in _around_zero(op):
            low, high = limits(dtype)
            if not centred.size or (centred.min() >= low and centred.max() <= high):
                given = {a.name: onnx.helper.get_attribute_value(a) for a in op.node.attribute}
                none = op.const(np.zeros(zero.shape), dtype)
                op.finish(op.make("DequantizeLinear", op.const(centred, dtype), op.input(1), none, **given))
                return True
    if scale is None:
        return False
    wide = np.float32 if op.dtype(0) in SMALL_FLOATS else np.int64
    shift: Any = 0 if zero is None else _spread_array(op, zero.astype(wide))
    floats = (data.astype(wide) - shift).astype(np.float32)
    op.finish(op.const(floats * _spread_array(op, scale.astype(np.float32)), made))
    return True


def _around_zero(op: Op) -> list[int]:
    """The signed types of at most 8 bits that an engine dequantizes: one scale for each block is for 4 bits."""
    bits = BITS.get(op.dtype(0), 0)
    narrow = [int(_T.INT4)] if bits == 4 else []
    return narrow + ([int(_T.INT8)] if bits in (4, 8) and not op.attribute("block_size", 0) else [])


def _spread_array(op: Op, values: Array) -> Array:
    """A constant scale or zero point, shaped so that it broadcasts against the data."""
    if values.size == 1 and values.ndim <= 1:
        return values.reshape(())
    rank, axis, block = _layout(op)
    if block:
        size = op.shape(0)[axis]
        return np.take(np.repeat(values, block, axis=axis), np.arange(size), axis=axis)
    return values.reshape([-1, *[1] * (rank - 1 - axis)])


def _spread(op: Op, position: int, kind: int) -> str:
    """A scale or zero point as `kind` (float, or its own type), shaped so that it broadcasts against the data."""
    known = op.constant(position)
    if known is not None:
        return op.const(_spread_array(op, known), kind)
    value = as_float(op, position) if kind == FLOAT else op.input(position)
    if op.type(position).rank == 0:
        return value
    rank, axis, block = _layout(op)
    if block:
        return _repeated(op, position, value, axis, block)
    if op.type(position).rank is None:
        raise NoRewrite("it is not known whether there is one scale or one for each channel")
    if op.dims(position) == (1,):
        return forms.reshape(op, value, []) if rank == 0 else value
    return value if axis == rank - 1 else forms.reshape(op, value, [-1, *[1] * (rank - 1 - axis)])


def _repeated(op: Op, position: int, value: str, axis: int, block: int) -> str:
    """One scale for each block: repeated along the axis, cut to the size of the data."""
    blocks, data = list(op.shape(position)), op.shape(0)
    apart = forms.unsqueeze(op, value, [axis + 1])
    wide = op.make("Expand", apart, op.ints(*blocks[: axis + 1], block, *blocks[axis + 1 :]))
    blocks[axis] *= block
    flat = forms.reshape(op, wide, blocks)
    return flat if blocks[axis] == data[axis] else forms.slices(op, flat, [axis], [0], [data[axis]])


def _layout(op: Op) -> tuple[int, int, int]:
    """(rank of the data, axis of the scales, size of a block or 0)."""
    rank = len(op.dims(0))
    axis = int(op.attribute("axis", 1))
    return rank, axis % rank if rank else 0, int(op.attribute("block_size", 0) or 0)


def _is_zero(op: Op, position: int) -> bool:
    values = op.constant(position)
    return values is not None and not values.astype(np.float32).any()


def dynamic_quantize_linear(op: Op) -> None:
    """DynamicQuantizeLinear: quantize to uint8 with scale and zero point from the range of the data."""
    x, kind = op.input(0), int(_T.UINT8)
    scale, point = quantization(op, x)
    y = saturated(op, forms.round_even(op, op.make("Div", x, scale)), point, kind)
    op.finish(forms.cast(op, y, kind), scale, forms.cast(op, point, kind) if op.reads(2) else "")


def quantization(op: Op, x: str) -> tuple[str, str]:
    """(scale, zero point) from the range of a float value, which takes in 0 (ONNX spec of DynamicQuantizeLinear).

    Of data that is 0 throughout the scale is 1, as in ONNX Runtime.
    """
    zero, steps = op.const(np.float32(0)), op.const(np.float32(255))
    low = op.make("Min", op.make("ReduceMin", x, keepdims=0), zero)
    high = op.make("Max", op.make("ReduceMax", x, keepdims=0), zero)
    spread = op.make("Sub", high, low)
    scale = op.make("Where", op.make("Greater", spread, zero), op.make("Div", spread, steps), op.const(np.float32(1)))
    start = op.make("Sub", zero, op.make("Div", low, scale))
    return scale, forms.round_even(op, forms.clip(op, start, 0, 255))


def real(op: Op, data: int, scale: int, zero: int) -> str:
    """(data - zero point) * scale."""
    return op.make("Mul", centred(op, data, zero), as_float(op, scale))


def centred(op: Op, data: int, zero: int) -> str:
    """data - zero point."""
    return op.make("Sub", as_float(op, data), as_float(op, zero)) if op.has(zero) else as_float(op, data)


def finish(op: Op, value: str, data: int, zero: int, *, add_first: bool = False) -> None:
    """Round, add the zero point (first, with `add_first`), saturate; the type is the zero point's or the data's."""
    dtype = op.type(zero).dtype if op.has(zero) else op.dtype(data)
    op.require(dtype in (_T.UINT8, _T.INT8), "it is not of 8 bits")
    if add_first:
        whole = forms.round_even(op, op.make("Add", value, as_float(op, zero)))
    else:
        whole = op.make("Add", forms.round_even(op, value), as_float(op, zero))
    op.finish(forms.cast(op, forms.clip(op, whole, *limits(dtype)), dtype))
