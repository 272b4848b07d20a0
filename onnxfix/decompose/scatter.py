"""ScatterND and ScatterElements with a reduction, for targets that only know the plain ones.

What one place receives is reduced first, by comparing every index with every other one (or with every place); equal
indices then write one and the same value, so the plain operator gives that value in whatever order it writes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.decompose.precision import narrowed, wide, widened
from onnxfix.model.model import Array

_T = onnx.TensorProto
_ELEMENTWISE = {"add": "Add", "mul": "Mul", "max": "Max", "min": "Min"}
_REDUCTION = {"add": "ReduceSum", "mul": "ReduceProd", "max": "ReduceMax", "min": "ReduceMin"}
_TYPES = {_T.FLOAT, _T.DOUBLE, _T.FLOAT16, _T.BFLOAT16, _T.INT32, _T.INT64}
_LARGE = 1 << 26
"""Elements of the table of all pairs that may be made without asking: 256 MiB of float32."""


def scatter_nd_reduction(op: Op) -> None:
    """ScatterND with a reduction: run-time indices are compared in pairs, which costs their number squared."""
    reduction = _reduction(op)
    rows = _known_rows(op)
    if rows is None:
        indices, updates = _by_pairs(op, reduction)
    elif _unique(rows):
        indices, updates = op.const(rows), widened(op, 2)
    else:
        indices, updates = _by_place(op, reduction, rows.reshape(-1, rows.shape[-1]))
    data = widened(op)
    result = op.make(_ELEMENTWISE[reduction], op.make("GatherND", data, indices), updates)
    op.finish(op.make("ScatterND", op.input(0), indices, narrowed(op, result)))


def _by_pairs(op: Op, reduction: str) -> tuple[str, str]:
    """The indices counted from the front, and for each of them what all equal ones write."""
    rank = len(op.dims(1))
    indices = _not_negative(op, op.input(1), _sizes_in_front(op))
    same = _same_rows(op, op.make("Flatten", indices, axis=rank - 1))
    updates = op.make("Flatten", widened(op, 2), axis=rank - 1)
    _mind(op, _count(op.dims(2)), _count(op.dims(1)[:-1]))
    total = _chosen(op, reduction, forms.unsqueeze(op, same, [2]), forms.unsqueeze(op, updates, [0]), 1)
    return indices, op.make("Reshape", total, op.make("Shape", op.input(2)))


def scatter_elements_reduction(op: Op) -> None:
    """ScatterElements with a reduction: indices along the axis are compared with each other, or with all places."""
    reduction = _reduction(op)
    axis = op.attribute("axis") % max(len(op.dims(0)), 1)
    op.require(len(op.dims(0)) < 8, "comparing its indices takes one dimension more than the 8 that TensorRT has")
    places, indices = op.dims(0)[axis], op.dims(1)[axis]
    few = isinstance(places, int) and isinstance(indices, int) and indices <= places
    result = _elements_by_pairs(op, reduction, axis) if few else _elements_by_place(op, reduction, axis)
    op.finish(narrowed(op, result))


def _elements_by_pairs(op: Op, reduction: str, axis: int) -> str:
    indices = _not_negative(op, op.input(1), _size_of(op, axis))
    pairs = op.make("Equal", forms.unsqueeze(op, indices, [axis + 1]), forms.unsqueeze(op, indices, [axis]))
    updates = forms.unsqueeze(op, widened(op, 2), [axis])
    total = _chosen(op, reduction, pairs, updates, axis + 1)
    _mind(op, _count(op.dims(1)), op.dims(1)[axis])
    data = widened(op)
    result = op.make(_ELEMENTWISE[reduction], op.make("GatherElements", data, indices, axis=axis), total)
    return op.make("ScatterElements", data, indices, result, axis=axis)


def _elements_by_place(op: Op, reduction: str, axis: int) -> str:
    """More indices than places, which TensorRT's own ScatterElements refuses: what each place receives is added up."""
    others = [(a, b) for number, (a, b) in enumerate(zip(op.dims(0), op.dims(1), strict=True)) if number != axis]
    reason = "there may be more indices than places, and they need not cover the other axes"
    op.require(all(a is not None and a == b for a, b in others), reason)
    size = _size_of(op, axis)
    indices = forms.unsqueeze(op, _not_negative(op, op.input(1), size), [axis])
    zero, one = (op.const(np.array(number), op.dtype(1)) for number in (0, 1))
    places = forms.reshape(op, op.make("Range", zero, size, one), [-1] + [1] * (len(op.dims(0)) - axis))
    updates = forms.unsqueeze(op, widened(op, 2), [axis])
    total = _chosen(op, reduction, op.make("Equal", places, indices), updates, axis + 1)
    _mind(op, _count(op.dims(1)), op.dims(0)[axis])
    return op.make(_ELEMENTWISE[reduction], widened(op), total)


def _reduction(op: Op) -> str:
    """The reduction, of numbers that can be reduced."""
    reduction = str(op.attribute("reduction", "none"))
    if reduction not in _ELEMENTWISE:
        raise Unconcerned("it has no reduction")
    op.require(op.dtype(0) in _TYPES, "numbers of this type are not added, multiplied or compared by TensorRT")
    return reduction


def _chosen(op: Op, reduction: str, pairs: str, updates: str, axis: int) -> str:
    """The reduction over `axis` of the updates whose pair is true."""
    neutral = op.const(_neutral(reduction, wide(op)))
    return forms.reduce(op, _REDUCTION[reduction], op.make("Where", pairs, updates, neutral), [axis], keepdims=False)


def _neutral(reduction: str, dtype: int) -> Array:
    """What leaves the other operand as it is."""
    kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(dtype))
    if reduction in ("add", "mul"):
        return np.array(int(reduction == "mul"), dtype=kind)
    if kind.kind == "f":
        return np.array(-np.inf if reduction == "max" else np.inf, dtype=kind)
    limits = np.iinfo(kind)
    return np.array(limits.min if reduction == "max" else limits.max, dtype=kind)


def _by_place(op: Op, reduction: str, rows: Array) -> tuple[str, str]:
    """Known indices of which some are equal: each place once, and what it receives, in the order of the updates."""
    places, inverse = np.unique(rows, axis=0, return_inverse=True)
    lists = [np.flatnonzero(inverse.reshape(-1) == place) for place in range(len(places))]
    nothing, longest = len(rows), max(map(len, lists))
    table = np.full((longest, len(places)), nothing)
    for place, positions in enumerate(lists):
        table[: len(positions), place] = positions
    behind = _numbers(op.dims(0)[rows.shape[-1] :])
    neutral = op.const(np.full((1, math.prod(behind)), _neutral(reduction, wide(op))))
    updates = op.make("Flatten", widened(op, 2), axis=len(op.dims(1)) - 1)
    gathered = op.make("Gather", op.make("Concat", updates, neutral, axis=0), op.const(table), axis=0)
    total = forms.reduce(op, _REDUCTION[reduction], gathered, [0], keepdims=False)
    return op.const(places), forms.reshape(op, total, [len(places), *behind])


def _known_rows(op: Op) -> Array | None:
    """Constant indices counted from the front; None when they, or the sizes that this needs, are not known."""
    rows, dims = op.constant(1), op.dims(0)
    if rows is None or not rows.size:
        return None
    width = rows.shape[-1]
    if len(_numbers(dims[width:])) < len(dims) - width:
        return None
    sizes = np.array([dim if isinstance(dim, int) else -1 for dim in dims[:width]], dtype=np.int64)
    if (rows.reshape(-1, width).min(axis=0) < 0)[sizes < 0].any():
        return None
    return np.where(rows < 0, rows + sizes, rows).astype(np.int64)


def _numbers(dims: Sequence[object]) -> list[int]:
    return [dim for dim in dims if isinstance(dim, int)]


def _same_rows(op: Op, table: str) -> str:
    """[n, n] bool: which rows of [n, k] numbers are equal."""
    width = op.dims(1)[-1]
    op.require(isinstance(width, int) and width > 0, "the length of an index is not known")
    columns = [op.make("Gather", table, op.const(np.array(k, dtype=np.int64)), axis=1) for k in range(int(width or 0))]
    pairs = [op.make("Equal", forms.unsqueeze(op, c, [1]), forms.unsqueeze(op, c, [0])) for c in columns]
    same = pairs[0]
    for pair in pairs[1:]:
        same = op.make("And", same, pair)
    return same


def _not_negative(op: Op, indices: str, sizes: str) -> str:
    """Indices from the end as indices from the front."""
    negative = op.make("Less", indices, op.const(np.array(0), op.dtype(1)))
    return op.make("Where", negative, op.make("Add", indices, sizes), indices)


def _sizes_in_front(op: Op) -> str:
    """The sizes of the axes that an index of ScatterND speaks of."""
    width = op.dims(1)[-1]
    op.require(isinstance(width, int), "the length of an index is not known")
    dims = op.dims(0)[: int(width or 0)]
    if all(isinstance(dim, int) for dim in dims):
        return op.ints(*(dim for dim in dims if isinstance(dim, int)))
    return forms.slices(op, op.make("Shape", op.input(0)), [0], [0], [len(dims)])


def _size_of(op: Op, axis: int) -> str:
    """The size of an axis in the type of the indices, as a scalar."""
    dim = op.dims(0)[axis]
    if isinstance(dim, int):
        return op.const(np.array(dim), op.dtype(1))
    at = op.const(np.array(axis, dtype=np.int64))
    found = op.make("Gather", op.make("Shape", op.input(0)), at, axis=0)
    return found if op.dtype(1) == _T.INT64 else forms.cast(op, found, op.dtype(1))


def _unique(rows: Array) -> bool:
    table = rows.reshape(-1, rows.shape[-1])
    return len(np.unique(table, axis=0)) == len(table)


def _count(dims: Sequence[object]) -> int | None:
    """How many elements; None when a size is not known."""
    known = _numbers(dims)
    return math.prod(known) if len(known) == len(dims) else None


def _mind(op: Op, elements: int | None, others: object) -> None:
    if isinstance(elements, int) and isinstance(others, int) and elements * others > _LARGE:
        op.unsafe = f"comparing the indices takes {elements} x {others} elements of memory"
