"""The places where a mask is true, as many as the model declares: right for masks that always select that many.

Masked autoencoders and the like select a fixed share of their tokens; exporters then declare the number.
"""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned

_T = onnx.TensorProto


def declared_selection(op: Op) -> None:
    """NonZero and Compress of a mask that always has as many true elements as the model declares for the output."""
    op.require(op.opset >= 11, "there is no Range below opset 11")
    if op.node.op_type == "NonZero":
        places = _first_places(op, op.input(0), _declared(op, 1))
        op.finish(coordinates(op, places, op.make("Shape", op.input(0)), len(op.dims(0))))
        return
    axis = op.attribute("axis")
    data = forms.reshape(op, op.input(0), [-1]) if axis is None else op.input(0)
    place = 0 if axis is None else axis % len(op.dims(0))
    op.finish(op.make("Gather", data, _first_places(op, op.input(1), _declared(op, place)), axis=place))


def _declared(op: Op, axis: int) -> int:
    """The size of an axis of the output as the model declares it."""
    dims = op.scope.type_of(op.node.output[0]).dims
    dim = dims[axis] if dims is not None and axis < len(dims) else None
    if not isinstance(dim, int) or dim < 1:
        raise Unconcerned("the model does not declare how many elements are selected")
    return dim


def _first_places(op: Op, mask: str, count: int) -> str:
    """[count] int64: the first places in row-major order where a mask is true, in order."""
    flat = forms.reshape(op, forms.cast(op, mask, _T.BOOL), [-1])
    zero, one = (op.const(np.array(number, dtype=np.int64)) for number in (0, 1))
    total = op.make("Size", flat)
    order = op.make("Sub", total, op.make("Range", zero, total, one))  # the larger the earlier
    key = op.make("Where", flat, order, zero)
    return op.many("TopK", [key, op.ints(count)], 2, axis=0)[1]


def coordinates(op: Op, places: str, shape: str, rank: int) -> str:
    """[rank, count] int64: row-major places as coordinates in a tensor of that shape."""
    rows = []
    for axis in reversed(range(1, rank)):
        size = op.make("Gather", shape, op.const(np.array(axis, dtype=np.int64)), axis=0)
        rows.append(op.make("Mod", places, size))
        places = op.make("Div", places, size)
    lines = [forms.unsqueeze(op, row, [0]) for row in reversed([*rows, places])]
    return lines[0] if rank == 1 else op.make("Concat", *lines, axis=0)
