"""SVMRegressor and SVMClassifier of ai.onnx.ml: kernels with the support vectors, as MatMul and elementwise nodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxfix.decompose import forms
from onnxfix.decompose.ml_scores import FLOAT, labels, no_text_labels
from onnxfix.decompose.op import Op

Floats = NDArray[np.float32]


def ml_svm(op: Op) -> None:
    """Both operators; NoRewrite for probabilities of more than two classes, which are found by iteration."""
    op.require(len(op.dims(0)) == 2, "the input does not have two axes")
    op.require(op.attribute("post_transform", "NONE") == "NONE", "it has a post transform")
    x = op.input(0) if op.dtype(0) == FLOAT else forms.cast(op, op.input(0), FLOAT)
    coefficients, rho = _floats(op, "coefficients"), _floats(op, "rho")
    if op.node.op_type == "SVMRegressor":
        count = int(op.attribute("n_supports", 0))
        value = op.make("MatMul", _kernel(op, x, count, 1), op.const(coefficients.reshape(-1, 1)))
        value = op.make("Add", value, op.const(rho[:1]))
        op.finish(_one_class(op, value) if int(op.attribute("one_class", 0)) else value)
        return
    _classifier(op, x, coefficients, rho)


def _classifier(op: Op, x: str, coefficients: Floats, rho: Floats) -> None:
    """One score for each pair of classes and a vote (libsvm); scores of two classes come as a pair."""
    no_text_labels(op)
    op.require(not op.attribute("prob_a"), "its probabilities are found by iteration")
    sizes = [int(size) for size in op.attribute("vectors_per_class") or ()]
    op.require(len(sizes) > 1, "it has no support vectors")
    count, classes = sum(sizes), len(sizes)
    starts = np.cumsum([0, *sizes])
    weights, rows = coefficients.reshape(classes - 1, count), []
    for i in range(classes):
        for j in range(i + 1, classes):
            row = np.zeros(count, dtype=np.float32)
            row[starts[i] : starts[i + 1]] = weights[j - 1, starts[i] : starts[i + 1]]
            row[starts[j] : starts[j + 1]] = weights[i, starts[j] : starts[j + 1]]
            rows.append(row)
    scores = op.make("MatMul", _kernel(op, x, count, 1), op.const(np.ascontiguousarray(np.array(rows).T)))
    scores = op.make("Add", scores, op.const(rho))
    won = forms.cast(op, op.make("Greater", scores, op.const(np.float32(0))), FLOAT)
    for_first, for_second = _ballots(classes)
    votes = op.make("MatMul", won, op.const(for_first - for_second))
    votes = op.make("Add", votes, op.const(for_second.sum(axis=0)))
    chosen = op.make("ArgMax", votes, axis=1, keepdims=0)
    if classes == 2:
        scores = op.make("Concat", op.make("Neg", scores), scores, axis=1)
    op.finish(labels(op, chosen) if op.reads(0) else "", scores if op.reads(1) else "")


def _ballots(classes: int) -> tuple[Floats, Floats]:
    """(pairs, classes): whom a pair votes for when its score is positive, and when it is not."""
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    eye = np.eye(classes, dtype=np.float32)
    return eye[[i for i, _ in pairs]], eye[[j for _, j in pairs]]


def _one_class(op: Op, value: str) -> str:
    one, minus = op.const(np.float32(1)), op.const(np.float32(-1))
    return op.make("Where", op.make("Greater", value, op.const(np.float32(0))), one, minus)


def _kernel(op: Op, x: str, count: int, axis: int) -> str:
    """K(x, v) for each support vector v, as (rows, vectors); x itself without support vectors."""
    kind = op.attribute("kernel_type", "LINEAR")
    if count == 0:
        op.require(kind == "LINEAR", "it has no support vectors")
        return x
    vectors = _floats(op, "support_vectors").reshape(count, -1)
    gamma, coef0, degree = (float(value) for value in (*(op.attribute("kernel_params") or ()), 0.0, 0.0, 0.0)[:3])
    if kind == "RBF":
        difference = op.make("Sub", forms.unsqueeze(op, x, [axis]), op.const(vectors[None]))
        squares = forms.reduce(op, "ReduceSum", op.make("Mul", difference, difference), [2], keepdims=False)
        return op.make("Exp", op.make("Mul", squares, op.const(np.float32(-gamma))))
    product = op.make("MatMul", x, op.const(np.ascontiguousarray(vectors.T)))
    if kind == "LINEAR":
        return product
    scaled = op.make("Add", op.make("Mul", product, op.const(np.float32(gamma))), op.const(np.float32(coef0)))
    if kind == "POLY":
        return op.make("Pow", scaled, op.const(np.float32(degree)))
    op.require(kind == "SIGMOID", f"the kernel {kind} is not known")
    return op.make("Tanh", scaled)


def _floats(op: Op, name: str) -> Floats:
    return np.array(op.attribute(name) or (), dtype=np.float32)
