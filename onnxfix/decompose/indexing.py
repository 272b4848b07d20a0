"""Selecting by index: TopK, OneHot, EyeLike, ArgMax and Slice."""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.decompose.sizes import size
from onnxfix.model.declared import axes_choices, declared_dims

_T = onnx.TensorProto
MOST = 3840
"""The largest K that TensorRT's ITopKLayer takes."""
_ROUNDS = 32
_FLOATS = {_T.FLOAT, _T.DOUBLE}
_CHOICES = 6


def large_top_k(op: Op) -> None:
    """TopK of more than 3,840 in rounds: each takes 3,840, and what it has not taken goes on in its old order."""
    op.require(op.opset >= 11, "TopK is rewritten from opset 11 on")
    count = int(op.values(1, "K").item())
    if count <= MOST:
        raise Unconcerned("K is small")
    axis = op.attribute("axis") % len(op.dims(0))
    if not op.attribute("sorted"):
        op.unsafe = "sorted = 0 leaves the order open, and it may differ"
    elif count > _ROUNDS * MOST:
        op.unsafe = f"it takes {-(-count // MOST)} rounds of TopK"
    rest, places = op.input(0), ""
    found: list[tuple[str, str]] = []
    for done in range(0, count, MOST):
        wanted = op.ints(min(MOST, count - done))
        values, local = op.many("TopK", [rest, wanted], 2, axis=axis, largest=op.attribute("largest"))
        found.append((values, op.make("GatherElements", places, local, axis=axis) if places else local))
        if done + MOST < count:
            left = _left(op, rest, local, axis)
            rest = op.make("GatherElements", rest, left, axis=axis)
            places = op.make("GatherElements", places, left, axis=axis) if places else left
    op.finish(*(op.make("Concat", *parts, axis=axis) for parts in zip(*found, strict=True)))


def _left(op: Op, data: str, taken: str, axis: int) -> str:
    """The places along the axis that were not taken, in order: a stable partition, of which the front is kept."""
    one, zero = (op.const(np.array(number, dtype=np.int64)) for number in (1, 0))
    shape = op.make("Shape", data)
    where = op.const(np.array([axis], dtype=np.int64))
    kept = op.make("Expand", one, shape)
    kept = op.make("ScatterElements", kept, taken, op.make("Expand", zero, op.make("Shape", taken)), axis=axis)
    gone = op.make("Sub", one, kept)
    along = op.const(np.array(axis, dtype=np.int64))
    before = op.make("CumSum", kept, along, exclusive=1)
    length = op.make("Sub", op.make("Gather", shape, where, axis=0), op.ints(MOST))
    behind = op.make("Add", op.make("CumSum", gone, along, exclusive=1), length)
    target = op.make("Where", forms.cast(op, kept, _T.BOOL), before, behind)
    every = op.make("CumSum", op.make("Expand", one, shape), along, exclusive=1)
    ordered = op.make("ScatterElements", every, target, every, axis=axis)
    return op.make("Slice", ordered, op.ints(0), length, where)


def one_hot(op: Op) -> None:
    """OneHot with a depth that is known only when running: places are compared with a Range."""
    op.require(op.opset >= 11, "there is no Range below opset 11")
    rank = len(op.dims(0))
    axis = op.attribute("axis") % (rank + 1)
    declared = (op.scope.type_of(op.node.output[0]).dims or {axis: None})[axis]
    whole = op.dtype(1) in (_T.INT32, _T.INT64)
    zero, one = (op.const(np.array(number, dtype=np.int64)) for number in (0, 1))
    if isinstance(declared, int) and not whole:  # a float cannot be a size in TensorRT; the model declares the size
        depth, places = op.const(np.array(declared, dtype=np.int64)), op.const(np.arange(declared, dtype=np.int64))
    else:
        depth = op.make("Squeeze", op.input(1)) if op.dims(1) else op.input(1)
        depth = depth if op.dtype(1) == _T.INT64 else forms.cast(op, depth, _T.INT64)
        places = op.make("Range", zero, depth, one)
    indices = op.input(0) if op.dtype(0) == _T.INT64 else forms.cast(op, op.input(0), _T.INT64)
    indices = op.make("Where", op.make("Less", indices, zero), op.make("Add", indices, depth), indices)
    hot = op.make(
        "Equal",
        forms.unsqueeze(op, indices, [axis]),
        forms.reshape(op, places, [-1 if a == axis else 1 for a in range(rank + 1)]),
    )
    off, on = (op.make("Gather", op.input(2), number, axis=0) for number in (zero, one))
    op.finish(op.make("Where", hot, on, off))


def eye_like(op: Op) -> None:
    """EyeLike of a tensor whose sizes are known only when running: two Ranges are compared."""
    op.require(op.opset >= 11, "there is no Range below opset 11")
    dtype = op.attribute("dtype") or op.dtype(0)
    zero, one = (op.const(np.array(number, dtype=np.int64)) for number in (0, 1))
    rows, columns = (op.make("Range", zero, forms.squeeze(op, size(op, 0, axis), [0]), one) for axis in (0, 1))
    offset = op.attribute("k", 0)
    if offset:
        rows = op.make("Add", rows, op.const(np.array(offset, dtype=np.int64)))
    same = op.make("Equal", forms.unsqueeze(op, rows, [1]), forms.unsqueeze(op, columns, [0]))
    op.finish(same if dtype == _T.BOOL else forms.cast(op, same, dtype))


def declared_axes(op: Op) -> None:
    """Squeeze, Unsqueeze and reductions with run-time axes: every choice that fits the declared shapes is computed."""
    if not op.has(1) or op.constant(1) is not None:
        raise Unconcerned("its axes are known")
    choices = axes_choices(op.scope, op.node)
    if op.node.op_type in ("Squeeze", "Unsqueeze"):
        choices = choices[:1]  # any of them is the same reshape
    elif op.dims(1) == (0,) and not op.attribute("noop_with_empty_axes", 0):
        choices = [tuple(range(len(op.dims(0))))]
    reason = "its axes are not constant, and the shapes that the model declares do not tell them"
    op.require(0 < len(choices) <= _CHOICES, reason)
    kept = {a.name: op.attribute(a.name) for a in op.node.attribute}
    results = [op.make(op.node.op_type, op.input(0), op.ints(*axes), **kept) for axes in choices]
    result = results[0]
    for axes, other in zip(choices[1:], results[1:], strict=True):
        result = op.make("Where", _asked_for(op, axes), other, result)
    op.finish(result)


def _asked_for(op: Op, axes: tuple[int, ...]) -> str:
    """Whether the run-time axes, in any order and counted from either end, are these."""
    rank = len(op.dims(0))
    powers = op.const(np.tile(2 ** np.arange(rank, dtype=np.int64), 2))  # an axis from the end is one from the front
    places = op.make("Add", op.input(1), op.const(np.array(rank), op.dtype(1)))
    total = forms.reduce(op, "ReduceSum", op.make("Gather", powers, places, axis=0), [0], keepdims=False)
    return op.make("Equal", total, op.const(np.array(sum(2**axis for axis in axes), dtype=np.int64)))


def vector_argument(op: Op) -> None:
    """ArgMax and ArgMin of a vector, which TensorRT only does from two dimensions on."""
    if len(op.dims(0)) != 1:
        raise Unconcerned("its input is no vector")
    last = op.attribute("select_last_index", 0) or None  # the attribute is there since opset 12
    row = forms.unsqueeze(op, op.input(0), [0])
    found = op.make(op.node.op_type, row, axis=1, keepdims=op.attribute("keepdims"), select_last_index=last)
    op.finish(forms.squeeze(op, found, [0]))


def plain_slice(op: Op) -> None:
    """Slice with its axes and steps written out, all int64."""
    if op.opset < 10 or _written_out(op):
        raise Unconcerned("its bounds, axes and steps are there")
    length = op.dims(1)[0]
    op.require(isinstance(length, int), "the number of starts is not known")
    bounds = [_int64(op, position) for position in (1, 2)]
    count = length if isinstance(length, int) else 0
    axes = _int64(op, 3) if op.has(3) else op.ints(*range(count))
    steps = _int64(op, 4) if op.has(4) else op.ints(*[1] * count)
    op.finish(op.make("Slice", op.input(0), *bounds, axes, steps))


def _written_out(op: Op) -> bool:
    return op.has(3) and op.has(4) and all(op.dtype(place) == _T.INT64 for place in range(1, 5))


def _int64(op: Op, position: int) -> str:
    if op.dtype(position) == _T.INT64:
        return op.input(position)
    values = op.constant(position)
    return forms.cast(op, op.input(position), _T.INT64) if values is None else op.const(values.astype(np.int64))


def any_axis(op: Op) -> None:
    """CumSum and CumProd along an axis that is known only when running: along every axis, and the right one counts."""
    rank = len(op.dims(0))
    if op.constant(1) is not None or rank < 2:
        raise Unconcerned("its axis is known")
    kept = {name: op.attribute(name) for name in ("exclusive", "reverse")}
    axes = [op.const(np.array(axis, dtype=np.int64)) for axis in range(rank)]
    results = [op.make(op.node.op_type, op.input(0), axis, **kept) for axis in axes]
    asked = forms.reshape(op, op.input(1), [1] * rank)
    result = results[0]
    for axis in range(1, rank):
        same = [op.make("Equal", asked, op.const(np.array(number), op.dtype(1))) for number in (axis, axis - rank)]
        result = op.make("Where", op.make("Or", *same), results[axis], result)
    op.finish(result)


def declared_range(op: Op) -> None:
    """Range of floats that are known only when running, when the model declares how many there are."""
    dims = declared_dims(op.scope, op.node.output[0])
    count = dims[0] if dims else None
    if op.dtype(0) not in _FLOATS or all(op.constant(position) is not None for position in range(3)):
        raise Unconcerned("its numbers are whole or constant")
    op.require(isinstance(count, int), "how many numbers there are depends on floats that are not constant")
    steps = op.const(np.arange(count or 0), op.dtype(0))
    op.finish(op.make("Add", op.input(0), op.make("Mul", steps, op.input(2))))
