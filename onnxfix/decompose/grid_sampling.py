"""GridSample of integers, which TensorRT's layer does not take."""

from __future__ import annotations

import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned

T = onnx.TensorProto
FLOAT = T.FLOAT
PARTS: dict[int, int] = {T.BOOL: 1, T.UINT8: 1, T.INT8: 1, T.INT16: 1, T.UINT16: 1, T.INT32: 2, T.INT64: 4}
"""How many floats hold an integer of each type exactly, 16 bits each."""


def grid_sample(op: Op) -> None:
    """Integers are sampled as floats, in parts of 16 bits that lie side by side as channels."""
    if op.dtype(0) not in PARTS:
        raise Unconcerned("GridSample of floats is taken")
    op.require(op.attribute("mode") == "nearest", "integers between samples have no exact float arithmetic")
    op.require(op.dtype(1) == FLOAT, "the grid is not float")
    count, channels = PARTS[op.dtype(0)], op.dims(0)[1]
    op.require(count == 1 or isinstance(channels, int), "the number of channels is not known")
    rest, parts = op.input(0), []
    base = op.like(0, 1 << 16) if count > 1 else ""
    for _ in range(count - 1):
        low = op.make("Mod", rest, base)  # not negative: it has the sign of the divisor
        parts.append(forms.cast(op, low, FLOAT))
        rest = op.make("Div", op.make("Sub", rest, low), base)
    parts.append(forms.cast(op, rest, FLOAT))
    value = op.make("Concat", *parts, axis=1) if count > 1 else parts[0]
    kept = {attribute.name: op.attribute(attribute.name) for attribute in op.node.attribute}
    value = op.make("GridSample", value, op.input(1), **kept)
    found = forms.split(op, value, 1, [int(channels or 0)] * count) if count > 1 else [value]
    result = forms.cast(op, found[-1], op.dtype(0))
    for part in reversed(found[:-1]):
        result = op.make("Add", op.make("Mul", result, base), forms.cast(op, part, op.dtype(0)))
    op.finish(result)
