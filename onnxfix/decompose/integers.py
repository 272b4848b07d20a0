"""Bits of int32 and int64 numbers by arithmetic, exact for negative numbers too (two's complement).

Narrower and unsigned integers come here in int32 or int64 (rules on odd integers), which have the same low bits.
"""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.carriers import BITS, CARRIER, FLOAT, INT32, INT64, UNSIGNED, lifted, wrapped
from onnxfix.decompose.float_bits import bits_of, of_bits
from onnxfix.decompose.op import Op, Unconcerned

_T = onnx.TensorProto
_DIGIT = 4
"""Bits that are taken at a time where both operands are computed."""


def bitwise(op: Op) -> None:
    """BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot of int32 and int64.

    a | b = a + (b - (a & b)) and a ^ b = (a - (a & b)) + (b - (a & b)), in which no step leaves the type.
    """
    dtype = _own_type(op)
    if op.node.op_type == "BitwiseNot":
        op.finish(op.make("Sub", op.const(np.array(-1), dtype), op.input(0)))
        return
    a, b = op.input(0), op.input(1)
    both = _and(op, dtype)
    if op.node.op_type == "BitwiseAnd":
        op.finish(both)
    elif op.node.op_type == "BitwiseOr":
        op.finish(op.make("Add", a, op.make("Sub", b, both)))
    else:
        op.finish(op.make("Add", op.make("Sub", a, both), op.make("Sub", b, both)))


def _own_type(op: Op) -> int:
    dtype = op.dtype(0)
    if dtype in CARRIER:
        raise Unconcerned("the type is not one to compute with")
    op.require(dtype in (INT32, INT64), "it is not of integers")
    return dtype


def _and(op: Op, dtype: int) -> str:
    for mask, other in ((0, 1), (1, 0)):
        values = op.constant(mask)
        if values is not None and values.size == 1 and values.ndim <= len(op.dims(other)):
            return _masked(op, op.input(other), int(values.reshape(())), dtype)
    return _by_digits(op, dtype)


def _masked(op: Op, value: str, mask: int, dtype: int) -> str:
    """value & mask: for each run of ones, what is below its end less what is below its start."""
    bits = BITS[dtype]
    ones = [bool(mask >> place & 1) for place in range(bits)]
    starts = [place for place in range(bits) if ones[place] and (place == 0 or not ones[place - 1])]
    found = ""
    for start in starts:
        end = next((place for place in range(start, bits) if not ones[place]), bits)
        run = _below(op, value, end, dtype)
        run = op.make("Sub", run, _below(op, value, start, dtype)) if start else run
        found = op.make("Add", found, run) if found else run
    return found or op.make("Mul", value, op.const(np.array(0), dtype))


def _below(op: Op, value: str, place: int, dtype: int) -> str:
    """The number that the bits below a place make; the whole number above the sign bit."""
    bits = BITS[dtype]
    if place == bits:
        return value
    if place == bits - 1:  # 2**place is no number of the type: clear the sign bit
        zero, lowest = op.const(np.array(0), dtype), op.const(np.array(-(2 ** (bits - 1))), dtype)
        negative = op.make("Less", value, zero)
        return op.make("Where", negative, op.make("Sub", value, lowest), value)
    return op.make("Mod", value, op.const(np.array(2**place), dtype))


def _by_digits(op: Op, dtype: int) -> str:
    """a & b, digit by digit of 4 bits, from a table of 256 results; the last digit holds the sign."""
    size, count = 2**_DIGIT, BITS[dtype] // _DIGIT
    pairs = np.arange(size)[:, None] & np.arange(size)[None, :]
    signed = np.where(pairs >= size // 2, pairs - size, pairs)
    step = op.const(np.array(size), dtype)
    rest, found = [op.input(0), op.input(1)], ""
    for place in range(count):
        digits = [op.make("Mod", value, step) for value in rest]
        rest = [op.make("Div", op.make("Sub", value, digit), step) for value, digit in zip(rest, digits, strict=True)]
        table = op.const((signed if place == count - 1 else pairs).reshape(-1), dtype)
        both = op.make("Gather", table, op.make("Add", op.make("Mul", digits[0], step), digits[1]), axis=0)
        weighed = op.make("Mul", both, op.const(np.array(size**place), dtype))
        found = op.make("Add", found, weighed) if found else weighed
    return found


def bit_shift(op: Op) -> None:
    """BitShift as a product or a floored quotient with a power of two.

    A negative shift, and one by the width of the type or more, leaves 0 (-1 of a negative number to the right), as the
    operator says since opset 28; before, it was not defined.
    """
    dtype = op.dtype(0)
    op.require(dtype in BITS, "it is not of integers")
    carrier = CARRIER.get(dtype, dtype)
    value, shift = lifted(op, op.input(0), dtype), lifted(op, op.input(1), dtype)
    place = _place(op, shift, BITS[dtype], carrier)
    if op.attribute("direction") == "LEFT":
        shifted = wrapped(op, op.make("Mul", value, _powers(op, place, dtype, carrier)), carrier, dtype)
    elif dtype == _T.UINT64:
        shifted = _right_of_64(op, value, place)
    else:
        shifted = _right(op, value, place, dtype, carrier)
    op.finish(forms.cast(op, shifted, dtype) if dtype in CARRIER else shifted)


def _place(op: Op, shift: str, bits: int, carrier: int) -> str:
    """The shift, and `bits` for every shift that leaves no bit."""
    width = op.const(np.array(bits), carrier)
    inside = op.make("Less", shift, width)
    negative = op.make("Less", shift, op.const(np.array(0), carrier))
    return op.make("Where", op.make("And", inside, op.make("Not", negative)), shift, width)


def _powers(op: Op, place: str, dtype: int, carrier: int) -> str:
    """2 to each place, as the carrier's bits tell it; 0 at the width of the type."""
    powers = [2**place for place in range(BITS[dtype])]
    top = 2 ** (BITS[carrier] - 1)
    table = op.const(np.array([*(power - 2 * top if power >= top else power for power in powers), 0]), carrier)
    return op.make("Gather", table, place, axis=0)


def _right(op: Op, value: str, place: str, dtype: int, carrier: int) -> str:
    """The floored quotient; the sign alone where no other bit is left."""
    bits = BITS[dtype]
    last = bits - 1 if dtype in UNSIGNED else bits - 2
    quotient = _quotient(op, value, place, [2 ** min(at, last) for at in range(bits + 1)], carrier)
    zero = op.const(np.array(0), carrier)
    sign = zero
    if dtype not in UNSIGNED:
        sign = op.make("Where", op.make("Less", value, zero), op.const(np.array(-1), carrier), zero)
    inside = op.make("Less", place, op.const(np.array(last + 1), carrier))
    return op.make("Where", inside, quotient, sign)


def _right_of_64(op: Op, value: str, place: str) -> str:
    """Of the 64 bits of a uint64 in int64: one bit first, which clears the sign, then the others."""
    zero, one, two = (op.const(np.array(number), INT64) for number in (0, 1, 2))
    half = op.make("Div", op.make("Sub", value, op.make("Mod", value, two)), two)
    lowest = op.const(np.array(-(2**63)), INT64)
    half = op.make("Where", op.make("Less", half, zero), op.make("Sub", half, lowest), half)
    quotient = _quotient(op, half, place, [1, *(2**at for at in range(63)), 1], INT64)
    shifted = op.make("Where", op.make("Less", place, op.const(np.array(64), INT64)), quotient, zero)
    return op.make("Where", op.make("Less", place, one), value, shifted)


def _quotient(op: Op, value: str, place: str, divisors: list[int], carrier: int) -> str:
    divisor = op.make("Gather", op.const(np.array(divisors), carrier), place, axis=0)
    return op.make("Div", op.make("Sub", value, op.make("Mod", value, divisor)), divisor)


def bit_cast(op: Op) -> None:
    """BitCast between integers of one width, and between float and int32.

    Of integers, what is above the largest number of a signed type becomes negative.
    """
    source, target = op.dtype(0), int(op.attribute("to", 0))
    if source == _T.BOOL and BITS.get(target) == 8:
        op.finish(forms.cast(op, op.input(0), target))
        return
    if (source, target) in ((FLOAT, INT32), (INT32, FLOAT)):
        op.finish((bits_of if source == FLOAT else of_bits)(op, op.input(0)))
        return
    op.require(source in BITS and BITS.get(target) == BITS[source], "it is between other types than it can be done for")
    carrier = CARRIER.get(source, source)
    wide = lifted(op, op.input(0), source)
    if BITS[source] == 32:  # uint32 lives in int64, int32 in itself
        wide, carrier = forms.cast(op, wide, INT64), INT64
    value = wrapped(op, wide, carrier, target)
    op.finish(value if carrier == target else forms.cast(op, value, target))


MOST_PRODUCTS = 1 << 24
"""So many products are made at once without asking: 64 MiB of int32."""


def integer_matmul(op: Op) -> None:
    """MatMul of int32 or int64 by elementwise products and a sum, exact while no sum leaves the type.

    It holds all products at once, so it is unsafe above MOST_PRODUCTS, and where the sizes are not known; a batch whose
    size is symbolic is not counted.
    """
    if op.dtype(0) not in (INT32, INT64):
        raise Unconcerned("it is not of int32 or int64")
    left, right = op.dims(0), op.dims(1)
    op.require(bool(left) and bool(right), "an operand of MatMul is a scalar")
    a = op.input(0) if len(left) > 1 else forms.unsqueeze(op, op.input(0), [0])
    b = op.input(1) if len(right) > 1 else forms.unsqueeze(op, op.input(1), [1])
    ranks = max(len(left), 2), max(len(right), 2)
    products = op.make("Mul", forms.unsqueeze(op, a, [ranks[0]]), forms.unsqueeze(op, b, [ranks[1] - 2]))
    inner = max(ranks) - 1  # of the products' max(ranks) + 1 axes: rows, inner, columns at the end
    y = forms.reduce(op, "ReduceSum", products, [inner], keepdims=False)
    gone = [*([inner - 1] if len(left) == 1 else []), *([inner] if len(right) == 1 else [])]
    y = forms.squeeze(op, y, gone) if gone else y
    matrix = [*left[-2:], *(right[-1:] if len(right) > 1 else [])]
    sizes = [dim for dim in (*matrix, *left[:-2], *right[:-2]) if isinstance(dim, int)]
    if not all(isinstance(dim, int) for dim in matrix) or int(np.prod(sizes)) > MOST_PRODUCTS:
        op.unsafe = f"it holds every product at once: {' x '.join(str(dim) for dim in matrix)} and the batch"
    op.finish(y)
