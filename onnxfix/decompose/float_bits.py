"""The bits of float32 numbers as int32, and back, by arithmetic that is exact (IEEE 754 binary32)."""

from __future__ import annotations

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.carriers import FLOAT, INT32, binary_place
from onnxfix.decompose.op import Op

_FRACTION = 2**23
_SMALLEST, _LARGEST = -126, 127
_INFINITY = 255 * _FRACTION


def _scalar(op: Op, value: float) -> str:
    return op.const(np.float32(value))


def _whole(op: Op, value: int) -> str:
    return op.const(np.array(value), INT32)


def _shifted(op: Op, value: str, sign: int) -> str:
    """2**31 more or less, in two steps: the engine gets a sum with int32's lowest number wrong (seen on a GPU)."""
    half = _whole(op, sign * 2**30)
    return op.make("Add", op.make("Add", value, half), half)


def bits_of(op: Op, x: str) -> str:
    """The int32 with the bits of a float; of any NaN those of the quiet one."""
    size = op.make("Abs", x)
    place = binary_place(op, size, _SMALLEST, _LARGEST)
    power = op.make("Gather", op.const(np.exp2(np.arange(_SMALLEST, _LARGEST + 1)).astype(np.float32)), place, axis=0)
    rest = op.make("Sub", op.make("Div", size, power), _scalar(op, 1))
    fraction = forms.cast(op, op.make("Mul", rest, _scalar(op, _FRACTION)), INT32)
    exponent = op.make("Mul", op.make("Add", place, _whole(op, 1)), _whole(op, _FRACTION))
    normal = op.make("Add", exponent, fraction)
    tiny = op.make("Mul", op.make("Mul", size, _scalar(op, 2.0**100)), _scalar(op, 2.0**49))
    below = op.make("Less", size, _scalar(op, 2.0**_SMALLEST))
    found = op.make("Where", below, forms.cast(op, op.make("Where", below, tiny, _scalar(op, 0)), INT32), normal)
    infinite = op.make("Greater", size, _scalar(op, float(np.finfo(np.float32).max)))
    found = op.make("Where", infinite, _whole(op, _INFINITY), found)
    found = op.make("Where", op.make("IsNaN", x), _whole(op, _INFINITY + _FRACTION // 2), found)
    zero = _scalar(op, 0)
    minus_zero = op.make("Less", op.make("Div", _scalar(op, 1), x), zero)  # 1 / -0 is minus infinity
    negative = op.make("Or", op.make("Less", x, zero), minus_zero)
    return op.make("Where", negative, _shifted(op, found, -1), found)


def of_bits(op: Op, bits: str) -> str:
    """The float with the bits of an int32."""
    negative = op.make("Less", bits, _whole(op, 0))
    size = op.make("Where", negative, _shifted(op, bits, 1), bits)
    exponent = op.make("Div", size, _whole(op, _FRACTION))
    fraction = forms.cast(op, op.make("Sub", size, op.make("Mul", exponent, _whole(op, _FRACTION))), FLOAT)
    powers = np.exp2(np.clip(np.arange(256) - 127, _SMALLEST, _LARGEST)).astype(np.float32)
    power = op.make("Gather", op.const(powers), exponent, axis=0)
    lead = op.make("Where", op.make("Less", exponent, _whole(op, 1)), _scalar(op, 0), _scalar(op, 1))
    # below the normal numbers the leading bit is 0 and the power that of the smallest one
    mantissa = op.make("Add", lead, op.make("Mul", fraction, _scalar(op, 1 / _FRACTION)))
    found = op.make("Mul", power, mantissa)
    special = op.make("Less", _whole(op, 254), exponent)
    exact = op.make("Less", fraction, _scalar(op, 0.5))
    odd = op.make("Where", exact, _scalar(op, np.inf), _scalar(op, np.nan))
    found = op.make("Where", special, odd, found)
    return op.make("Where", negative, op.make("Neg", found), found)
