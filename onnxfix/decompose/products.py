"""Sums of products of small whole numbers, exact in float arithmetic.

float holds every whole number up to 2**24.  Where a sum may be larger, an operand is split into a high and a low part
of 4 bits each (of numbers up to 255), the partial sums are made in float, and added as int32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.carriers import BITS, FLOAT, INT32, limits
from onnxfix.decompose.op import Op
from onnxfix.model.model import Array

EXACT = 2**24
"""Up to this size every whole number is a float."""

_NIBBLE = 16
MOST = EXACT // _NIBBLE**2
"""So many products of two numbers up to 255 can be summed when both are split."""


@dataclass(frozen=True)
class Operand:
    """Whole numbers as float, less their zero point: `size` is the largest magnitude, `known` the numbers."""

    name: str
    size: int
    known: Array | None = None


Product = Callable[[str, str], str]
"""Makes the node that multiplies and sums: the names of two float operands to that of the result."""


def as_it_is(value: str) -> str:
    """A zero point that broadcasts without being shaped."""
    return value


def operand(op: Op, data: int, zero: int, spread: Callable[[str], str] = as_it_is) -> Operand:
    """Input `data` of 8 bits less input `zero`, its zero point; `spread` shapes one of several numbers."""
    dtype = op.dtype(data)
    op.require(BITS.get(dtype) == 8, "an operand is not of 8 bits")
    values, points = op.constant(data), op.constant(zero) if op.has(zero) else np.zeros(1, np.int64)
    if points is None:
        point = forms.cast(op, op.input(zero), FLOAT)
        return Operand(op.make("Sub", forms.cast(op, op.input(data), FLOAT), spread(point)), 255)
    points = points.astype(np.int64)
    low, high = limits(dtype)
    size = int(max(high - points.min(initial=high), points.max(initial=low) - low))
    if values is not None and (points.size == 1 or not points.any()):
        known = values.astype(np.int64) - (points.reshape(()) if points.size == 1 else 0)
        return Operand(op.const(known.astype(np.float32)), size, known)
    name = forms.cast(op, op.input(data), FLOAT)
    if not points.any():
        return Operand(name, size)
    return Operand(op.make("Sub", name, spread(op.const(points.reshape(op.shape(zero)).astype(np.float32)))), size)


def summed(op: Op, a: Operand, b: Operand, largest_sum: int, count: int | None, product: Product) -> tuple[str, int]:
    """(the exact sum of products, its element type): float where float holds it, else int32.

    `largest_sum` is the largest sum of magnitudes of `b` that go into one result, `count` how many products do (None:
    not known, and then taken to be so few that int32 holds their sum).
    """
    if count is not None and a.size * largest_sum <= EXACT:
        return product(a.name, b.name), FLOAT
    highs, lows = split(op, a.name)
    if count is not None and _NIBBLE * largest_sum <= EXACT:
        parts = [(product(highs, b.name), _NIBBLE), (product(lows, b.name), 1)]
        return total(op, parts), INT32
    op.require(count is None or count <= MOST, f"float does not hold a sum of {count} products")
    high, low = split(op, b.name)
    weights = [(highs, high, _NIBBLE**2), (highs, low, _NIBBLE), (lows, high, _NIBBLE), (lows, low, 1)]
    return total(op, [(product(left, right), weight) for left, right, weight in weights]), INT32


def split(op: Op, value: str) -> tuple[str, str]:
    """(h, l) with value = 16 h + l and l from 0 to 15."""
    step = op.const(np.float32(_NIBBLE))
    high = op.make("Floor", op.make("Div", value, step))
    return high, op.make("Sub", value, op.make("Mul", high, step))


def total(op: Op, parts: list[tuple[str, int]]) -> str:
    """The sum, in int32, of float whole numbers with their weights."""
    terms = []
    for value, weight in parts:
        whole = as_whole(op, value)
        terms.append(whole if weight == 1 else op.make("Mul", whole, op.const(np.int32(weight))))
    found = terms[0]
    for term in terms[1:]:
        found = op.make("Add", found, term)
    return found


def as_whole(op: Op, value: str) -> str:
    """A float that is a whole number, as int32.  An engine's order of summation may leave it a little beside."""
    return forms.cast(op, forms.round_even(op, value), INT32)


def column_sums(b: Operand, axes: tuple[int, ...], count: int | None) -> int:
    """The largest sum of magnitudes of `b` over some axes; of unknown numbers: `count` times the largest."""
    if b.known is not None and b.known.size and max(axes, default=0) < b.known.ndim:
        return int(np.abs(b.known.astype(np.int64)).sum(axis=axes).max())
    return b.size * (count or 0)


def known_size(dim: object) -> int | None:
    """A size, None when it is symbolic or unknown."""
    return dim if isinstance(dim, int) else None


def matmul(
    op: Op, a: Operand, b: Operand, at: tuple[int, int], turned: tuple[bool, bool] = (False, False)
) -> tuple[str, int]:
    """The exact MatMul of two operands, which are inputs `at` of the node; `turned` matrices are transposed first."""
    left, right = op.dims(at[0]), op.dims(at[1])
    op.require(bool(left) and bool(right), "an operand of MatMul is a scalar")
    inner = known_size(left[0 if turned[0] else -1])
    axis = len(right) - 1 if turned[1] else max(len(right) - 2, 0)
    inner = known_size(right[axis]) if inner is None else inner
    a, b = (_turned(op, value) if turn else value for value, turn in zip((a, b), turned, strict=True))
    axis = max(len(right) - 2, 0)
    return summed(op, a, b, column_sums(b, (axis,), inner), inner, lambda x, y: op.make("MatMul", x, y))


def _turned(op: Op, value: Operand) -> Operand:
    known = None if value.known is None else np.swapaxes(value.known, -1, -2)
    return Operand(op.make("Transpose", value.name, perm=[1, 0]), value.size, known)


def conv(op: Op, x: Operand, w: Operand, at: tuple[int, int]) -> tuple[str, int]:
    """The exact Conv of two operands with the node's attributes."""
    dims = op.dims(at[1])
    sizes = [known_size(dim) for dim in dims[1:]]
    count = int(np.prod([size for size in sizes if size is not None])) if None not in sizes else None
    op.require(count is not None, "the shape of the weights is not known")
    given = {a.name: onnx.helper.get_attribute_value(a) for a in op.node.attribute if a.name != "channels_last"}
    largest = column_sums(w, tuple(range(1, len(dims))), count)
    return summed(op, x, w, largest, count, lambda left, right: op.make("Conv", left, right, **given))
