"""What the classifiers and regressors of ai.onnx.ml do with their scores, as ONNX Runtime does it.

The standard leaves SOFTMAX_ZERO and PROBIT vague; the formulas are those of ONNX Runtime.
"""

from __future__ import annotations

import math

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op

TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
FLOAT = 1


def transformed(op: Op, scores: str, transform: str, dtype: int = FLOAT) -> str:
    """Scores (rows, more than one class) after the transform."""
    op.require(transform in TRANSFORMS, f"the post transform {transform} is not known")
    if transform == "SOFTMAX":
        return forms.softmax(op, scores, 1, 2)
    if transform == "LOGISTIC":
        return op.make("Sigmoid", scores)
    if transform == "SOFTMAX_ZERO":
        return _softmax_zero(op, scores, dtype)
    return probit(op, scores, dtype) if transform == "PROBIT" else scores


def _softmax_zero(op: Op, scores: str, dtype: int) -> str:
    """Softmax over the scores that are not zero (beyond 1e-7); the others keep a zero."""
    largest = forms.reduce(op, "ReduceMax", scores, [1])
    bound = op.const(np.array(np.float32(1e-7)), dtype)
    some = op.make("Greater", op.make("Abs", scores), bound)
    spread = op.make("Exp", op.make("Sub", scores, largest))
    rest = op.make("Mul", scores, op.make("Exp", op.make("Neg", largest)))
    counted = op.make("Where", some, spread, op.const(np.array(0.0), dtype))
    total = forms.reduce(op, "ReduceSum", counted, [1])
    return op.make("Div", op.make("Where", some, spread, rest), total)


def probit(op: Op, scores: str, dtype: int) -> str:
    """sqrt(2) times Winitzki's approximation of the inverse error function at 2 p - 1."""
    one, half, two = (op.const(np.array(n), dtype) for n in (1.0, 0.5, 2.0))
    x = op.make("Sub", op.make("Mul", scores, two), one)
    logarithm = op.make("Log", op.make("Mul", op.make("Sub", one, x), op.make("Add", one, x)))
    first = op.const(np.array(np.float32(2) / (np.float32(3.14159) * np.float32(0.147))), dtype)
    v = op.make("Add", op.make("Mul", logarithm, half), first)
    w = op.make("Mul", logarithm, op.const(np.array(1 / 0.147), dtype))
    root = op.make("Sqrt", op.make("Sub", op.make("Mul", v, v), w))
    size = op.make("Sqrt", op.make("Sub", root, v))
    negative = op.make("Less", x, op.const(np.array(0.0), dtype))
    signed = op.make("Where", negative, op.make("Neg", size), size)
    return op.make("Mul", signed, op.const(np.array(math.sqrt(2.0)), dtype))


def labels(op: Op, chosen: str) -> str:
    """The integer labels at the chosen classes."""
    numbers = op.attribute("classlabels_int64s") or op.attribute("classlabels_ints")
    return op.make("Gather", op.const(np.array(numbers, dtype=np.int64)), chosen, axis=0)


def no_text_labels(op: Op) -> None:
    """NoRewrite when the first output is read and holds texts."""
    texts = op.attribute("classlabels_strings")
    readable = not (texts and op.reads(0))
    op.require(readable, "its labels are texts, which TensorRT does not have; drop the output of the labels")
