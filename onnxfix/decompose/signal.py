"""Fourier transforms as matrix products: DFT, STFT."""

from __future__ import annotations

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op
from onnxfix.decompose.precision import narrowed, wide, widened
from onnxfix.decompose.sizes import joined, part, settled
from onnxfix.model.declared_signals import transform_axes
from onnxfix.model.model import Array

MOST_NUMBERS = 1 << 24
"""Matrices of more numbers (64 MiB of float) need the user's word."""


def dft(op: Op) -> None:
    """DFT: one product with the matrix of cosines and sines, from n values to m.

    The axis is an attribute below opset 20 and an input since.  Real input has one number for each value, complex
    input two, and so has the result (one where the inverse of a one-sided transform gives real numbers).  Longer
    input than `dft_length` is cut, shorter filled with zeros.  An axis that is computed is one of those that give the
    declared shape: all are transformed, and the one that is meant is taken.
    """
    axes = _axes(op)
    result = _transformed(op, axes[0])
    for axis in axes[1:]:
        names = [op.make("Equal", op.input(2), op.const(np.int64(name))) for name in (axis, axis - len(op.dims(0)))]
        result = op.make("Where", op.make("Or", *names), _transformed(op, axis), result)
    op.finish(result)


def _transformed(op: Op, axis: int) -> str:
    rank, given, parts = len(op.dims(0)), op.dims(0)[axis], op.dims(0)[-1]
    if not isinstance(given, int) or not isinstance(parts, int):
        raise NoRewrite(f"the transformed axis or the last one has an unknown size: {list(op.dims(0))}")
    table, outputs = _table(op, given, parts)
    _limit(op, table)
    others = [i for i in range(rank - 1) if i != axis]
    order = [*others, axis, rank - 1]
    before = [part(op, 0, i) for i in others]
    x = op.make("Transpose", widened(op), perm=order)
    x = op.make("Reshape", x, joined(op, [*before, given * parts]))
    y = op.make("MatMul", x, op.const(table, wide(op)))
    y = op.make("Reshape", y, joined(op, [*before, table.shape[1] // outputs, outputs]))
    return narrowed(op, op.make("Transpose", y, perm=[order.index(i) for i in range(rank)]))


def stft(op: Op) -> None:
    """STFT: a convolution of the signal with the cosines and sines of one frame, times the window.

    The window may be computed when the model runs; the step and the length of the frames must be constant.
    """
    rank = len(op.dims(0))
    parts = op.dims(0)[2] if rank == 3 else 1
    if parts not in (1, 2):
        raise NoRewrite("the last dimension of the signal is neither 1 (real) nor 2 (complex)")
    assert isinstance(parts, int)
    (step,) = settled(op, 1, "frame_step")
    length = _frame_length(op)
    onesided = bool(op.attribute("onesided", 1))
    op.require(not (onesided and parts == 2), "a one-sided transform is of real values")
    table = _matrix(length, length, parts, inverse=False, onesided=onesided)
    _limit(op, table)
    bins = table.shape[1] // 2
    kernel = op.const(table.reshape(length, parts, bins * 2).transpose(2, 1, 0), wide(op))
    if op.has(2):
        kernel = op.make("Mul", kernel, widened(op, 2))
    x = widened(op)
    x = forms.unsqueeze(op, x, [1]) if rank == 2 else op.make("Transpose", x, perm=[0, 2, 1])
    y = op.make("Conv", x, kernel, kernel_shape=[length], strides=[step])
    y = op.make("Transpose", y, perm=[0, 2, 1])
    op.finish(narrowed(op, forms.reshape(op, y, [0, 0, bins, 2])))


def _frame_length(op: Op) -> int:
    """That of the input `frame_length`, or the length of the window."""
    window = op.dims(2)[0] if op.has(2) else None
    length = settled(op, 3, "frame_length")[0] if op.has(3) else window
    if not isinstance(length, int) or (op.has(2) and window != length):
        raise NoRewrite(f"the window has {window} values and the frame {length}")
    return length


def _axes(op: Op) -> list[int]:
    rank = len(op.dims(0))
    if op.opset >= 20 and op.has(2) and op.constant(2) is None:
        after = op.scope.type_of(op.node.output[0]).dims or ()
        axes = transform_axes(op.node, op.dims(0), after)
        op.require(bool(axes) and op.type(2).dims == (), "the axis is not a constant")
        return axes
    if op.opset < 20:
        axis = int(op.attribute("axis"))
    else:
        axis = int(op.values(2, "the axis").reshape(())) if op.has(2) else -2
    axis = axis + rank if axis < 0 else axis
    op.require(0 <= axis < rank - 1, f"axis {axis} of a tensor of rank {rank} cannot be transformed")
    return [axis]


def _table(op: Op, given: int, parts: int) -> tuple[Array, int]:
    """The matrix, and how many numbers each value of the result has."""
    op.require(parts in (1, 2), "the last dimension is neither 1 (real) nor 2 (complex)")
    inverse, onesided = bool(op.attribute("inverse", 0)), bool(op.attribute("onesided", 0))
    length = int(op.values(1, "dft_length").reshape(())) if op.has(1) else _own_length(op, given)
    op.require(length > 0 and given > 0, "there is nothing to transform")
    if inverse and onesided:
        op.require(parts == 2, "the inverse of a one-sided transform is of complex values")
        return _inverse_onesided(given, length), 1
    op.require(not onesided or parts == 1, "a one-sided transform is of real values")
    return _matrix(given, length, parts, inverse, onesided), 2


def _own_length(op: Op, given: int) -> int:
    """Without dft_length: the length of the axis, and 2 (n - 1) for the inverse of a one-sided transform."""
    return 2 * (given - 1) if op.attribute("inverse", 0) and op.attribute("onesided", 0) else given


def _matrix(given: int, length: int, parts: int, inverse: bool, onesided: bool) -> Array:
    """[given · parts, m · 2]: from (real, imaginary) pairs to such pairs."""
    frequencies = np.arange(length // 2 + 1 if onesided else length)
    turns = np.outer(np.arange(given), frequencies) % length * (2 * np.pi / length)
    cos, sin = np.cos(turns), np.sin(turns) * (1 if inverse else -1)
    cos, sin = (cos / length, sin / length) if inverse else (cos, sin)
    used = (np.arange(given) < length)[:, None]
    cos, sin = cos * used, sin * used
    rows = [np.stack([cos, sin], axis=-1), np.stack([-sin, cos], axis=-1)][:parts]
    table: Array = np.stack(rows, axis=1).reshape(given * parts, len(frequencies) * 2)
    return table


def _inverse_onesided(given: int, length: int) -> Array:
    """[given · 2, length]: the real signal of one half of its spectrum; the other half is its conjugate."""
    half = length // 2 + 1
    frequencies = np.arange(given)
    turns = np.outer(frequencies, np.arange(length)) % length * (2 * np.pi / length)
    alone = (frequencies == 0) | (2 * frequencies == length)
    weight = (np.where(alone, 1, 2) * (frequencies < half) / length)[:, None]
    table: Array = np.stack([np.cos(turns) * weight, -np.sin(turns) * weight], axis=1).reshape(given * 2, length)
    return table


def _limit(op: Op, table: Array) -> None:
    if table.size > MOST_NUMBERS:
        rows, columns = table.shape
        op.unsafe = f"the matrix of the transform has {rows} x {columns} numbers"
