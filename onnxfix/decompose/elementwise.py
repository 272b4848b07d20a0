"""Arithmetic element by element, running products, and small determinants."""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.counting import doubled
from onnxfix.decompose.op import NoRewrite, Op, Unconcerned
from onnxfix.opset.view import schema_at

_T = onnx.TensorProto
_FLOATS = (int(_T.FLOAT), int(_T.FLOAT16), int(_T.BFLOAT16), int(_T.DOUBLE))
_FLOAT, _BOOL, _INT32 = int(_T.FLOAT), int(_T.BOOL), int(_T.INT32)

MOST_ROWS = 4
"""Determinants of matrices up to this size are written as sums of products (24 of them at 4)."""


def float_modulo(op: Op) -> None:
    """Mod of floats with fmod=0, whose result has the sign of the divisor: fmod=1, plus the divisor where signs differ.

    That is how numpy.mod, the reference of the ONNX standard, computes it.
    """
    dtype = op.dtype(0)
    if dtype not in _FLOATS or op.attribute("fmod", 0):
        raise Unconcerned
    divisor, zero = op.input(1), op.const(np.array(0), dtype)
    rest = op.make("Mod", op.input(0), divisor, fmod=1)
    negative = [op.make("Less", value, zero) for value in (rest, divisor)]
    differs = op.make("And", op.make("Not", op.make("Equal", rest, zero)), op.make("Xor", *negative))
    op.finish(op.make("Where", differs, op.make("Add", rest, divisor), rest))


def cumulative_product(op: Op) -> None:
    """CumProd by doubling: after k steps every element holds the product of the 2**k elements up to it.

    log2(n) multiplications of the whole tensor for n elements on the axis.  Integers are exact (they wrap around
    alike in any order), floats are multiplied in another order.
    """
    rank = len(op.dims(0))
    axis = _axis(op, rank)
    doubled(op, "Mul", axis, _shifted)


def _shifted(op: Op, value: str, axis: int, by: int, count: int) -> str:
    """The value moved along an axis, with ones in the places that become free."""
    kept = max(count - abs(by), 0)
    start = 0 if by > 0 else count - kept
    inside = op.make("Slice", value, op.ints(start), op.ints(start + kept), op.ints(axis))
    before, after = (count - kept, 0) if by > 0 else (0, count - kept)
    one = op.const(np.array(1), op.dtype(0))
    return op.make("Pad", inside, op.ints(before, after), one, op.ints(axis), mode="constant")


def cumulative_axis(op: Op) -> None:
    """CumSum of a vector over an axis that is only known at run time: it can only be axis 0."""
    if op.constant(1) is not None:
        raise Unconcerned
    op.require(len(op.dims(0)) == 1, "its axis is not a constant")
    attributes = {name: op.attribute(name, 0) for name in ("exclusive", "reverse")}
    op.finish(op.make("CumSum", op.input(0), op.const(np.array(0, dtype=np.int64)), **attributes))


def _axis(op: Op, rank: int) -> int:
    axis = op.constant(1)
    if axis is None and rank == 1:
        return 0
    return int(op.values(1, "its axis").reshape(())) % rank


def determinant(op: Op) -> None:
    """Det of matrices of a small known size, expanded along the first row."""
    rows = op.dims(0)[-1]
    if not isinstance(rows, int) or not 0 < rows <= MOST_ROWS:
        raise NoRewrite(f"the matrices are not known to have between 1 and {MOST_ROWS} rows")
    lines = forms.split(op, op.input(0), -2, [1] * rows) if rows > 1 else [op.input(0)]
    table = [forms.split(op, line, -1, [1] * rows) if rows > 1 else [line] for line in lines]
    op.finish(forms.squeeze(op, _minor(op, table, 0, tuple(range(rows))), [-2, -1]))


def _minor(op: Op, table: list[list[str]], row: int, columns: tuple[int, ...]) -> str:
    """The determinant of the rows from `row` on and of these columns."""
    total = ""
    for place, column in enumerate(columns):
        rest = tuple(other for other in columns if other != column)
        entry = table[row][column]
        term = op.make("Mul", entry, _minor(op, table, row + 1, rest)) if rest else entry
        total = op.make("Sub" if place % 2 else "Add", total, term) if total else term
    return total


def half_range(op: Op) -> None:
    """Range of float16 or bfloat16 counted in float, as Range-27 says (stash_type), and cast at the end."""
    dtype = op.dtype(0)
    if dtype not in (_T.FLOAT16, _T.BFLOAT16):
        raise Unconcerned
    bounds = [forms.cast(op, op.input(place), _FLOAT) for place in range(3)]
    op.finish(forms.cast(op, op.make("Range", *bounds), dtype))


def vector_matmul(op: Op) -> None:
    """MatMul with a vector on a side, written with a matrix of one row or one column."""
    ranks = [len(op.dims(place)) for place in range(2)]
    if 1 not in ranks:
        raise Unconcerned
    left = forms.unsqueeze(op, op.input(0), [0]) if ranks[0] == 1 else op.input(0)
    right = forms.unsqueeze(op, op.input(1), [1]) if ranks[1] == 1 else op.input(1)
    product = op.make("MatMul", left, right)
    rank = max(*ranks, 2)
    gone = [*([rank - 2] if ranks[0] == 1 else []), *([rank - 1] if ranks[1] == 1 else [])]
    op.finish(forms.squeeze(op, product, gone))


def vector_by_one_batch(op: Op) -> None:
    """MatMul of a vector and matrices behind a first batch axis of free size, or of one element with another behind."""
    left, right = op.dims(0), op.dims(1)
    if len(left) != 1 or len(right) < 3 or (isinstance(right[0], int) and (len(right) == 3 or right[0] != 1)):
        raise Unconcerned
    vector_matmul(op)


def bool_extreme(op: Op) -> None:
    """ReduceMax and ReduceMin of bools as int32 numbers 0 and 1; the maximum of nothing is the least number: false."""
    if op.dtype(0) != _BOOL:
        raise Unconcerned
    if op.has(1) and op.constant(1) is None:
        raise Unconcerned("its axes come first, as long as the result has its declared shape")
    count = forms.cast(op, op.input(0), _INT32)
    attributes = {name: op.attribute(name) for name in ("keepdims", "noop_with_empty_axes")}
    reduced = op.make(op.node.op_type, count, *op.node.input[1:], **attributes)
    op.finish(op.make("Greater", reduced, op.const(np.array(0, dtype=np.int32))))


def float_island(op: Op) -> None:
    """An operator on float16 or bfloat16, with the same attributes in float: Casts before and behind it."""
    half = op.node.op_type == "MeanVarianceNormalization"  # the one that float16 is refused in
    if op.dtype(0) != _T.BFLOAT16 and not (half and op.dtype(0) == _T.FLOAT16):
        raise Unconcerned
    inputs = [
        forms.cast(op, name, _FLOAT) if name and op.dtype(place) == op.dtype(0) else name
        for place, name in enumerate(op.node.input)
    ]
    schema = schema_at(op.node.op_type, op.opset)
    attributes = {name: op.attribute(name) for name in schema.attributes} if schema else {}
    made = op.many(op.node.op_type, inputs, len(op.node.output), **attributes)
    op.finish(*(forms.cast(op, value, op.dtype(0)) for value in made))


def too_few_axes(op: Op) -> None:
    """A choice or a softmax along the one axis of a vector, or a reduction of a scalar: with an axis more."""
    rank, kind = len(op.dims(0)), op.node.op_type
    if rank != (0 if kind.startswith("Reduce") else 1):
        raise Unconcerned
    wider = forms.unsqueeze(op, op.input(0), [0])
    if rank == 0:
        op.require(not op.attribute("noop_with_empty_axes", 0), "with noop_with_empty_axes it may reduce nothing")
        op.finish(forms.reduce(op, kind, wider, [0], keepdims=False))
        return
    op.require(op.attribute("axis", 0) in (0, -1), "the vector has no such axis")
    attributes = {name: op.attribute(name) for name in ("keepdims", "select_last_index")}
    op.finish(forms.squeeze(op, op.make(kind, wider, axis=1, **attributes), [0]))
