"""What is computed from elements that a boolean mask selects, computed from all of them instead.

x[m] is NonZero, Transpose, GatherND (or NonZero, Squeeze, Gather).  Operators that treat each element, or each row,
by itself do not mind the others; the mask counts again where the elements are written back or reduced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op
from onnxfix.decompose.selection_reduced import Selection, reduced_value
from onnxfix.model.attributes import integer_of, integers_of
from onnxfix.model.scope import captured

_T = onnx.TensorProto
# fmt: off
_ELEMENTWISE = {
    "Abs", "Add", "And", "Cast", "Ceil", "Clip", "Cos", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu",
    "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Less",
    "LessOrEqual", "Log", "Max", "Min", "Mish", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal", "Relu", "Round",
    "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Sub", "Swish", "Tanh", "Where", "Xor",
}
# fmt: on
_FLOATS = {_T.FLOAT, _T.FLOAT16, _T.BFLOAT16, _T.DOUBLE}


class _Dense(NamedTuple):
    """A tensor of which the mask selects; `rank` is its own."""

    name: str
    rank: int


@dataclass
class _Region:
    """What is known of the values computed from NonZero's output: lists of places, and selected tensors."""

    op: Op
    places: str
    rows: set[str] = field(default_factory=set)
    vectors: set[str] = field(default_factory=set)
    dense: dict[str, _Dense] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    ends: list[tuple[str, str]] = field(default_factory=list)

    @property
    def width(self) -> int:
        """The rank of the mask."""
        return len(self.op.dims(0))

    def knows(self, name: str) -> bool:
        """Whether a value is computed from the places."""
        return name == self.places or name in self.rows or name in self.vectors or name in self.dense

    def mask(self, rank: int) -> str:
        """The mask with as many dimensions as the tensor that it selects of."""
        mask = forms.cast(self.op, self.op.input(0), _T.BOOL)
        behind = list(range(self.width, rank))
        return forms.unsqueeze(self.op, mask, behind) if behind else mask


def dense_selection(op: Op) -> bool:
    """Rewrite all that is computed from the places that this NonZero finds; False when some of it has no such form."""
    if not op.dims(0) or None in op.dims(0):
        return False
    region = _Region(op, op.node.output[0])
    for index, node in enumerate(op.scope.nodes):
        if any(region.knows(name) for name in captured(node)):
            return False
        if any(region.knows(name) for name in node.input):
            if node.domain or not _taken(region, node):
                return False
            region.done.append(index)
    unfinished = any(region.knows(name) for name in op.scope.outputs)
    read_elsewhere = any(
        index not in region.done for name in _names(region) for index, _ in op.scope.users.get(name, [])
    )
    if not region.ends or unfinished or read_elsewhere:
        return False
    for index in region.done:
        op.remove(index)
    for value, output in region.ends:
        op.bind(value, output)
    return True


def _names(region: _Region) -> set[str]:
    return {region.places, *region.rows, *region.vectors, *region.dense}


def _taken(region: _Region, node: onnx.NodeProto) -> bool:
    """Note what a node makes of the region; False when that is not known."""
    first = node.input[0]
    if first == region.places or first in region.rows or first in region.vectors:
        return _places(region, node)
    if node.op_type in ("GatherND", "Gather"):
        return _selected(region, node)
    if node.op_type == "ScatterND":
        return _written_back(region, node)
    if node.op_type.startswith("Reduce") and first in region.dense:
        return _reduced(region, node)
    return _row_by_row(region, node)


def _places(region: _Region, node: onnx.NodeProto) -> bool:
    """Places as rows of coordinates, or, of a mask with one dimension, as a vector."""
    first, output = node.input[0], node.output[0]
    perm = integers_of(node, "perm") or [1, 0]
    given = integers_of(node, "axes")
    constant = region.op.scope.array(node.input[1]) if len(node.input) > 1 else None
    numbers = given if constant is None else constant.reshape(-1).tolist()
    axis = integer_of(node, "axis")
    one = region.width == 1
    match node.op_type:
        case "Transpose" if first == region.places and perm == [1, 0]:
            region.rows.add(output)
        case "Unsqueeze" if first in region.vectors and numbers in ([1], [-1]):
            region.rows.add(output)
        case "Squeeze" if one and first == region.places and numbers in ([0], [-2]):
            region.vectors.add(output)
        case "Squeeze" if one and first in region.rows and numbers in ([1], [-1]):
            region.vectors.add(output)
        case "Reshape" if one and first not in region.vectors and numbers == [-1]:
            region.vectors.add(output)
        case "Gather" if one and first == region.places and numbers == [0] and axis == 0 and _is_scalar(constant):
            region.vectors.add(output)
        case _:
            return False
    return True


def _is_scalar(constant: object) -> bool:
    return isinstance(constant, np.ndarray) and constant.ndim == 0


def _selected(region: _Region, node: onnx.NodeProto) -> bool:
    attributes = {a.name: a.i for a in node.attribute}
    rows = node.op_type == "GatherND" and node.input[1] in region.rows and not attributes.get("batch_dims", 0)
    vector = node.op_type == "Gather" and node.input[1] in region.vectors and not attributes.get("axis", 0)
    if not (rows or vector) or not _covers(region, node.input[0]):
        return False
    region.dense[node.output[0]] = _Dense(node.input[0], len(region.op.scope.type_of(node.input[0]).dims or ()))
    return True


def _covers(region: _Region, data: str) -> bool:
    """Whether the mask is as large as the first axes of a tensor from outside."""
    dims = region.op.scope.type_of(data).dims
    return not region.knows(data) and dims is not None and dims[: region.width] == region.op.dims(0)


def _written_back(region: _Region, node: onnx.NodeProto) -> bool:
    """ScatterND at the places: Where, or with a reduction the data with only the selected elements changed."""
    data, places, updates = node.input[:3]
    if places not in region.rows or updates not in region.dense or not _covers(region, data):
        return False
    if any(a.name == "reduction" and a.s != b"none" for a in node.attribute):
        return False
    dense = region.dense[updates]
    mask = region.mask(dense.rank)
    region.ends.append((region.op.make("Where", mask, dense.name, data), node.output[0]))
    return dense.rank == len(region.op.scope.type_of(data).dims or ())


def _reduced(region: _Region, node: onnx.NodeProto) -> bool:
    dense = region.dense[node.input[0]]
    selection = Selection(dense.name, region.op.input(0), 0, region.width, dense.rank)
    value = reduced_value(region.op, node, selection, region.op.scope.type_of(node.input[0]).dtype)
    if value is not None:
        region.ends.append((value, node.output[0]))
    return value is not None


def _row_by_row(region: _Region, node: onnx.NodeProto) -> bool:
    """An operator on elements, or a product of rows with a matrix; other operands must not vary along the selection."""
    op = region.op
    inner = [region.dense[name] for name in node.input if name in region.dense]
    if not inner or len(node.output) != 1 or any(name in region.rows | region.vectors for name in node.input):
        return False
    rank = max(dense.rank for dense in inner)
    if any(dense.rank != rank for dense in inner):
        return False
    outer = [name for name in node.input if name and name not in region.dense]
    if node.op_type == "MatMul":
        fits = node.input[0] in region.dense and rank > region.width and _ranks(op, outer) == [2]
    else:
        whole = node.op_type == "Div" and op.scope.type_of(node.output[0]).dtype not in _FLOATS  # by zero, perhaps
        ranks = _ranks(op, outer)
        fits = node.op_type in _ELEMENTWISE and not whole and all(0 <= other <= rank - region.width for other in ranks)
    if not fits:
        return False
    inputs = [region.dense[name].name if name in region.dense else name for name in node.input]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    region.dense[node.output[0]] = _Dense(op.make(node.op_type, *inputs, **attributes), rank)
    return True


def _ranks(op: Op, names: Sequence[str]) -> list[int]:
    """The ranks of values; -1 where one is not known."""
    dims = [op.scope.type_of(name).dims for name in names]
    return [-1 if dim is None else len(dim) for dim in dims]
