"""LinearRegressor and LinearClassifier of ai.onnx.ml as MatMul and Add."""

from __future__ import annotations

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.ml_scores import FLOAT, labels, no_text_labels, transformed
from onnxfix.decompose.op import Op

INT64 = 7


def ml_linear(op: Op) -> None:
    """Both operators; NoRewrite for labels that are texts."""
    op.require(len(op.dims(0)) == 2, "the input does not have two axes")
    x = op.input(0) if op.dtype(0) == FLOAT else forms.cast(op, op.input(0), FLOAT)
    coefficients = np.array(op.attribute("coefficients"), dtype=np.float32)
    intercepts = np.array(op.attribute("intercepts") or (), dtype=np.float32)
    if op.node.op_type == "LinearRegressor":
        targets = int(op.attribute("targets", 1))
        scores = _product(op, x, coefficients, intercepts, targets)
        transform = op.attribute("post_transform", "NONE")
        told = targets > 1 or transform == "NONE"
        op.require(told, f"ONNX Runtime and the standard do not agree on {transform} of one target")
        op.finish(transformed(op, scores, transform))
        return
    _classifier(op, x, coefficients, intercepts)


def _classifier(op: Op, x: str, coefficients: np.ndarray, intercepts: np.ndarray) -> None:
    """One score for each class, or one score for two classes: then the other one is its counterpart."""
    no_text_labels(op)
    count = len(op.attribute("classlabels_ints") or op.attribute("classlabels_strings") or ())
    op.require(intercepts.size > 0, "there are no intercepts")
    transform = op.attribute("post_transform", "NONE")
    scores = _product(op, x, coefficients, intercepts, intercepts.size)
    if intercepts.size == 1:
        op.require(count == 2, "one score does not tell between the classes")
        op.require(transform in ("NONE", "LOGISTIC"), f"ONNX Runtime does not apply {transform} to one score")
        bound = op.const(np.float32(0.5 if transform == "LOGISTIC" else 0.0))
        score = op.make("Sigmoid", scores) if transform == "LOGISTIC" else scores
        chosen = forms.squeeze(op, forms.cast(op, op.make("Greater", score, bound), INT64), [1])
        other = op.make("Sub", op.const(np.float32(1)), score)
        if transform == "LOGISTIC":
            other = op.make("Sigmoid", op.make("Neg", scores))
        result = op.make("Concat", other, score, axis=1)
    else:
        op.require(count == intercepts.size, "there is not one score for each class")
        chosen = op.make("ArgMax", scores, axis=1, keepdims=0)
        result = transformed(op, scores, transform)
    op.finish(labels(op, chosen) if op.reads(0) else "", result)


def _product(op: Op, x: str, coefficients: np.ndarray, intercepts: np.ndarray, targets: int) -> str:
    op.require(coefficients.size % targets == 0, "the coefficients do not fit the targets")
    product = op.make("MatMul", x, op.const(np.ascontiguousarray(coefficients.reshape(targets, -1).T)))
    return op.make("Add", product, op.const(intercepts)) if intercepts.size else product
