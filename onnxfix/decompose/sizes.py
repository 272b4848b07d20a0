"""Sizes that may be known or not: constants where the model tells them, else read when the model runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op
from onnxfix.model.declared import parameter


def size(op: Op, position: int, axis: int) -> str:
    """[1] int64: the size of one axis of an input."""
    dim = op.dims(position)[axis]
    if isinstance(dim, int):
        return op.ints(dim)
    return op.make("Gather", op.make("Shape", op.input(position)), op.ints(axis), axis=0)


def part(op: Op, position: int, axis: int) -> str | int:
    """The size of one axis of an input, as `joined` takes it."""
    dim = op.dims(position)[axis]
    return dim if isinstance(dim, int) else size(op, position, axis)


def joined(op: Op, parts: Sequence[str | int]) -> str:
    """A shape (int64) of numbers and of values of shape [1]."""
    if all(isinstance(part, int) for part in parts):
        return op.ints(*(part for part in parts if isinstance(part, int)))
    return op.make("Concat", *(op.ints(part) if isinstance(part, int) else part for part in parts), axis=0)


def counted(op: Op, length: str | int) -> str:
    """[length] int64: 0, 1, 2 …; a length that is not known must have shape [1]."""
    if isinstance(length, int):
        return op.const(np.arange(length, dtype=np.int64))
    op.require(op.opset >= 11, "Range, to count to an unknown size, needs opset 11")
    return op.make("Range", op.const(np.int64(0)), forms.squeeze(op, length, [0]), op.const(np.int64(1)))


def settled(op: Op, position: int, what: str) -> list[int]:
    """The whole numbers of an input: a constant, or what it must be for the output to have its declared shape."""
    known = op.constant(position)
    if known is not None:
        return [int(number) for number in known.reshape(-1)]
    numbers = parameter(op.scope, op.node, position)
    if numbers is None:
        raise NoRewrite(f"{what} is not a constant")
    return [int(number) for number in numbers]
