"""Numbers of small types held in types that an engine computes with: int32, int64 and float.

Whole numbers wrap around as in two's complement (ONNX: a Cast keeps the low bits), float8 and float4 are rounded to
the nearest number with ties to even (ONNX Cast, table "Float 8").  A carrier holds every number of its type.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op

_T = onnx.TensorProto
FLOAT, INT32, INT64, BOOL = int(_T.FLOAT), int(_T.INT32), int(_T.INT64), int(_T.BOOL)

BITS: Mapping[int, int] = {
    _T.INT2: 2,
    _T.INT4: 4,
    _T.INT8: 8,
    _T.INT16: 16,
    _T.INT32: 32,
    _T.INT64: 64,
    _T.UINT2: 2,
    _T.UINT4: 4,
    _T.UINT8: 8,
    _T.UINT16: 16,
    _T.UINT32: 32,
    _T.UINT64: 64,
}
"""Bits of the integer types."""

UNSIGNED = frozenset({_T.UINT2, _T.UINT4, _T.UINT8, _T.UINT16, _T.UINT32, _T.UINT64})
SMALL_FLOATS = frozenset(
    {_T.FLOAT8E4M3FN, _T.FLOAT8E4M3FNUZ, _T.FLOAT8E5M2, _T.FLOAT8E5M2FNUZ, _T.FLOAT4E2M1, _T.FLOAT8E8M0}
)
PLAIN_FLOATS = frozenset({_T.FLOAT, _T.FLOAT16, _T.BFLOAT16, _T.DOUBLE})

CARRIER: Mapping[int, int] = {
    **{kind: INT32 for kind, bits in BITS.items() if bits <= 16},
    **dict.fromkeys((_T.UINT32, _T.UINT64), INT64),
    **dict.fromkeys(SMALL_FLOATS, FLOAT),
}
"""The type that holds every number of a small type; of uint64 the same 64 bits."""


def limits(dtype: int) -> tuple[int, int]:
    """The smallest and the largest number of an integer type."""
    bits = BITS[dtype]
    return (0, 2**bits - 1) if dtype in UNSIGNED else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def lifted(op: Op, value: str, dtype: int) -> str:
    """A value of a small type in its carrier."""
    return forms.cast(op, value, CARRIER[dtype]) if dtype in CARRIER else value


def wrapped(op: Op, value: str, carrier: int, dtype: int) -> str:
    """The number of `dtype` with the same low bits as a whole number in `carrier` (int32 or int64)."""
    bits = BITS[dtype]
    if bits >= BITS[carrier]:
        return value
    op.require(op.opset >= 10, "the number may wrap around, and there is no Mod below opset 10")
    modulus = op.const(np.array(2**bits), carrier)
    if dtype in UNSIGNED:
        return op.make("Mod", value, modulus)
    half = op.const(np.array(2 ** (bits - 1)), carrier)
    return op.make("Sub", op.make("Mod", op.make("Add", value, half), modulus), half)


def converted(op: Op, value: str, source: int, dtype: int, *, saturate: bool = True, round_mode: str = "up") -> str:
    """What Cast from `source` to a small type gives, in the carrier of that type.

    `source` is itself no small type.  A float beyond a 32-bit integer (64-bit, for uint32 and uint64) has no defined
    integer, in ONNX as here.
    """
    carrier = CARRIER[dtype]
    if dtype in SMALL_FLOATS:
        wide = value if source == FLOAT else forms.cast(op, value, FLOAT)
        if dtype == _T.FLOAT8E8M0:
            return power_of_two(op, wide, saturate=saturate, round_mode=round_mode)
        return rounded(op, wide, dtype, saturate=saturate)
    if source in (INT64, INT32) and BITS[source] >= BITS[dtype]:
        low = wrapped(op, value, source, dtype)
        return low if source == carrier else forms.cast(op, low, carrier)
    if BITS[dtype] < 8 and source in PLAIN_FLOATS:
        value = _away_from_zero(op, value, source)
    whole = forms.cast(op, value, carrier)
    return whole if source == BOOL else wrapped(op, whole, carrier, dtype)


def _away_from_zero(op: Op, value: str, source: int) -> str:
    """Floats become 4-bit and 2-bit integers by rounding, halves away from zero (ONNX Runtime 1.32; it then wraps)."""
    wide = value if source == FLOAT else forms.cast(op, value, FLOAT)
    size = op.make("Abs", wide)
    whole = op.make("Floor", size)
    below = op.make("Less", op.make("Sub", size, whole), op.const(np.float32(0.5)))
    size = op.make("Add", whole, forms.cast(op, op.make("Not", below), FLOAT))
    return op.make("Mul", size, op.make("Sign", wide))


_FORMATS: Mapping[int, tuple[int, int, float, bool]] = {
    _T.FLOAT8E4M3FN: (3, -6, 448.0, False),
    _T.FLOAT8E4M3FNUZ: (3, -7, 240.0, False),
    _T.FLOAT8E5M2: (2, -14, 57344.0, True),
    _T.FLOAT8E5M2FNUZ: (2, -15, 57344.0, False),
    _T.FLOAT4E2M1: (1, 0, 6.0, False),
}
"""Bits of the mantissa, smallest exponent of a normal number, largest number, and whether there is an infinity."""


def rounded(op: Op, value: str, dtype: int, *, saturate: bool) -> str:
    """The nearest float8 or float4 of a float, as float: ties go to the even mantissa.

    What is beyond the largest number becomes that number with `saturate`, else infinity or, in a format without
    infinity, NaN.  NaN stays; float4 has none and takes 0 (as ml_dtypes and onnx's reference do).  The sign of a zero
    is lost.
    """
    mantissa, smallest, largest, infinite = _FORMATS[dtype]
    size = op.make("Abs", value)
    steps = _step(op, size, mantissa, smallest, largest)
    near = op.make("Mul", op.make("Round", op.make("Div", size, steps)), steps)
    top = op.const(np.float32(largest))
    if dtype == _T.FLOAT4E2M1:
        near = op.make("Where", op.make("IsNaN", near), op.const(np.float32(0)), near)
    if saturate or dtype == _T.FLOAT4E2M1:
        bounded = op.make("Where", op.make("Greater", near, top), top, near)
    else:
        beyond = op.const(np.float32(np.inf if infinite else np.nan))
        bounded = op.make("Where", op.make("Greater", near, top), beyond, near)
    negative = op.make("Less", value, op.const(np.float32(0)))
    return op.make("Where", negative, op.make("Neg", bounded), bounded)


def _step(op: Op, size: str, mantissa: int, smallest: int, largest: float) -> str:
    """The distance between neighbours at a size: 2 to the exponent less the bits of the mantissa."""
    highest = int(np.floor(np.log2(largest))) + 1
    place = binary_place(op, size, smallest, highest)
    table = op.const(np.exp2(np.arange(smallest, highest + 1) - mantissa).astype(np.float32))
    return op.make("Gather", table, place, axis=0)


def binary_place(op: Op, size: str, smallest: int, highest: int) -> str:
    """The exponent of the largest power of two that is not above a size, less `smallest`, as int32.

    Sizes beyond 2 to `smallest` and to `highest` count as those, NaN as 1.  The exponent comes from a logarithm, which
    may be off by one at a power of two, and is then put right.
    """
    powers = op.const(np.exp2(np.arange(smallest, highest + 1)).astype(np.float32))
    inside = forms.clip(op, size, float(2.0**smallest), float(2.0**highest))
    known = op.make("Where", op.make("IsNaN", size), op.const(np.float32(1)), inside)
    guess = op.make("Floor", op.make("Mul", op.make("Log", known), op.const(np.float32(1 / np.log(2)))))
    power = op.make("Gather", powers, _placed(op, guess, smallest, highest), axis=0)
    above = forms.cast(op, op.make("Greater", power, known), FLOAT)
    twice = op.make("Less", op.make("Div", known, op.const(np.float32(2))), power)
    raised = forms.cast(op, op.make("Not", twice), FLOAT)
    return _placed(op, op.make("Sub", op.make("Add", guess, raised), above), smallest, highest)


def _placed(op: Op, exponent: str, smallest: int, highest: int) -> str:
    """The place of an exponent in a table that begins with the smallest one."""
    inside = forms.clip(op, exponent, smallest, highest)
    return forms.cast(op, op.make("Sub", inside, op.const(np.float32(smallest))), INT32)


def power_of_two(op: Op, value: str, *, saturate: bool, round_mode: str) -> str:
    """A float8e8m0 of a float: the size's power of two, up, down or nearest (ONNX Cast, `round_mode`).

    Infinity and NaN become NaN; without `saturate`, so does what is rounded beyond 2 to 127.
    """
    size = op.make("Abs", value)
    place = binary_place(op, size, -126, 127)
    power = op.make("Gather", op.const(np.exp2(np.arange(-126, 128)).astype(np.float32)), place, axis=0)
    below = op.make("Less", size, op.const(np.float32(2.0**-126)))
    zero, one = op.const(np.int32(0)), op.const(np.int32(1))
    found = op.make("Where", below, zero, op.make("Add", place, one))
    if round_mode != "down":
        nearest = round_mode == "nearest"
        least = op.const(np.float32(2.0**-127 if nearest else 0))
        share = op.make("Div", size, power)
        far = op.make("Not", op.make("Less", share, op.const(np.float32(1.5 if nearest else 1 + 2.0**-23))))
        raised = op.make("Where", below, op.make("Greater", size, least), far)
        found = op.make("Add", found, forms.cast(op, raised, INT32))
    if saturate:
        found = op.make("Min", found, op.const(np.int32(254)))
    finite = op.make("Less", size, op.const(np.float32(np.inf)))
    found = op.make("Where", finite, found, op.const(np.int32(255)))
    table = np.append(np.exp2(np.arange(-127.0, 128.0)), np.nan).astype(np.float32)
    return op.make("Gather", op.const(table), found, axis=0)
