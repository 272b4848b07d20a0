"""Inverse of com.microsoft: small matrices by their adjugate, whose elements are sums of products."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op

MOST = 4
"""Rows of the largest matrix that is written out; an adjugate of n rows has n! x n products."""


def inverse(op: Op) -> None:
    """The inverses of (..., n, n) for n of 1 to 4: adjugate / determinant.

    Elimination with pivots, as a runtime does it, keeps more digits of a badly conditioned matrix, so that from three
    rows on the rewrite needs the user's word.
    """
    rank, size = len(op.dims(0)), op.dims(0)[-1]
    op.require(size == op.dims(0)[-2], "its matrices are not known to be square")
    op.require(isinstance(size, int) and 1 <= size <= MOST, f"its matrices have not between 1 and {MOST} rows")
    assert isinstance(size, int)
    if size == 1:
        op.finish(op.make("Reciprocal", op.input(0)))
        return
    lead = [0] * (rank - 2)
    flat = forms.reshape(op, op.input(0), [*lead, size * size])
    adjugate = _adjugate(op, flat, rank, size)
    row = _picked(op, flat, np.arange(size), rank)
    column = _picked(op, adjugate, np.arange(size) * size, rank)
    determinant = forms.reduce(op, "ReduceSum", op.make("Mul", row, column), [rank - 2])
    op.finish(forms.reshape(op, op.make("Div", adjugate, determinant), [*lead, size, size]))
    if size > 2:
        op.unsafe = "badly conditioned matrices lose more digits than by elimination"


def _adjugate(op: Op, flat: str, rank: int, size: int) -> str:
    """(..., n x n), from the matrices in the same form."""
    places, signs = _products(size)
    product = op.const(signs.reshape(-1), op.dtype(0))
    for column in np.moveaxis(places, -1, 0):
        product = op.make("Mul", _picked(op, flat, column.reshape(-1), rank), product)
    terms = forms.reshape(op, product, [*[0] * (rank - 2), size * size, signs.shape[1]])
    return forms.reduce(op, "ReduceSum", terms, [rank - 1], keepdims=False)


def _picked(op: Op, flat: str, places: NDArray[Any], rank: int) -> str:
    return op.make("Gather", flat, op.const(places.astype(np.int64)), axis=rank - 2)


def _products(size: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each element of the flat adjugate: the places of the factors of its terms, and the signs of the terms."""
    places, signs = [], []
    for row in range(size):
        for column in range(size):  # element (row, column) is the cofactor of (column, row)
            rows = [i for i in range(size) if i != column]
            columns = [j for j in range(size) if j != row]
            orders = list(permutations(range(size - 1)))
            places.append([[rows[i] * size + columns[j] for i, j in enumerate(order)] for order in orders])
            signs.append([_sign(order) * (-1) ** (row + column) for order in orders])
    shape = (size * size, len(signs[0]), size - 1)
    return np.array(places, dtype=np.int64).reshape(shape), np.array(signs, dtype=np.float32)


def _sign(order: tuple[int, ...]) -> int:
    """1 for an even permutation, -1 for an odd one."""
    swaps = sum(order[i] > order[j] for i in range(len(order)) for j in range(i + 1, len(order)))
    return -1 if swaps % 2 else 1
