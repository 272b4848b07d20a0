"""What the attention operators of com.microsoft share: heads, masks as numbers that are added, and the scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op

INT64, FLOAT = 7, 1
_STORED = 1 << 20
"""A causal mask of more elements is computed in the model, where that can be done."""

_LOWEST = {
    1: np.finfo(np.float32).min,
    10: np.finfo(np.float16).min,
    11: np.finfo(np.float64).min,
    16: -3.3895313892515355e38,
}
"""The lowest number of each float type: float, float16, double, bfloat16."""


@dataclass(frozen=True)
class Heads:
    """Query, key and value as (batch, heads, length, head size), of one element type.

    `queries` and `keys` are the lengths where they are fixed numbers.
    """

    query: str
    key: str
    value: str
    dtype: int
    head: int
    queries: int | None = None
    keys: int | None = None


def by_heads(op: Op, value: str, heads: int, size: int) -> str:
    """(batch, length, heads x size) as (batch, heads, length, size)."""
    return op.make("Transpose", forms.reshape(op, value, [0, 0, heads, size]), perm=[0, 2, 1, 3])


def together(op: Op, value: str, hidden: int) -> str:
    """(batch, heads, length, size) as (batch, length, hidden)."""
    return forms.reshape(op, op.make("Transpose", value, perm=[0, 2, 1, 3]), [0, 0, hidden])


def attend(op: Op, heads: Heads, bias: list[str], *, causal: bool, scale: float | None) -> str:
    """softmax(scale Q K^T + biases) V as (batch, heads, length, size).

    The biases, two at most, are broadcast to (batch, heads, queries, keys).  With `causal` the last query sees all
    keys, the one before it one fewer, and so on; what a query does not see has the lowest number of the type as score.
    """
    keys = op.make("Transpose", heads.key, perm=[0, 1, 3, 2])
    factor = 1.0 / math.sqrt(heads.head) if scale is None or scale == 0 else scale
    scores = op.make("MatMul", heads.query, keys)
    scores = op.make("Mul", scores, op.const(np.array(factor), heads.dtype))
    if bias:  # added up first, as ONNX Runtime does: beside -10000 a score loses digits
        scores = op.make("Add", scores, op.make("Add", *bias) if len(bias) > 1 else bias[0])
    if causal and heads.queries != 1:
        op.require(heads.dtype in _LOWEST, "the type is none of the four float types")
        lowest = op.const(np.array(_LOWEST[heads.dtype]), heads.dtype)
        scores = op.make("Where", _future(op, heads), lowest, scores)
    return op.make("MatMul", forms.softmax(op, scores, 3, 4), heads.value)


def _future(op: Op, heads: Heads) -> str:
    """Whether a key lies behind a query, as (queries, keys) of bool."""
    if heads.queries is not None and heads.keys is not None and heads.queries * heads.keys <= _STORED:
        last = np.arange(heads.queries)[:, None] + heads.keys - heads.queries
        return op.const(np.arange(heads.keys)[None, :] > last)
    op.require(op.opset >= 11, "a causal mask of a length that is not fixed needs Range (opset 11)")
    queries, keys = length(op, heads.query, 2), length(op, heads.key, 2)
    columns = counting(op, keys)
    rows = op.make("Add", counting(op, queries), op.make("Sub", keys, queries))
    return op.make("Greater", forms.unsqueeze(op, columns, [0]), forms.unsqueeze(op, rows, [1]))


def length(op: Op, value: str, axis: int) -> str:
    """The size of an axis as an int64 scalar."""
    return op.make("Gather", op.make("Shape", value), op.const(np.array(axis, dtype=np.int64)), axis=0)


def counting(op: Op, count: str) -> str:
    """0, 1, 2 ... below an int64 scalar."""
    zero, one = (op.const(np.array(n, dtype=np.int64)) for n in (0, 1))
    return op.make("Range", zero, count, one)


def raw_mask(op: Op, place: int, dtype: int, filtered: float) -> str:
    """A mask of (batch, keys) or (batch, queries, keys) as what is added: 0 where it is positive, else `filtered`."""
    rank = len(op.dims(place))
    seen = op.make("Greater", op.input(place), op.like(place, 0))
    zero, low = (op.const(np.array(n), dtype) for n in (0.0, filtered))
    return forms.unsqueeze(op, op.make("Where", seen, zero, low), [1, 2] if rank == 2 else [1])


def length_mask(op: Op, place: int, dtype: int, filtered: float, heads: Heads) -> str:
    """A mask of (batch) key lengths as what is added."""
    return _outside(op, heads, [forms.cast(op, op.input(place), INT64)], dtype, filtered)


def interval_mask(op: Op, place: int, dtype: int, filtered: float, heads: Heads) -> str:
    """A mask of (2 x batch), the ends of the keys and then their starts, as what is added."""
    halves = forms.reshape(op, forms.cast(op, op.input(place), INT64), [2, -1])
    ends, starts = (forms.squeeze(op, part, [0]) for part in forms.split(op, halves, 0, [1, 1]))
    return _outside(op, heads, [ends, starts], dtype, filtered)


def _outside(op: Op, heads: Heads, bounds: list[str], dtype: int, filtered: float) -> str:
    """0 for keys below the ends (and not below the starts), else `filtered`, as (batch, 1, 1, keys)."""
    if heads.keys is None:
        op.require(op.opset >= 11, "a mask of lengths over keys without a fixed number needs Range (opset 11)")
        columns = counting(op, length(op, heads.key, 2))
    else:
        columns = op.const(np.arange(heads.keys, dtype=np.int64))
    row = forms.unsqueeze(op, columns, [0])
    seen = op.make("Less", row, forms.unsqueeze(op, bounds[0], [1]))
    if len(bounds) > 1:
        early = op.make("Less", row, forms.unsqueeze(op, bounds[1], [1]))
        seen = op.make("And", seen, op.make("Not", early))
    zero, low = (op.const(np.array(n), dtype) for n in (0.0, filtered))
    return forms.unsqueeze(op, op.make("Where", seen, zero, low), [1, 2])
