"""What one step of an RNN, GRU or LSTM computes, in plain operators (ONNX operator spec of each)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op

FUNCTIONS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
"""The functions of one direction when the node names none."""

_UNDEFINED = float("nan")

_DEFAULTS: dict[str, tuple[float | None, float | None]] = {
    "Relu": (None, None),
    "Tanh": (None, None),
    "Sigmoid": (None, None),
    "Softsign": (None, None),
    "Softplus": (None, None),
    "LeakyRelu": (0.01, None),
    "ThresholdedRelu": (1.0, None),
    "Elu": (1.0, None),
    "HardSigmoid": (0.2, 0.5),
    "Affine": (_UNDEFINED, _UNDEFINED),
    "ScaledTanh": (_UNDEFINED, _UNDEFINED),
}
"""alpha and beta of each function that has them; the standard gives Affine and ScaledTanh no defaults."""


@dataclass(frozen=True)
class Function:
    """An activation function with its numbers."""

    name: str
    alpha: float | None = None
    beta: float | None = None


def functions(op: Op, directions: int) -> list[list[Function]]:
    """The functions of each direction.  alpha and beta are used up in the order of the functions that have them.

    ONNX spells the functions with capitals; any case is read.  Raises NoRewrite for a name that is none.
    """
    count = len(FUNCTIONS[op.node.op_type])
    names = op.attribute("activations") or FUNCTIONS[op.node.op_type] * directions
    op.require(len(names) == count * directions, f"{len(names)} activations are given for {directions} directions")
    spelled = {name.lower(): name for name in _DEFAULTS}
    alphas, betas = list(op.attribute("activation_alpha") or ()), list(op.attribute("activation_beta") or ())
    found = []
    for given in names:
        name = spelled.get(given.lower())
        if name is None:
            raise NoRewrite(f"{given} is no activation function")
        alpha, beta = _DEFAULTS[name]
        alpha = alphas.pop(0) if alpha is not None and alphas else alpha
        beta = betas.pop(0) if beta is not None and betas else beta
        op.require(
            not any(number is not None and math.isnan(number) for number in (alpha, beta)),
            f"{name} needs activation_alpha and activation_beta",
        )
        found.append(Function(name, alpha, beta))
    return [found[i : i + count] for i in range(0, len(found), count)]


@dataclass(frozen=True)
class Cell:
    """One direction: `weights` [H, gates · H] of the state, and what only some cells have.

    Where the GRU resets the state before its last gate (the default), that gate has `own_weights` [H, H] instead of a
    part of `weights`; where it resets after (linear_before_reset), `bias` is the gate's own recurrent bias [H].
    `peepholes` are three [H] of the LSTM, for its gates i, o and f.
    """

    kind: str
    hidden: int
    dtype: int
    functions: Sequence[Function]
    weights: str
    clip: float | None = None
    own_weights: str = ""
    bias: str = ""
    peepholes: Sequence[str] = ()
    coupled: bool = False


def step(op: Op, cell: Cell, inputs: str, states: Sequence[str]) -> list[str]:
    """The states [batch, H] after one step; `inputs` [batch, gates · H] are the weighed inputs with their biases."""
    if cell.kind == "LSTM":
        return _lstm(op, cell, inputs, *states)
    if cell.kind == "GRU":
        return _gru(op, cell, inputs, *states)
    return [_apply(op, cell, 0, op.make("Add", inputs, op.make("MatMul", states[0], cell.weights)))]


def _lstm(op: Op, cell: Cell, inputs: str, h: str, c: str) -> list[str]:
    gates = op.make("Add", inputs, op.make("MatMul", h, cell.weights))
    i, o, f, g = forms.split(op, gates, 1, [cell.hidden] * 4)
    if cell.peepholes:
        i = op.make("Add", i, op.make("Mul", cell.peepholes[0], c))
        f = op.make("Add", f, op.make("Mul", cell.peepholes[2], c))
    i = _apply(op, cell, 0, i)
    f = op.make("Sub", op.const(np.array(1), cell.dtype), i) if cell.coupled else _apply(op, cell, 0, f)
    g = _apply(op, cell, 1, g)
    c = op.make("Add", op.make("Mul", f, c), op.make("Mul", i, g))
    if cell.peepholes:
        o = op.make("Add", o, op.make("Mul", cell.peepholes[1], c))
    o = _apply(op, cell, 0, o)
    return [op.make("Mul", o, _function(op, cell.functions[2], c, cell.dtype)), c]


def _gru(op: Op, cell: Cell, inputs: str, h: str) -> list[str]:
    sizes = [2 * cell.hidden, cell.hidden]
    both, own = forms.split(op, inputs, 1, sizes)
    product, recurrent = op.make("MatMul", h, cell.weights), ""
    if not cell.own_weights:
        product, recurrent = forms.split(op, product, 1, sizes)
    gates = _apply(op, cell, 0, op.make("Add", both, product))
    z, r = forms.split(op, gates, 1, [cell.hidden] * 2)
    if cell.own_weights:
        recurrent = op.make("MatMul", op.make("Mul", r, h), cell.own_weights)
    else:
        recurrent = op.make("Mul", r, op.make("Add", recurrent, cell.bias) if cell.bias else recurrent)
    new = _apply(op, cell, 1, op.make("Add", own, recurrent))
    kept = op.make("Mul", op.make("Sub", op.const(np.array(1), cell.dtype), z), new)
    return [op.make("Add", kept, op.make("Mul", z, h))]


def _apply(op: Op, cell: Cell, place: int, value: str) -> str:
    """A gate's function of its clipped input."""
    if cell.clip is not None:
        value = forms.clip(op, value, -cell.clip, cell.clip, cell.dtype)
    return _function(op, cell.functions[place], value, cell.dtype)


def _function(op: Op, function: Function, value: str, dtype: int) -> str:
    name, alpha, beta = function.name, function.alpha, function.beta
    if name == "Affine":
        scaled = op.make("Mul", value, op.const(np.array(alpha), dtype))
        return op.make("Add", scaled, op.const(np.array(beta), dtype))
    if name == "ScaledTanh":
        scaled = op.make("Tanh", op.make("Mul", value, op.const(np.array(beta), dtype)))
        return op.make("Mul", scaled, op.const(np.array(alpha), dtype))
    if name == "Elu":  # TensorRT-RTX 1.7.1 cannot infer the shape of Elu's result inside a loop
        below = op.make("Exp", op.make("Min", value, op.const(np.array(0), dtype)))
        below = op.make("Mul", op.make("Sub", below, op.const(np.array(1), dtype)), op.const(np.array(alpha), dtype))
        return op.make("Add", op.make("Relu", value), below)
    return op.make(name, value, alpha=alpha, beta=beta)
