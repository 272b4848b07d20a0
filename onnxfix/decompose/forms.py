"""Operators whose form changed between opsets, written as the opset of the model wants them (ONNX changelog)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxfix.decompose.op import Op

_REDUCE_AXES_INPUT = {"ReduceSum": 13}
"""Since 18 the axes of the other reductions are an input too."""


def cast(op: Op, value: str, dtype: int) -> str:
    """Cast; the element type is an onnx.TensorProto.DataType."""
    return op.make("Cast", value, to=dtype)


def unsqueeze(op: Op, value: str, axes: Sequence[int]) -> str:
    """Unsqueeze: axes are an input since opset 13."""
    if op.opset >= 13:
        return op.make("Unsqueeze", value, op.ints(*axes))
    return op.make("Unsqueeze", value, axes=list(axes))


def squeeze(op: Op, value: str, axes: Sequence[int]) -> str:
    """Squeeze: axes are an input since opset 13."""
    if op.opset >= 13:
        return op.make("Squeeze", value, op.ints(*axes))
    return op.make("Squeeze", value, axes=list(axes))


def reduce(op: Op, op_type: str, value: str, axes: Sequence[int], *, keepdims: bool = True) -> str:
    """A reduction over known axes (not empty): an input since opset 13 for ReduceSum, since 18 for the others."""
    if op.opset >= _REDUCE_AXES_INPUT.get(op_type, 18):
        return op.make(op_type, value, op.ints(*axes), keepdims=int(keepdims))
    return op.make(op_type, value, axes=list(axes), keepdims=int(keepdims))


def slices(
    op: Op,
    value: str,
    axes: Sequence[int],
    starts: Sequence[int],
    ends: Sequence[int],
    steps: Sequence[int] | None = None,
) -> str:
    """Slice with known bounds: attributes below opset 10, where there are no steps."""
    if op.opset >= 10:
        inputs = [value, op.ints(*starts), op.ints(*ends), op.ints(*axes)]
        return op.make("Slice", *inputs, *([op.ints(*steps)] if steps else []))
    op.require(not steps or all(step == 1 for step in steps), "Slice has no steps below opset 10")
    return op.make("Slice", value, axes=list(axes), starts=list(starts), ends=list(ends))


def split(op: Op, value: str, axis: int, sizes: Sequence[int]) -> list[str]:
    """Split into known sizes: an input since opset 13."""
    if op.opset >= 13:
        return op.many("Split", [value, op.ints(*sizes)], len(sizes), axis=axis)
    return op.many("Split", [value], len(sizes), axis=axis, split=list(sizes))


def pad(op: Op, value: str, pads: Sequence[int], constant: float = 0.0, dtype: int = 1) -> str:
    """Pad with a constant, `pads` as ONNX orders them: inputs since opset 11."""
    if op.opset >= 11:
        return op.make("Pad", value, op.ints(*pads), op.const(np.array(constant), dtype), mode="constant")
    return op.make("Pad", value, pads=list(pads), value=float(constant), mode="constant")


def clip(op: Op, value: str, low: float | None, high: float | None, dtype: int = 1) -> str:
    """Clip between known bounds: inputs since opset 11, attributes before."""
    if op.opset >= 11:
        bounds = ["" if bound is None else op.const(np.array(bound), dtype) for bound in (low, high)]
        return op.make("Clip", value, *bounds)
    low, high = (None if bound is None else float(bound) for bound in (low, high))
    return op.make("Clip", value, min=low, max=high)


def round_even(op: Op, value: str) -> str:
    """Round of a float, ties to even: an operator since opset 11, arithmetic on the fraction before."""
    if op.opset >= 11:
        return op.make("Round", value)
    half, one, two = (op.const(np.float32(number)) for number in (0.5, 1, 2))
    floor = op.make("Floor", value)
    rest = op.make("Sub", value, floor)
    odd = op.make(
        "Greater",
        op.make("Sub", op.make("Div", floor, two), op.make("Floor", op.make("Div", floor, two))),
        op.const(np.float32(0.25)),
    )
    tie = op.make("Not", op.make("Or", op.make("Less", rest, half), op.make("Greater", rest, half)))
    up = op.make("Or", op.make("Greater", rest, half), op.make("And", tie, odd))
    return op.make("Where", up, op.make("Add", floor, one), floor)


def reshape(op: Op, value: str, shape: Sequence[int]) -> str:
    """Reshape to a known shape; 0 copies a size and -1 is inferred."""
    return op.make("Reshape", value, op.ints(*shape))


def softmax(op: Op, value: str, axis: int, rank: int) -> str:
    """Softmax over one axis.  Below opset 13 it flattens all axes behind `axis`, so the axis is moved to the end."""
    place = axis % rank
    if op.opset >= 13 or place == rank - 1:
        return op.make("Softmax", value, axis=place)
    order = [*(i for i in range(rank) if i != place), place]
    back = [order.index(i) for i in range(rank)]
    moved = op.make("Transpose", value, perm=order)
    return op.make("Transpose", op.make("Softmax", moved, axis=rank - 1), perm=back)
