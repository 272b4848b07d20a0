"""Arithmetic on numbers that may be known: done at once where they are, by nodes of the model where they are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op
from onnxfix.model.model import Array

_FLOAT, _INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


class Term:
    """A float32 tensor (or, of a comparison, a bool one) with the usual operators and broadcasting.

    `known` has the numbers when they are known now; `name()` is the value's name in the model either way.
    """

    __array_priority__ = 1  # numpy's numbers leave the arithmetic to us

    def __init__(self, op: Op, known: Array | None, name: str = "") -> None:
        self._op, self.known, self._name = op, known, name

    def name(self) -> str:
        """The name of the value; a known one is stored as a constant."""
        if not self._name:
            assert self.known is not None
            self._name = self._op.const(self.known)
        return self._name

    def number(self) -> float | None:
        """The value of a known scalar."""
        return None if self.known is None else float(self.known.reshape(()))

    def _apply(self, op_type: str, now: Callable[..., Any], *others: Term | float) -> Term:
        terms = [self, *(self._term(other) for other in others)]
        if all(term.known is not None for term in terms):
            with np.errstate(all="ignore"):
                return Term(self._op, np.asarray(now(*(term.known for term in terms))))
        return Term(self._op, None, self._op.make(op_type, *(term.name() for term in terms)))

    def _term(self, other: Term | float) -> Term:
        return other if isinstance(other, Term) else Term(self._op, np.array(other, dtype=np.float32))

    def __add__(self, other: Term | float) -> Term:
        return self._apply("Add", np.add, other)

    def __sub__(self, other: Term | float) -> Term:
        return self._apply("Sub", np.subtract, other)

    def __rsub__(self, other: float) -> Term:
        return self._term(other) - self

    def __mul__(self, other: Term | float) -> Term:
        return self._apply("Mul", np.multiply, other)

    def __truediv__(self, other: Term | float) -> Term:
        return self._apply("Div", np.divide, other)

    __radd__, __rmul__ = __add__, __mul__

    def __gt__(self, other: Term | float) -> Term:
        return self._apply("Greater", np.greater, other)

    def __lt__(self, other: Term | float) -> Term:
        return self._apply("Less", np.less, other)

    def __or__(self, other: Term) -> Term:
        return self._apply("Or", np.logical_or, other)

    def floor(self) -> Term:
        """The largest whole number that is not above."""
        return self._apply("Floor", np.floor)

    def ceil(self) -> Term:
        """The smallest whole number that is not below."""
        return self._apply("Ceil", np.ceil)

    def __abs__(self) -> Term:
        return self._apply("Abs", np.abs)

    def at_least(self, other: Term | float) -> Term:
        """The larger of the two."""
        return self._apply("Max", np.maximum, other)

    def at_most(self, other: Term | float) -> Term:
        """The smaller of the two."""
        return self._apply("Min", np.minimum, other)

    def where(self, yes: Term | float, no: Term | float) -> Term:
        """Of a bool term: `yes` where it is true, else `no`."""
        return self._apply("Where", np.where, yes, no)

    def as_float(self) -> Term:
        """1 where a bool term is true, else 0."""
        if self.known is not None:
            return Term(self._op, self.known.astype(np.float32))
        return Term(self._op, None, forms.cast(self._op, self._name, _FLOAT))

    def total(self, axis: int) -> Term:
        """The sum over one axis, which stays with size 1."""
        if self.known is not None:
            return Term(self._op, self.known.sum(axis=axis, keepdims=True, dtype=np.float32))
        return Term(self._op, None, forms.reduce(self._op, "ReduceSum", self._name, [axis]))

    def shaped(self, *shape: int) -> Term:
        """Another shape; -1 stands for the size that is left."""
        if self.known is not None:
            return Term(self._op, self.known.reshape(shape))
        return Term(self._op, None, forms.reshape(self._op, self._name, shape))

    def as_index(self) -> str:
        """The name of the whole numbers as int64."""
        if self.known is not None:
            return self._op.const(self.known.astype(np.int64))
        return forms.cast(self._op, self._name, _INT64)


def known(op: Op, values: Any) -> Term:
    """A term of numbers that are known now."""
    return Term(op, np.asarray(values, dtype=np.float32))


def element(op: Op, position: int, index: int) -> Term:
    """One element of a vector that is an input of the node, as a scalar."""
    values = op.constant(position)
    if values is not None:
        return known(op, values.reshape(-1)[index])
    return Term(op, None, forms.cast(op, _scalar(op, op.input(position), index), _FLOAT))


def size(op: Op, position: int, axis: int) -> Term:
    """The size of one axis of an input, as a scalar."""
    dim = op.dims(position)[axis]
    if isinstance(dim, int):
        return known(op, dim)
    return Term(op, None, forms.cast(op, _scalar(op, op.make("Shape", op.input(position)), axis), _FLOAT))


def counting(op: Op, count: Term) -> Term:
    """0, 1, 2 … as many as `count` says."""
    number = count.number()
    if number is not None:
        return known(op, np.arange(int(number)))
    op.require(op.opset >= 11, "a size is not known, and there is no Range below opset 11")
    zero, one = (op.const(np.array(value, dtype=np.int64)) for value in (0, 1))
    return Term(op, None, forms.cast(op, op.make("Range", zero, count.as_index(), one), _FLOAT))


def _scalar(op: Op, vector: str, index: int) -> str:
    return op.make("Gather", vector, op.const(np.array(index, dtype=np.int64)), axis=0)
