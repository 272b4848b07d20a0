"""com.microsoft RotaryEmbedding: pairs of features turned by an angle that grows with the position."""

from __future__ import annotations

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.microsoft_scores import counting, length
from onnxfix.decompose.op import Op


def microsoft_rotary_embedding(op: Op) -> None:
    """Inputs: x (batch, length, hidden) or (batch, heads, length, size), positions, and the tables of cos and sin.

    The standard's operator of this name (opset 23) has its inputs in another order.
    """
    op.require(not op.attribute("is_packed_batching", 0), "the batch is packed")
    op.require(float(op.attribute("scale", 1.0) or 1.0) == 1.0, "it has a scale")
    rank, half = len(op.dims(0)), op.dims(2)[1]
    op.require(rank in (3, 4), "the input has neither three nor four axes")
    op.require(isinstance(half, int), "the size of the table is not fixed")
    assert isinstance(half, int)
    partial, heads = int(op.attribute("rotary_embedding_dim", 0)), int(op.attribute("num_heads", 0))
    op.require(not partial or rank == 4 or heads > 0, "num_heads is missing")
    x = op.input(0)
    if rank == 3:  # (batch, length, heads, size)
        x = forms.reshape(op, x, [0, 0, heads, -1] if partial else [0, 0, -1, 2 * half])
    size = _head(op, rank, heads, half) if partial else 2 * half
    tables = [_rows(op, place, rank) for place in (2, 3)]
    kept = ""
    if size != 2 * half:
        x, kept = forms.split(op, x, 3, [2 * half, size - 2 * half])
    turned = rotated(op, x, tables[0], tables[1], half, interleaved=bool(op.attribute("interleaved", 0)))
    result = op.make("Concat", turned, kept, axis=3) if kept else turned
    op.finish(op.make("Reshape", result, op.make("Shape", op.input(0))) if rank == 3 else result)


def rotated(op: Op, x: str, cos: str, sin: str, half: int, *, interleaved: bool) -> str:
    """(a cos - b sin, b cos + a sin) for the pairs (a, b) of the last axis, of size 2 x half.

    Pairs are neighbours when `interleaved`, else an element of the first half and one of the second.
    """
    if interleaved:
        paired = op.make("Reshape", x, op.ints(0, 0, 0, half, 2))
        a, b = (forms.squeeze(op, part, [4]) for part in forms.split(op, paired, 4, [1, 1]))
    else:
        a, b = forms.split(op, x, 3, [half, half])
    real = op.make("Sub", op.make("Mul", a, cos), op.make("Mul", b, sin))
    imaginary = op.make("Add", op.make("Mul", b, cos), op.make("Mul", a, sin))
    if not interleaved:
        return op.make("Concat", real, imaginary, axis=3)
    joined = op.make("Concat", *(forms.unsqueeze(op, part, [4]) for part in (real, imaginary)), axis=4)
    return op.make("Reshape", joined, op.ints(0, 0, 0, 2 * half))


def _head(op: Op, rank: int, heads: int, half: int) -> int:
    """The size of a head of which only a part is turned."""
    last = op.dims(0)[-1]
    op.require(isinstance(last, int), "the hidden size is not fixed")
    assert isinstance(last, int)
    size = last if rank == 4 else last // heads
    op.require(size >= 2 * half, "the tables are wider than a head")
    return size


def _rows(op: Op, table: int, rank: int) -> str:
    """The rows of a table for the positions, with an axis for the heads."""
    positions = op.dims(1)
    head_axis = 1 if rank == 4 else 2
    if len(positions) == 2:
        return forms.unsqueeze(op, op.make("Gather", op.input(table), op.input(1), axis=0), [head_axis])
    op.require(len(positions) <= 1, "the positions have more than two axes")
    tokens = 2 if rank == 4 else 1
    sequence = op.dims(0)[tokens]
    if isinstance(sequence, int):
        steps = op.const(np.arange(sequence, dtype=np.int64))
    else:
        op.require(op.opset >= 11, "a length that is not fixed needs Range (opset 11)")
        steps = counting(op, length(op, op.input(0), tokens))
    places = op.make("Add", op.make("Reshape", op.input(1), op.ints(1)), steps)
    rows = op.make("Gather", op.input(table), places, axis=0)
    return forms.unsqueeze(op, rows, [0, head_axis])
