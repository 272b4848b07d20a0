"""From the scores of classes to the label and the probabilities, as ONNX Runtime's tree classifiers do it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.ml_scores import labels, no_text_labels, transformed
from onnxfix.decompose.op import Op

FLOAT, INT64 = 1, 7


def finish_classes(
    op: Op, scores: str, count: int, spoken: set[int], base: Sequence[float], positive: bool, dtype: int
) -> None:
    """Finish a tree classifier: `scores` is (rows, count), `spoken` the classes that any leaf speaks of.

    `positive` tells whether no weight is negative.  Two classes of which the leaves know one are a binary case.
    """
    no_text_labels(op)
    transform = op.attribute("post_transform", "NONE")
    if count == 2 and len(spoken) == 1:
        chosen, result = _binary(op, scores, min(spoken), base, positive, transform, dtype)
    else:
        op.require(len(base) in (0, count), "the base values are not one for each class")
        agreed = count != 2 or not op.reads(0)
        op.require(agreed, "ONNX Runtime and the standard choose different labels of two classes with two scores")
        if base:
            scores = op.make("Add", scores, op.const(np.array(base), dtype))
        chosen = op.make("ArgMax", scores, axis=1, keepdims=0)
        result = transformed(op, scores, transform, dtype)
    label = labels(op, chosen) if op.reads(0) else ""
    op.finish(label, result if dtype == FLOAT else forms.cast(op, result, FLOAT))


def _binary(
    op: Op, scores: str, known: int, base: Sequence[float], positive: bool, transform: str, dtype: int
) -> tuple[str, str]:
    """(0 or 1 for each row, both scores) from the score of one class, the positive one whatever its number.

    Weights that are all positive make it a probability; so much for class 0.  A score of class 1 has 0 beside it.
    """
    op.require(len(base) < 2 - known, "ONNX Runtime does not use every base value")
    score = forms.slices(op, scores, [1], [known], [known + 1])
    if base:
        score = op.make("Add", score, op.const(np.array(base), dtype))
    bound = op.const(np.array(0.5 if positive else 0.0), dtype)
    chosen = forms.squeeze(op, forms.cast(op, op.make("Greater", score, bound), INT64), [1])
    if known == 1:
        return chosen, transformed(op, scores, transform, dtype)
    op.require(transform != "PROBIT", "ONNX Runtime leaves a part of the output open (PROBIT of one score)")
    if positive and transform != "LOGISTIC":
        other = op.make("Sub", op.const(np.array(1.0), dtype), score)
    else:
        other = op.make("Neg", score)
    both = op.make("Concat", other, score, axis=1)
    return chosen, op.make("Sigmoid", both) if transform == "LOGISTIC" else both
