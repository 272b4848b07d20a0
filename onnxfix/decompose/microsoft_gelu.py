"""The Gelu family and other activations of com.microsoft, and the activations that ONNX Runtime fuses into others.

Formulas: documentation of ONNX Runtime's contrib operators.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op

_PLAIN = ("Relu", "Tanh", "Sigmoid", "Softplus", "Softsign")
_WITH_ALPHA = {"LeakyRelu": 0.01, "Elu": 1.0, "ThresholdedRelu": 1.0}


def microsoft_gelu(op: Op) -> None:
    """Gelu, BiasGelu: 0.5 x (1 + erf(x / sqrt 2)) of the input, with the bias added where there is one."""
    op.finish(exact_gelu(op, _biased(op), op.dtype(0)))


def fast_gelu(op: Op) -> None:
    """FastGelu: 0.5 x (1 + tanh(x (0.797885 + 0.035677 x x))) of the input plus the optional bias."""
    op.finish(tanh_gelu(op, _biased(op), op.dtype(0)))


def quick_gelu(op: Op) -> None:
    """QuickGelu: x sigmoid(alpha x), alpha 1.702 by default; ScaledSiLU: alpha x sigmoid(alpha x)."""
    x = op.input(0)
    if op.node.op_type == "ScaledSiLU":
        factor = op.input(1) if op.has(1) else op.like(0, op.attribute("alpha", 1.0))
        x = op.make("Mul", x, factor)
        op.finish(op.make("Mul", x, op.make("Sigmoid", x)))
        return
    scaled = op.make("Mul", x, op.like(0, op.attribute("alpha", 1.702)))
    op.finish(op.make("Mul", x, op.make("Sigmoid", scaled)))


def bias_split_gelu(op: Op) -> None:
    """BiasSplitGelu: the last axis of x + bias is cut in two; the left half times the exact Gelu of the right."""
    width = op.dims(0)[-1] if op.dims(0) else None
    if not isinstance(width, int):
        width = op.shape(1)[-1]
    op.require(width % 2 == 0, "the hidden size is odd")
    x = op.make("Add", op.input(0), op.input(1))
    left, right = forms.split(op, x, len(op.dims(0)) - 1, [width // 2, width // 2])
    op.finish(op.make("Mul", left, exact_gelu(op, right, op.dtype(0))))


def microsoft_swiglu(op: Op) -> None:
    """com.microsoft SwiGLU: g sigmoid(alpha g) (l + beta), both halves clamped when `limit` is positive."""
    dtype = op.dtype(0)
    op.require(dtype == 1, "SwiGLU rounds once to a type that is not float")
    gate, up = op.input(0), op.input(1)
    if not up:
        axis = len(op.dims(0)) - 1
        width = op.dims(0)[axis]
        op.require(isinstance(width, int), "the size of the last axis is not fixed")
        assert isinstance(width, int)
        gate, up = forms.split(op, gate, axis, [width // 2, width // 2])
    limit = float(op.attribute("limit", 0.0))
    if limit > 0:
        gate, up = forms.clip(op, gate, None, limit, dtype), forms.clip(op, up, -limit, limit, dtype)
    scaled = op.make("Mul", gate, op.like(0, op.attribute("activation_alpha", 1.0)))
    gated = op.make("Mul", gate, op.make("Sigmoid", scaled))
    beta = float(op.attribute("activation_beta", 0.0))
    op.finish(op.make("Mul", gated, op.make("Add", up, op.like(0, beta)) if beta else up))


def exact_gelu(op: Op, x: str, dtype: int) -> str:
    """0.5 x (1 + erf(x / sqrt 2)); Erf is there since opset 9."""
    op.require(op.opset >= 9, "Erf needs opset 9")
    inner = op.make("Erf", op.make("Mul", x, _number(op, math.sqrt(0.5), dtype)))
    gate = op.make("Add", inner, _number(op, 1.0, dtype))
    return op.make("Mul", op.make("Mul", x, _number(op, 0.5, dtype)), gate)


def tanh_gelu(op: Op, x: str, dtype: int) -> str:
    """0.5 x (1 + tanh(x (a + b x x))) with a = 0.797885 (sqrt(2/pi)) and b = 0.044715 a."""
    root = math.sqrt(2 / math.pi)
    square = op.make("Mul", op.make("Mul", x, x), _number(op, 0.044715 * root, dtype))
    inner = op.make("Mul", x, op.make("Add", square, _number(op, root, dtype)))
    gate = op.make("Add", op.make("Tanh", inner), _number(op, 1.0, dtype))
    return op.make("Mul", op.make("Mul", x, _number(op, 0.5, dtype)), gate)


def activated(op: Op, x: str, kind: str, parameters: Sequence[float], dtype: int) -> str:
    """An activation that is fused into a node: `kind` "" is none; `parameters` are as the fused node has them."""
    given = [float(value) for value in parameters]
    if kind in ("", "None"):
        return x
    if kind in _PLAIN:
        return op.make(kind, x)
    if kind in _WITH_ALPHA:
        return op.make(kind, x, alpha=given[0] if given else _WITH_ALPHA[kind])
    if kind == "Clip" and len(given) == 2:
        return forms.clip(op, x, given[0], given[1], dtype)
    if kind == "HardSigmoid":
        alpha, beta = given if len(given) == 2 else (0.2, 0.5)
        return op.make("HardSigmoid", x, alpha=alpha, beta=beta)
    if kind == "Gelu":
        return exact_gelu(op, x, dtype)
    if kind == "QuickGelu":
        scaled = op.make("Mul", x, _number(op, given[0] if given else 1.702, dtype))
        return op.make("Mul", x, op.make("Sigmoid", scaled))
    if kind == "HardSwish":
        return op.make("Mul", x, op.make("HardSigmoid", x, alpha=1 / 6, beta=0.5))
    op.require(False, f"the activation {kind} is not known")
    return x


def _biased(op: Op) -> str:
    return op.make("Add", op.input(0), op.input(1)) if op.has(1) else op.input(0)


def _number(op: Op, value: float, dtype: int) -> str:
    return op.const(np.array(value), dtype)
