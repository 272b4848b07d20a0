"""The steps of an optimizer (ai.onnx.preview.training 1) in plain arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from onnxfix.decompose.op import Op

Step = Callable[["_Rate", str, str, list[str]], list[str]]


class _Rate:
    """What all tensors of one node share: R, the learning rate, T, the number of updates done, and arithmetic."""

    def __init__(self, op: Op) -> None:
        self.op, self.dtype = op, op.dtype(2)
        op.require(op.dtype(0) == self.dtype, "the learning rate and the tensors have different types")
        self.rate = op.input(0)
        self.count = op.make("Cast", op.input(1), to=self.dtype)

    def __call__(self, op_type: str, *inputs: str | float) -> str:
        """A node on values and on numbers of the tensors' type."""
        named = [value if isinstance(value, str) else self.number(value) for value in inputs]
        return self.op.make(op_type, *named)

    def number(self, value: float) -> str:
        return self.op.const(np.array(value), self.dtype)

    def setting(self, name: str) -> float:
        return float(self.op.attribute(name))

    def regularised(self, x: str, gradient: str) -> str:
        """The gradient with that of the L2 norm of x."""
        return self("Add", self("Mul", self.setting("norm_coefficient"), x), gradient)


def optimizer_step(op: Op) -> None:
    """Adagrad, Adam or Momentum, as the pseudo code of their specs writes them."""
    states, step = _STEPS[op.node.op_type]
    _each(op, states, step)


def _each(op: Op, states: int, step: Step) -> None:
    """The tensors come as all X, all G, then all states; the outputs are all new X, then the new states."""
    count = (len(op.node.input) - 2) // (2 + states)
    rate = _Rate(op)
    groups = [list(op.node.input[2 + group * count : 2 + (group + 1) * count]) for group in range(2 + states)]
    made = [step(rate, x, g, list(rest)) for x, g, *rest in zip(*groups, strict=True)]
    op.finish(*(values[group] for group in range(1 + states) for values in made))


def _adagrad_step(rate: _Rate, x: str, g: str, states: list[str]) -> list[str]:
    slower = rate("Add", 1.0, rate("Mul", rate.count, rate.setting("decay_factor")))
    gradient = rate.regularised(x, g)
    squares = rate("Add", states[0], rate("Mul", gradient, gradient))
    adapted = rate("Add", rate("Sqrt", squares), rate.setting("epsilon"))
    change = rate("Div", rate("Mul", rate("Div", rate.rate, slower), gradient), adapted)
    return [rate("Sub", x, change), squares]


def _adam_step(rate: _Rate, x: str, g: str, states: list[str]) -> list[str]:
    gradient = rate.regularised(x, g)
    alpha, beta = rate.setting("alpha"), rate.setting("beta")
    mean = _mixed(rate, alpha, states[0], gradient)
    squares = _mixed(rate, beta, states[1], rate("Mul", gradient, gradient))
    root = rate("Add", rate("Sqrt", squares), rate.setting("epsilon"))
    power = rate("Max", rate.count, 1.0)  # before the first update nothing is corrected, nor divided by zero
    unbiased = rate("Sqrt", rate("Sub", 1.0, rate("Pow", beta, power)))
    corrected = rate("Div", rate("Mul", rate.rate, unbiased), rate("Sub", 1.0, rate("Pow", alpha, power)))
    started = rate("Greater", rate.count, 0.0)
    chosen = rate("Where", started, corrected, rate.rate)
    moved = rate("Sub", x, rate("Div", rate("Mul", chosen, mean), root))
    return [rate("Mul", 1.0 - rate.setting("norm_coefficient_post"), moved), mean, squares]


def _mixed(rate: _Rate, share: float, old: str, new: str) -> str:
    return rate("Add", rate("Mul", share, old), rate("Mul", 1.0 - share, new))


def _momentum_step(rate: _Rate, x: str, g: str, states: list[str]) -> list[str]:
    gradient = rate.regularised(x, g)
    alpha, beta = rate.setting("alpha"), rate.setting("beta")
    share = rate("Where", rate("Greater", rate.count, 0.0), beta, 1.0)  # at the first update the gradient counts whole
    moved = rate("Add", rate("Mul", alpha, states[0]), rate("Mul", share, gradient))
    nesterov = rate.op.attribute("mode") == "nesterov"
    change = rate("Add", gradient, rate("Mul", alpha, moved)) if nesterov else moved
    return [rate("Sub", x, rate("Mul", rate.rate, change)), moved]


_STEPS: Mapping[str, tuple[int, Step]] = {
    "Adagrad": (1, _adagrad_step),
    "Adam": (2, _adam_step),
    "Momentum": (1, _momentum_step),
}
"""The number of states that an optimizer keeps for each tensor, and its step for one tensor."""
