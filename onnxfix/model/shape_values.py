"""What shape arithmetic computes, as far as it can be known before running.

`Shape -> Gather -> Unsqueeze -> Concat -> Reshape` chains (PyTorch's `x.view(x.size(0), -1)`) compute lists of sizes.
Each element here is a number, the name of a symbolic size, or None where it is unknown.
Sources: the ONNX operator specs of the operators in `_RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from onnxfix.model.attributes import integer_of, integers_of
from onnxfix.model.model import Array
from onnxfix.model.once import once
from onnxfix.model.operators import nodes_of
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD, Dim

MAX_ELEMENTS = 64
_INTEGERS = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)


@dataclass(frozen=True)
class Sizes:
    """A scalar (`rank` 0, one element) or a list (`rank` 1) of sizes; `dtype` is INT64 or INT32."""

    elements: tuple[Dim, ...]
    rank: int = 1
    dtype: int = onnx.TensorProto.INT64

    @property
    def known(self) -> bool:
        """Whether every element is a number."""
        return all(isinstance(element, int) for element in self.elements)

    def array(self) -> Array:
        """The numbers, when all are known."""
        values = np.array(self.elements, dtype=onnx.helper.tensor_dtype_to_np_dtype(self.dtype))
        return values.reshape(()) if self.rank == 0 else values


Known = dict[str, Sizes]
Inputs = list[Sizes | None]


@once
def shape_values(scope: Scope) -> Mapping[str, Sizes]:
    """The sizes that each value of the scope holds; values that hold none are absent."""
    known: Known = {}
    for index in nodes_of(scope, (("", operator) for operator in _RULES)):
        note_sizes(scope, scope.nodes[index], known)
    return known


def note_sizes(scope: Scope, node: onnx.NodeProto, known: Known) -> None:
    """Add what a node computes to `known`, which holds what the nodes before it compute."""
    evaluate = _RULES.get(node.op_type)
    if evaluate is None or node.domain not in STANDARD or len(node.output) != 1 or not node.input:
        return
    if any(attribute.ref_attr_name for attribute in node.attribute):
        return
    result = evaluate(scope, node, [sizes_of(scope, known, name) for name in node.input])
    if result is not None and len(result.elements) <= MAX_ELEMENTS:
        known[node.output[0]] = result


def sizes_of(scope: Scope, known: Known, name: str) -> Sizes | None:
    """The sizes of a value: computed ones, or those of an integer constant of rank 0 or 1."""
    if not name:
        return None
    if name in known:
        return known[name]
    stored = _stored(scope)
    if name not in stored:
        stored[name] = _of_constant(scope, name)
    return stored[name]


@once
def _stored(_: Scope) -> dict[str, Sizes | None]:
    """The sizes of constants that were asked for: many nodes read the same few."""
    return {}


def _of_constant(scope: Scope, name: str) -> Sizes | None:
    tensor = scope.constant(name)
    if tensor is None or tensor.data_type not in _INTEGERS or len(tensor.dims) > 1:
        return None
    if tensor.dims and tensor.dims[0] > MAX_ELEMENTS:
        return None
    return Sizes(tuple(scope.model.array(tensor).reshape(-1).tolist()), len(tensor.dims), tensor.data_type)


def _shape(scope: Scope, node: onnx.NodeProto, _: Inputs) -> Sizes | None:
    dims = scope.type_of(node.input[0]).dims
    if dims is None:
        return None
    attributes = {a.name: a.i for a in node.attribute}
    return Sizes(dims[attributes.get("start", 0) : attributes.get("end", len(dims))])


def _size(scope: Scope, node: onnx.NodeProto, _: Inputs) -> Sizes | None:
    kind = scope.type_of(node.input[0])
    if not kind.static or kind.dims is None:
        return None
    return Sizes((int(np.prod([d for d in kind.dims if isinstance(d, int)], dtype=np.int64)),), 0)


def _gather(_: Scope, node: onnx.NodeProto, inputs: Inputs) -> Sizes | None:
    data, indices = (*inputs, None)[:2]
    if data is None or indices is None or data.rank != 1 or integer_of(node, "axis", 0) not in (0, -1):
        return None
    places = [index for index in indices.elements if isinstance(index, int)]
    if not indices.known or any(not -len(data.elements) <= place < len(data.elements) for place in places):
        return None
    return Sizes(tuple(data.elements[place] for place in places), indices.rank, data.dtype)


def _slice(scope: Scope, node: onnx.NodeProto, inputs: Inputs) -> Sizes | None:
    data = inputs[0]
    if data is None or data.rank != 1:
        return None
    if scope.opset < 10:
        attributes = {a.name: tuple(a.ints) for a in node.attribute}
        bounds = [attributes.get("starts"), attributes.get("ends"), attributes.get("axes", (0,)), (1,)]
    else:
        given = [_numbers(sizes) for sizes in inputs[1:]]
        absent = [position >= len(node.input) or not node.input[position] for position in range(1, 5)]
        defaults = (None, None, (0,), (1,))
        bounds = [defaults[n] if absent[n] else given[n] for n in range(4)]
    if any(bound is None or len(bound) != 1 for bound in bounds):
        return None
    start, end, axis, step = (bound[0] for bound in bounds if bound)
    endless = step < 0 and end >= 2**31 - 1  # ONNX Runtime reads this as "to the first element"; the spec does not
    if axis not in (0, -1) or step == 0 or endless:
        return None
    return Sizes(tuple(data.elements[place] for place in sliced(len(data.elements), start, end, step)), 1, data.dtype)


def _numbers(sizes: Sizes | None) -> tuple[int, ...] | None:
    """The elements when all are numbers."""
    numbers = () if sizes is None else tuple(e for e in sizes.elements if isinstance(e, int))
    return numbers if sizes is not None and sizes.known else None


def sliced(length: int, start: int, end: int, step: int) -> range:
    """The places that an ONNX Slice takes; unlike Python's, a start before the first element means the first one."""
    start, end = (bound + length if bound < 0 else bound for bound in (start, end))
    if step > 0:
        return range(min(max(start, 0), length), min(max(end, 0), length), step)
    return range(min(max(start, 0), length - 1), min(max(end, -1), length - 1), step)


def _concat(_: Scope, __: onnx.NodeProto, inputs: Inputs) -> Sizes | None:
    parts = [part for part in inputs if part is not None and part.rank == 1]
    if len(parts) != len(inputs) or not parts:
        return None
    return Sizes(tuple(element for part in parts for element in part.elements), 1, parts[0].dtype)


def _unsqueeze(scope: Scope, node: onnx.NodeProto, inputs: Inputs) -> Sizes | None:
    data, axes = inputs[0], _axes(scope, node, inputs)
    if data is None or data.rank != 0 or axes is None or len(axes) != 1:
        return None
    return Sizes(data.elements, 1, data.dtype)


def _squeeze(scope: Scope, node: onnx.NodeProto, inputs: Inputs) -> Sizes | None:
    data, axes = inputs[0], _axes(scope, node, inputs)
    if data is None or data.rank != 1 or len(data.elements) != 1 or axes is None or len(axes) > 1:
        return None
    return Sizes(data.elements, 0, data.dtype)


def _axes(scope: Scope, node: onnx.NodeProto, inputs: Inputs) -> tuple[int, ...] | None:
    """The axes of Squeeze or Unsqueeze, () when there are none given; None when they are unknown."""
    if scope.opset < 13:
        return tuple(integers_of(node, "axes") or ())
    return _numbers(inputs[1]) if len(node.input) > 1 and node.input[1] else ()


def _reshape(_: Scope, __: onnx.NodeProto, inputs: Inputs) -> Sizes | None:
    data, shape = (*inputs, None)[:2]
    if data is None or shape is None or shape.rank != 1:
        return None
    if shape.elements == ():
        return Sizes(data.elements, 0, data.dtype) if len(data.elements) == 1 else None
    return Sizes(data.elements, 1, data.dtype) if shape.elements in ((-1,), (len(data.elements),)) else None


def _identity(_: Scope, __: onnx.NodeProto, inputs: Inputs) -> Sizes | None:
    return inputs[0]


def _cast(_: Scope, node: onnx.NodeProto, inputs: Inputs) -> Sizes | None:
    to = integer_of(node, "to", 0)
    data = inputs[0]
    if data is None or to not in _INTEGERS:
        return None
    fits = to == onnx.TensorProto.INT64 or all(not isinstance(e, int) or abs(e) < 2**31 for e in data.elements)
    return Sizes(data.elements, data.rank, to) if fits else None


def _arithmetic(compute: Callable[[int, int], int]) -> Callable[[Scope, onnx.NodeProto, Inputs], Sizes | None]:
    def evaluate(_: Scope, __: onnx.NodeProto, inputs: Inputs) -> Sizes | None:
        left, right = (*inputs, None)[:2]
        if left is None or right is None or left.dtype != right.dtype:
            return None
        lengths = {len(left.elements), len(right.elements)} - {1}  # one element goes with any number, none included
        if len(lengths) > 1:
            return None
        count = next(iter(lengths), 1)
        pairs = zip(_repeated(left, count), _repeated(right, count), strict=True)
        return Sizes(tuple(_computed(compute, a, b) for a, b in pairs), max(left.rank, right.rank), left.dtype)

    return evaluate


def _repeated(sizes: Sizes, count: int) -> tuple[Dim, ...]:
    return sizes.elements * count if len(sizes.elements) == 1 else sizes.elements


def _computed(compute: Callable[[int, int], int], left: Dim, right: Dim) -> Dim:
    if not isinstance(left, int) or not isinstance(right, int) or (compute is _divided and right == 0):
        return None
    result = compute(left, right)
    return result if abs(result) < 2**31 else None


def _divided(left: int, right: int) -> int:
    """ONNX Div on integers truncates towards zero."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


_RULES: dict[str, Callable[[Scope, onnx.NodeProto, Inputs], Sizes | None]] = {
    "Shape": _shape,
    "Size": _size,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Reshape": _reshape,
    "Identity": _identity,
    "Cast": _cast,
    "Add": _arithmetic(lambda a, b: a + b),
    "Sub": _arithmetic(lambda a, b: a - b),
    "Mul": _arithmetic(lambda a, b: a * b),
    "Div": _arithmetic(_divided),
}
