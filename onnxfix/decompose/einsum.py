"""Einsum by Transpose, MatMul, Mul and ReduceSum, for opsets and targets without it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op

_T = onnx.TensorProto
_LARGE = 1 << 26
"""Products that may be held at once without asking: 256 MiB of float32."""


@dataclass(frozen=True)
class _Operand:
    """A value and the label of each of its axes."""

    value: str
    labels: str


def einsum(op: Op) -> None:
    """Einsum, operand by operand: a MatMul where two share the summed axis, else a product that is summed.

    Labels that only one operand has and the result lacks are summed at once.
    """
    operands, output = _equation(op)
    sizes = _sizes(op, operands)
    left = operands[0]
    for number, right in enumerate(operands[1:], 1):
        later = output + "".join(other.labels for other in operands[number + 1 :])
        one, other = _summed(op, left, later + right.labels), _summed(op, right, later + left.labels)
        left = _joined(op, one, other, later, sizes)
    left = _summed(op, left, output)
    order = [left.labels.index(label) for label in output]
    moved = order != sorted(order)
    op.finish(op.make("Transpose", left.value, perm=order) if moved else op.make("Identity", left.value))


def _equation(op: Op) -> tuple[list[_Operand], str]:
    """The operands with one letter for each axis, the ellipsis written out, and the letters of the result."""
    text = str(op.attribute("equation")).replace(" ", "")
    before, arrow, after = text.partition("->")
    terms = before.split(",")
    op.require(len(terms) == len(op.node.input), "its equation is of another number of operands")
    ranks = [len(op.dims(place)) for place in range(len(terms))]
    wide = max(
        (rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=True) if "..." in t), default=0
    )
    spare = [chr(number) for number in range(0x100, 0x100 + wide)]
    operands = []
    for place, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        many = rank - len(term.replace("...", ""))
        labels = term.replace("...", "".join(spare[wide - many :]) if many else "")
        op.require(len(labels) == rank, "its equation is of another rank than an operand")
        op.require(len(set(labels)) == rank, "an operand has one label twice")
        operands.append(_Operand(op.input(place), labels))
    if arrow:
        return operands, after.replace("...", "".join(spare))
    own = before.replace("...", "").replace(",", "")
    return operands, "".join(spare) + "".join(sorted(label for label in set(own) if own.count(label) == 1))


def _sizes(op: Op, operands: list[_Operand]) -> dict[str, object]:
    """The size of each label; one that is 1 in some operand and not in others is broadcast, which MatMul is not."""
    sizes: dict[str, object] = {}
    for place, operand in enumerate(operands):
        for label, dim in zip(operand.labels, op.dims(place), strict=True):
            if label in sizes and sizes[label] != dim and 1 in (sizes[label], dim):
                raise NoRewrite("an axis of size 1 is broadcast against a larger one")
            sizes[label] = dim if not isinstance(sizes.get(label), int) else sizes[label]
    return sizes


def _summed(op: Op, operand: _Operand, needed: str) -> _Operand:
    """Without the axes that nobody needs any more."""
    gone = [axis for axis, label in enumerate(operand.labels) if label not in needed]
    if not gone:
        return operand
    value = forms.reduce(op, "ReduceSum", operand.value, gone, keepdims=False)
    return _Operand(value, "".join(label for label in operand.labels if label in needed))


def _joined(op: Op, left: _Operand, right: _Operand, later: str, sizes: dict[str, object]) -> _Operand:
    shared = [label for label in left.labels if label in right.labels]
    inner = [label for label in shared if label not in later]
    batch = "".join(label for label in shared if label in later)
    rows = "".join(label for label in left.labels if label not in right.labels)
    columns = "".join(label for label in right.labels if label not in left.labels)
    if len(inner) == 1 and len(rows) == 1 and len(columns) == 1 and op.dtype(0) in (_T.FLOAT, _T.DOUBLE, _T.FLOAT16):
        one = _ordered(op, left, batch + rows + inner[0])
        other = _ordered(op, right, batch + inner[0] + columns)
        return _Operand(op.make("MatMul", one, other), batch + rows + columns)
    every = batch + rows + columns + "".join(inner)
    known = [size for label in every if isinstance(size := sizes[label], int)]
    if math.prod(known) > _LARGE:
        op.unsafe = f"it holds {math.prod(known)} products at once"
    product = op.make("Mul", *(_spread(op, operand, every) for operand in (left, right)))
    return _summed(op, _Operand(product, every), later)


def _ordered(op: Op, operand: _Operand, labels: str) -> str:
    order = [operand.labels.index(label) for label in labels]
    return operand.value if order == sorted(order) else op.make("Transpose", operand.value, perm=order)


def _spread(op: Op, operand: _Operand, every: str) -> str:
    """With an axis for every label, of size 1 where the operand has none."""
    value = _ordered(op, operand, "".join(label for label in every if label in operand.labels))
    missing = [axis for axis, label in enumerate(every) if label not in operand.labels]
    return forms.unsqueeze(op, value, missing) if missing else value
