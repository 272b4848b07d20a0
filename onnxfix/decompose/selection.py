"""NonZero, Compress and Unique: how long their output is depends on values, which TensorRT-RTX does not know.

They can be rewritten where the values are known, and where what was selected is only reduced or counted.
"""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op
from onnxfix.decompose.selection_declared import coordinates
from onnxfix.decompose.selection_dense import dense_selection
from onnxfix.decompose.selection_reduced import Selection, reduce_selection
from onnxfix.decompose.selection_scattered import scatter_selection
from onnxfix.model.model import Array

_T = onnx.TensorProto
_DEPENDS = "the length of its output depends on the values of its input"


def non_zero(op: Op) -> None:
    """NonZero of known values or of a filled tensor; one that only counts, or selects for a reduction or a write."""
    values = op.constant(0)
    if values is not None:
        op.finish(op.const(_indices(values)))
    elif not (_of_filled(op) or _only_counted(op) or scatter_selection(op) or dense_selection(op)):
        raise NoRewrite(_DEPENDS)


def compress(op: Op) -> None:
    """Compress with a known condition is Gather; one that is only reduced is arithmetic with the condition."""
    axis = op.attribute("axis")
    flat = axis is None
    data = forms.reshape(op, op.input(0), [-1]) if flat else op.input(0)
    rank = 1 if flat else len(op.dims(0))
    place = 0 if flat else axis % rank
    condition = op.constant(1)
    if condition is not None:
        chosen = op.const(np.flatnonzero(condition.reshape(-1)).astype(np.int64))
        op.finish(op.make("Gather", data, chosen, axis=place))
        return
    op.require(_as_long(op, axis), "the condition is not a constant, and may be shorter than the axis")
    if not reduce_selection(op, op.node.output[0], Selection(data, op.input(1), place, 1, rank)):
        raise NoRewrite("the condition is not a constant, and the length of the output depends on it")


def unique(op: Op) -> None:
    """Unique of known values is folded; of others nobody knows how many there are."""
    raise NoRewrite(_DEPENDS.replace("its output", op.node.output[0] or "its output"))


def _as_long(op: Op, axis: int | None) -> bool:
    """Whether the condition has as many elements as the axis (a shorter one leaves out the rest)."""
    length = op.dims(1)[0]
    if axis is not None:
        return length is not None and length == op.dims(0)[axis]
    dims = op.dims(0)
    return isinstance(length, int) and all(isinstance(d, int) for d in dims) and length == np.prod(op.shape(0))


def _indices(values: Array) -> Array:
    found = np.nonzero(values) if values.ndim else ()
    return np.array(found, dtype=np.int64).reshape(values.ndim, -1)


def _of_filled(op: Op) -> bool:
    """NonZero of a tensor that has no zero lists every place: Range, split into coordinates."""
    rank = op.type(0).rank
    if not rank or op.opset < 11 or not _has_no_zero(op, op.input(0)):
        return False
    zero, one = (op.const(np.array(number, dtype=np.int64)) for number in (0, 1))
    shape = op.make("Shape", op.input(0))
    sizes = [op.make("Gather", shape, op.const(np.array(axis, dtype=np.int64)), axis=0) for axis in range(rank)]
    count = sizes[0]
    for size in sizes[1:]:
        count = op.make("Mul", count, size)
    op.finish(coordinates(op, op.make("Range", zero, count, one), shape, rank))
    return True


def _has_no_zero(op: Op, name: str) -> bool:
    """Whether a value is filled with something that is not zero: ConstantOfShape, or a constant that is expanded."""
    made = op.scope.producer.get(name)
    node = op.scope.nodes[made[0]] if made else None
    if node is None or node.domain:
        return False
    if node.op_type == "ConstantOfShape":
        value = next((onnx.numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"), np.zeros(1))
        return bool(value.reshape(-1)[0])
    constant = op.scope.array(node.input[0]) if node.op_type == "Expand" else None
    return constant is not None and bool(constant.size) and bool(constant.all())


def _only_counted(op: Op) -> bool:
    """Shape(NonZero(x)) is the rank and the number of elements that are not zero."""
    readers = op.scope.users.get(op.node.output[0], [])
    nodes = [op.scope.nodes[index] for index, position in readers if position == 0]
    if op.node.output[0] in op.scope.output_set or not nodes or len(nodes) != len(readers):
        return False
    if any(node.op_type != "Shape" or node.attribute for node in nodes):
        return False
    mask = forms.cast(op, forms.cast(op, op.input(0), _T.BOOL), _T.INT64)
    flat = forms.reshape(op, mask, [-1])
    counted = op.make("Concat", op.ints(len(op.dims(0))), forms.reduce(op, "ReduceSum", flat, [0]), axis=0)
    for index, _ in readers:
        op.remove(index)
    for node in nodes:
        op.bind(op.make("Identity", counted), node.output[0])
    return True
