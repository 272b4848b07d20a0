"""ConstantOfShape, Expand and CumSum for opsets without them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op

_T = onnx.TensorProto
_FACTORS = {_T.FLOAT, _T.DOUBLE, _T.FLOAT16, _T.INT32, _T.INT64}
"""Types that Mul takes in every opset, and in which a product with one changes nothing."""


def filled(op: Op) -> None:
    """ConstantOfShape as Tile of the one value."""
    rank = op.dims(0)[0]
    if not isinstance(rank, int):
        raise NoRewrite("the rank of its result is not known")
    value = op.attribute("value")
    single = np.zeros(1, np.float32) if value is None else onnx.numpy_helper.to_array(value)
    if rank == 0:
        op.finish(op.make("Identity", op.const(single.reshape(()))))
        return
    op.finish(op.make("Tile", op.const(single.reshape([1] * rank)), op.input(0)))


def expanded(op: Op) -> None:
    """Expand as a product with ones of that shape (And with true for bools), which broadcasts since opset 7."""
    rank = op.dims(1)[0]
    if not isinstance(rank, int):
        raise NoRewrite("the rank of its result is not known")
    dtype = op.dtype(0)
    if rank == 0:
        op.finish(op.make("Identity", op.input(0)))
        return
    if dtype == _T.BOOL:
        ones = op.make("Tile", op.const(np.ones([1] * rank, dtype=np.uint8)), op.input(1))
        op.finish(op.make("And", op.input(0), forms.cast(op, ones, _T.BOOL)))
        return
    op.require(dtype in _FACTORS, "numbers of this type have no product in older opsets")
    ones = op.make("Tile", op.const(np.ones([1] * rank), _T.FLOAT), op.input(1))
    op.finish(op.make("Mul", op.input(0), ones if dtype == _T.FLOAT else forms.cast(op, ones, dtype)))


def doubled(op: Op, op_type: str, axis: int, move: Callable[[Op, str, int, int, int], str]) -> None:
    """Finish a running sum or product along an axis: each of log2(n) steps joins twice as many elements.

    `move(op, value, axis, by, count)` gives the value moved, with neutral elements in the places that become free.
    """
    count = op.dims(0)[axis]
    if not isinstance(count, int):
        raise NoRewrite(f"the size of axis {axis} is not fixed")
    sign = -1 if op.attribute("reverse", 0) else 1
    result = move(op, op.input(0), axis, sign, count) if op.attribute("exclusive", 0) else op.input(0)
    step = 1
    while step < count:
        result = op.make(op_type, result, move(op, result, axis, sign * step, count))
        step *= 2
    op.finish(op.make("Identity", result) if result == op.input(0) else result)


def running_sum(op: Op) -> None:
    """CumSum by doubling: after k steps every element holds the sum of the 2**k elements up to it.

    log2(n) additions of the whole tensor for n elements on the axis.  Integers are exact, floats are added in another
    order.
    """
    rank = len(op.dims(0))
    axis = int(op.values(1, "its axis").reshape(-1)[0]) % rank
    doubled(op, "Add", axis, _moved)


def _moved(op: Op, value: str, axis: int, by: int, count: int) -> str:
    """The value moved along an axis, with zeros in the places that become free."""
    kept = max(count - abs(by), 0)
    start = 0 if by > 0 else count - kept
    rank, free = len(op.dims(0)), count - kept
    inside = forms.slices(op, value, [axis], [start], [start + kept])
    if op.dtype(0) in (_T.INT32, _T.INT64):  # older opsets pad floats only
        part = forms.slices(op, op.input(0), [axis], [0], [free])
        zeros = op.make("Mul", part, op.const(np.array(0), op.dtype(0)))
        return op.make("Concat", *((zeros, inside) if by > 0 else (inside, zeros)), axis=axis)
    pads = [0] * 2 * rank
    pads[axis if by > 0 else rank + axis] = free
    return forms.pad(op, inside, pads, 0.0, op.dtype(0))
