"""Comparisons, extremes, remainders and rounding for opsets where they are missing, or only for other types."""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.decompose.places import int64, negative

_T = onnx.TensorProto
_FLOATS = {_T.FLOAT, _T.FLOAT16, _T.DOUBLE}
_IN_DOUBLE = {_T.INT8, _T.INT16, _T.INT32, _T.UINT8, _T.UINT16, _T.UINT32}
"""Whole numbers that double holds exactly."""


def whole_order(op: Op) -> None:
    """Less and Greater of whole numbers, which were for floats only before opset 9: compared in double.

    int64 is compared by its upper and its lower half.
    """
    dtype, kind = op.dtype(0), op.node.op_type
    if dtype in _FLOATS:
        raise Unconcerned("floats are compared in every opset")
    if dtype in _IN_DOUBLE:
        op.finish(op.make(kind, *(forms.cast(op, op.input(place), _T.DOUBLE) for place in (0, 1))))
        return
    op.require(dtype in (_T.INT64, _T.UINT64), "numbers of this type are not compared in older opsets")
    halves = [_halves(op, op.input(place), dtype) for place in (0, 1)]
    upper, lower = (op.make(kind, halves[0][half], halves[1][half]) for half in (0, 1))
    opposite = op.make(kind, halves[1][0], halves[0][0])
    op.finish(op.make("Or", upper, op.make("And", op.make("Not", opposite), lower)))


def _halves(op: Op, value: str, dtype: int) -> tuple[str, str]:
    """The quotient and the remainder by 2**32, which have the sign of the number, in double."""
    base = op.const(np.array(1 << 32), dtype)
    upper = op.make("Div", value, base)
    lower = op.make("Sub", value, op.make("Mul", upper, base))
    return forms.cast(op, upper, _T.DOUBLE), forms.cast(op, lower, _T.DOUBLE)


def equal(op: Op) -> None:
    """Equal of floats, before opset 11: neither less nor greater, and no NaN.  Small integers are equal as int32."""
    dtype = op.dtype(0)
    if dtype in {*_IN_DOUBLE, _T.UINT64} - {_T.INT32}:  # a Cast of uint64 keeps its bits
        wide = _T.INT64 if dtype in (_T.UINT32, _T.UINT64) else _T.INT32
        op.finish(op.make("Equal", *(forms.cast(op, op.input(place), wide) for place in (0, 1))))
        return
    if dtype not in _FLOATS:
        raise Unconcerned("numbers of this type are compared in every opset, or in none before 11")
    differ = op.make("Or", *(op.make(kind, op.input(0), op.input(1)) for kind in ("Less", "Greater")))
    same = op.make("Not", differ)
    for place in (0, 1):
        known = op.constant(place)
        if known is None or np.isnan(known).any():
            same = op.make("And", same, _ordered(op, op.input(place), dtype))
    op.finish(same)


def _ordered(op: Op, value: str, dtype: int) -> str:
    """Where a number is not NaN: it is less than infinity, or more than its negative."""
    infinity, least = (op.const(np.array(number), dtype) for number in (np.inf, -np.inf))
    return op.make("Or", op.make("Less", value, infinity), op.make("Greater", value, least))


def is_nan(op: Op) -> None:
    """IsNaN: neither less than infinity nor more than its negative."""
    op.require(op.dtype(0) in _FLOATS, "it is not of a type that older opsets compare")
    op.finish(op.make("Not", _ordered(op, op.input(0), op.dtype(0))))


def is_inf(op: Op) -> None:
    """IsInf: beyond the largest finite number."""
    dtype = op.dtype(0)
    op.require(dtype in _FLOATS, "it is not of a type that older opsets compare")
    largest = np.finfo(onnx.helper.tensor_dtype_to_np_dtype(dtype)).max
    sides = (("Greater", "detect_positive", largest), ("Less", "detect_negative", -largest))
    found = [op.make(kind, op.input(0), op.const(limit)) for kind, name, limit in sides if op.attribute(name, 1)]
    if not found:
        found = [op.make("And", *(op.make(kind, op.input(0), op.input(0)) for kind in ("Less", "Greater")))]
    op.finish(found[0] if len(found) == 1 else op.make("Or", *found))


def whole_extreme(op: Op) -> None:
    """Max and Min of whole numbers, which were for floats only before opset 12: by Where."""
    if op.dtype(0) in _FLOATS:
        raise Unconcerned("floats are compared in every opset")
    kind = "Greater" if op.node.op_type == "Max" else "Less"
    result = op.input(0)
    for other in op.node.input[1:]:
        result = op.make("Where", op.make(kind, result, other), result, other)
    op.finish(op.make("Identity", result) if result == op.input(0) else result)


def broadcast_extreme(op: Op) -> None:
    """Max, Min, Sum and Mean, whose inputs are of one shape before opset 8: each input is expanded."""
    shapes = [op.shape(place) for place in range(len(op.node.input))]
    result = np.broadcast_shapes(*shapes)
    if all(shape == result for shape in shapes):
        raise Unconcerned("its inputs are of one shape")
    target = op.ints(*result)
    values = [
        name if shape == result else op.make("Expand", name, target)
        for name, shape in zip(op.node.input, shapes, strict=True)
    ]
    op.finish(op.make(op.node.op_type, *values))


def power(op: Op) -> None:
    """Pow whose exponent has another type than its base, which opset 12 brought: of a float base, with a Cast."""
    base, exponent = op.dtype(0), op.dtype(1)
    if base == exponent:
        raise Unconcerned("base and exponent are of one type")
    op.require(base in _FLOATS, "a whole number to the power of a float has no exact form")
    op.finish(op.make("Pow", op.input(0), forms.cast(op, op.input(1), base)))


def clip_between(op: Op) -> None:
    """Clip between bounds that are not constant, by Max and Min."""
    if op.dtype(0) not in _FLOATS or all(op.constant(place) is not None for place in (1, 2) if op.has(place)):
        raise Unconcerned("its bounds are constant")
    result = op.make("Max", op.input(0), op.input(1)) if op.has(1) else op.input(0)
    op.finish(op.make("Min", result, op.input(2)) if op.has(2) else result)


def shrink(op: Op) -> None:
    """Shrink: nearer to zero by the bias, or zero within lambd of it."""
    bias, limit, least, zero = (op.like(0, number) for number in (*_shrinking(op), 0))
    raised, lowered = op.make("Add", op.input(0), bias), op.make("Sub", op.input(0), bias)
    above = op.make("Where", op.make("Greater", op.input(0), limit), lowered, zero)
    op.finish(op.make("Where", op.make("Less", op.input(0), least), raised, above))


def _shrinking(op: Op) -> tuple[float, float, float]:
    return op.attribute("bias", 0.0), op.attribute("lambd", 0.5), -op.attribute("lambd", 0.5)


def thresholded_relu(op: Op) -> None:
    """ThresholdedRelu: what is above alpha, else 0."""
    zero, alpha = op.like(0, 0), op.like(0, op.attribute("alpha", 1.0))
    op.finish(op.make("Where", op.make("Greater", op.input(0), alpha), op.input(0), zero))


def whole_clip(op: Op) -> None:
    """Clip of whole numbers, which was for floats only before opset 12: by Max and Min."""
    if op.dtype(0) in _FLOATS:
        raise Unconcerned("floats are clipped in every opset")
    result = op.make("Max", op.input(0), op.input(1)) if op.has(1) else op.input(0)
    result = op.make("Min", result, op.input(2)) if op.has(2) else result
    op.finish(op.make("Identity", result) if result == op.input(0) else result)


def remainder(op: Op) -> None:
    """Mod of whole numbers: what is left of the quotient, plus the divisor where the signs differ (fmod = 0)."""
    dtype = op.dtype(0)
    op.require(
        dtype in _IN_DOUBLE or dtype == _T.INT64, "the remainder of such numbers is not exact in older operators"
    )
    a, b = int64(op, 0), int64(op, 1)
    rest = op.make("Sub", a, op.make("Mul", op.make("Div", a, b), b))
    if not op.attribute("fmod", 0):
        signs = [negative(op, value) for value in (rest, b)]
        differ = op.make("Xor", *(forms.cast(op, sign, _T.BOOL) for sign in signs))
        wrong = op.make("And", differ, forms.cast(op, rest, _T.BOOL))
        rest = op.make("Add", rest, op.make("Mul", forms.cast(op, wrong, _T.INT64), b))
    op.finish(rest if dtype == _T.INT64 else forms.cast(op, rest, dtype))


def round_to_even(op: Op) -> None:
    """Round: the floor, plus one where the fraction is above a half, or a half over an odd floor."""
    dtype = op.dtype(0)
    op.require(dtype in _FLOATS, "it is not of a type that older opsets compare")
    half, two = op.like(0, 0.5), op.like(0, 2)
    floor = op.make("Floor", op.input(0))
    rest = op.make("Sub", op.input(0), floor)
    halved = op.make("Div", floor, two)
    odd = op.make("Greater", op.make("Sub", halved, op.make("Floor", halved)), op.like(0, 0.25))
    above = op.make("Greater", rest, half)
    tie = op.make("Not", op.make("Or", op.make("Less", rest, half), above))
    up = op.make("Or", above, op.make("And", tie, odd))
    op.finish(op.make("Add", floor, forms.cast(op, up, dtype)))
