"""Elements that a mask selects and a reduction then joins: the same reduction with the others made neutral."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op
from onnxfix.model.attributes import integer_of, integers_of
from onnxfix.model.model import Array

_T = onnx.TensorProto
_NEUTRAL = {"ReduceSum": 0.0, "ReduceL1": 0.0, "ReduceL2": 0.0, "ReduceSumSquare": 0.0, "ReduceProd": 1.0}
_EXTREMES = {"ReduceMax": -1, "ReduceMin": 1}
_FLOATS = {_T.FLOAT, _T.FLOAT16, _T.BFLOAT16, _T.DOUBLE}


@dataclass(frozen=True)
class Selection:
    """`data` [.., mask's sizes, ..], whose axes from `axis` on a mask of rank `width` selects; `rank` is data's."""

    data: str
    mask: str
    axis: int
    width: int
    rank: int


def reduce_selection(op: Op, selected: str, selection: Selection) -> bool:
    """Rewrite the one reduction that reads the selected elements, over the selected axis and perhaps others.

    False when something else reads them, or the reduction leaves the selected axis.
    """
    readers = op.scope.users.get(selected, [])
    if len(readers) != 1 or readers[0][1] != 0 or selected in op.scope.output_set:
        return False
    node = op.scope.nodes[readers[0][0]]
    value = reduced_value(op, node, selection, op.scope.type_of(selected).dtype)
    if value is None:
        return False
    op.remove(readers[0][0])
    op.bind(value, node.output[0])
    return True


def reduced_value(op: Op, node: onnx.NodeProto, selection: Selection, dtype: int) -> str | None:
    """What a reduction makes of the selected elements, whose element type is `dtype`; None when it has no such form."""
    if node.domain or not (node.op_type in _NEUTRAL or node.op_type in _EXTREMES or node.op_type == "ReduceMean"):
        return None
    if not dtype or (node.op_type == "ReduceMean" and dtype not in _FLOATS):
        return None
    axes = _axes(op, node, selection)
    keep = bool(integer_of(node, "keepdims", 1))
    if axes is None or (keep and selection.width > 1):
        return None
    return _reduced(op, node.op_type, selection, axes, keep, dtype)


def _reduced(op: Op, op_type: str, selection: Selection, axes: list[int], keep: bool, dtype: int) -> str:
    mask = forms.cast(op, selection.mask, _T.BOOL)
    around = [*range(selection.axis), *range(selection.axis + selection.width, selection.rank)]
    mask = forms.unsqueeze(op, mask, around) if around else mask
    simple = "ReduceSum" if op_type == "ReduceMean" else op_type
    kept = op.make("Where", mask, selection.data, op.const(_neutral(simple, dtype)))
    result = forms.reduce(op, simple, kept, axes, keepdims=keep)
    if op_type != "ReduceMean":
        return result
    ones = op.make("Where", mask, op.const(np.array(1), dtype), op.const(np.array(0), dtype))
    every = op.make("Expand", ones, op.make("Shape", selection.data))
    return op.make("Div", result, forms.reduce(op, "ReduceSum", every, axes, keepdims=keep))


def _neutral(op_type: str, dtype: int) -> Array:
    kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(dtype))
    if op_type in _NEUTRAL:
        return np.array(_NEUTRAL[op_type]).astype(kind)
    sign = _EXTREMES[op_type]
    if dtype in _FLOATS:
        return np.array(sign * np.inf).astype(kind)
    limits = np.iinfo(kind)
    return np.array(limits.min if sign < 0 else limits.max, dtype=kind)


def _axes(op: Op, node: onnx.NodeProto, selection: Selection) -> list[int] | None:
    """The axes of `data` that are reduced, with all that the mask selects; None when the selected axis stays."""
    given = integers_of(node, "axes")
    if len(node.input) > 1 and node.input[1]:
        array = op.scope.array(node.input[1])
        if array is None:
            return None
        given = [int(axis) for axis in array.reshape(-1)]
    left = selection.rank - selection.width + 1
    if not given:
        noop = integer_of(node, "noop_with_empty_axes")
        given = None if noop else list(range(left))
    axes = sorted({axis % left for axis in given}) if given else []
    if selection.axis not in axes:
        return None
    chosen = range(selection.axis, selection.axis + selection.width)
    moved = [axis if axis < selection.axis else axis + selection.width - 1 for axis in axes if axis != selection.axis]
    return sorted([*chosen, *moved])
