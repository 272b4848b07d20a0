"""The optimizers of ai.onnx.preview.training, written out as the ONNX operator specification defines them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op


def ml_training(op: Op) -> None:
    """Adagrad, Adam and Momentum, for any number of tensors; NoRewrite for Gradient, which is no computation."""
    body, states = _BODIES[op.node.op_type]
    count = (len(op.node.input) - 2) // (2 + states)
    op.require(len(op.node.input) == 2 + count * (2 + states), "its inputs do not come in equal groups")
    rows = [body(op, [op.input(2 + part * count + i) for part in range(2 + states)]) for i in range(count)]
    op.finish(*(value for column in zip(*rows, strict=True) for value in column))


def _regularised(op: Op, x: str, gradient: str) -> str:
    factor = float(op.attribute("norm_coefficient", 0.0))
    return op.make("Add", _times(op, factor, x), gradient) if factor else gradient


def _times(op: Op, factor: float, value: str) -> str:
    return op.make("Mul", value, _number(op, factor))


def _number(op: Op, value: float) -> str:
    return op.const(np.array(value), op.dtype(2))


def _count(op: Op) -> str:
    """The number of updates so far, in the type of the tensors."""
    return forms.cast(op, op.input(1), op.dtype(2))


def _started(op: Op) -> str:
    return op.make("Greater", op.input(1), op.const(np.array(0, dtype=np.int64)))


def _adagrad(op: Op, group: list[str]) -> list[str]:
    x, gradient, squares = group
    decayed = op.make("Add", _times(op, float(op.attribute("decay_factor", 0.0)), _count(op)), _number(op, 1.0))
    rate = op.make("Div", op.input(0), decayed)
    slope = _regularised(op, x, gradient)
    total = op.make("Add", squares, op.make("Mul", slope, slope))
    size = op.make("Add", op.make("Sqrt", total), _number(op, float(op.attribute("epsilon", 0.0))))
    return [op.make("Sub", x, op.make("Div", op.make("Mul", rate, slope), size)), total]


def _adam(op: Op, group: list[str]) -> list[str]:
    x, gradient, mean, squares = group
    alpha, beta = float(op.attribute("alpha", 0.9)), float(op.attribute("beta", 0.999))
    slope = _regularised(op, x, gradient)
    mean = op.make("Add", _times(op, alpha, mean), _times(op, 1 - alpha, slope))
    squares = op.make("Add", _times(op, beta, squares), _times(op, 1 - beta, op.make("Mul", slope, slope)))
    size = op.make("Add", op.make("Sqrt", squares), _number(op, float(op.attribute("epsilon", 0.0))))
    moved = op.make("Sub", x, op.make("Div", op.make("Mul", _adam_rate(op, alpha, beta), mean), size))
    after = float(op.attribute("norm_coefficient_post", 0.0))
    return [_times(op, 1 - after, moved) if after else moved, mean, squares]


def _adam_rate(op: Op, alpha: float, beta: float) -> str:
    """The rate, corrected for the start of the means, except before the first update."""
    powers = [op.make("Pow", _number(op, base), _count(op)) for base in (beta, alpha)]
    rests = [op.make("Sub", _number(op, 1.0), power) for power in powers]
    corrected = op.make("Div", op.make("Mul", op.input(0), op.make("Sqrt", rests[0])), rests[1])
    return op.make("Where", _started(op), corrected, op.input(0))


def _momentum(op: Op, group: list[str]) -> list[str]:
    x, gradient, velocity = group
    alpha, mode = float(op.attribute("alpha")), op.attribute("mode")
    op.require(mode in ("standard", "nesterov"), f"the mode {mode} is not known")
    slope = _regularised(op, x, gradient)
    factor = op.make("Where", _started(op), _number(op, float(op.attribute("beta"))), _number(op, 1.0))
    velocity = op.make("Add", _times(op, alpha, velocity), op.make("Mul", factor, slope))
    step = op.make("Add", slope, _times(op, alpha, velocity)) if mode == "nesterov" else velocity
    return [op.make("Sub", x, op.make("Mul", op.input(0), step)), velocity]


_BODIES: dict[str, tuple[Callable[[Op, list[str]], list[str]], int]] = {
    "Adagrad": (_adagrad, 1),
    "Adam": (_adam, 2),
    "Momentum": (_momentum, 1),
}
"""The body for one group of tensors, and how many states it keeps beside the tensor and its gradient."""
