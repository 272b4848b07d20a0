"""Operators of com.microsoft that are older or looser forms of standard ones."""

from __future__ import annotations

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.microsoft_inverse import inverse
from onnxfix.decompose.op import Op


def microsoft_simple(op: Op) -> None:
    """BiasAdd, BiasDropout, CDist, ComplexMul(Conj), ExpandDims, GatedAdd, Inverse, SampleOp and UnfoldTensor."""
    _SIMPLE[op.node.op_type](op)


def microsoft_namesake(op: Op) -> None:
    """Trilu, GatherND and GridSample: the standard's operators of these names, of which they are early forms."""
    if op.node.op_type == "GridSample":
        op.finish(_grid_sample(op, op.attribute("mode", "bilinear"), op.attribute("padding_mode", "zeros")))
        return
    since = {"Trilu": 14, "GatherND": 11}[op.node.op_type]
    op.require(op.opset >= since, f"{op.node.op_type} needs opset {since}")
    upper = op.attribute("upper", 1) if op.node.op_type == "Trilu" else None
    op.finish(op.make(op.node.op_type, *op.node.input, upper=upper))


def microsoft_loose(op: Op) -> None:
    """Range and Pad, whose operands may have a needless axis."""
    (_range if op.node.op_type == "Range" else _pad)(op)


def _bias_add(op: Op) -> None:
    """BiasAdd: x + bias + residual.  BiasDropout (not training): the same with an optional residual."""
    if op.node.op_type == "BiasDropout":
        training = op.constant(4)
        op.require(not op.has(4) or (training is not None and not training.any()), "it trains")
        op.require(not op.reads(1), "the output of the mask is read")
    total = op.make("Add", op.input(0), op.input(1))
    op.finish(op.make("Add", total, op.input(2)) if op.has(2) else total)


def _sample_op(op: Op) -> None:
    """SampleOp hands its input on."""
    op.finish(op.make("Identity", op.input(0)))


def _gated_add(op: Op) -> None:
    """GatedAdd without a projection: x + y gate."""
    op.require(not op.has(3), "it projects the gate")
    op.finish(op.make("Add", op.input(0), op.make("Mul", op.input(1), op.input(2))))


def _expand_dims(op: Op) -> None:
    """ExpandDims: Unsqueeze at one constant axis."""
    axis = int(op.values(1, "the axis").reshape(-1)[0])
    op.finish(forms.unsqueeze(op, op.input(0), [axis if axis >= 0 else axis + len(op.dims(0)) + 1]))


def _range(op: Op) -> None:
    """com.microsoft Range: the bounds are scalars or have one element, and the step is 1 when it is absent."""
    op.require(op.opset >= 11, "Range needs opset 11")
    bounds = [_scalar(op, place) for place in range(2)]
    op.finish(op.make("Range", *bounds, _scalar(op, 2) if op.has(2) else op.like(0, 1)))


def _scalar(op: Op, place: int) -> str:
    return forms.squeeze(op, op.input(place), [0]) if len(op.dims(place)) == 1 else op.input(place)


def _pad(op: Op) -> None:
    """com.microsoft Pad: the pads may be a matrix of one row, the value a list of one number."""
    op.require(op.opset >= 11, "Pad with inputs needs opset 11")
    mode = op.attribute("mode", "constant")
    pads = op.input(1) if len(op.dims(1)) == 1 else forms.squeeze(op, op.input(1), [0])
    value = ""
    if mode == "constant" and op.has(2):
        value = _scalar(op, 2)
    op.finish(op.make("Pad", op.input(0), pads, value, mode=mode))


def _grid_sample(op: Op, mode: str, padding: str) -> str:
    """The standard's GridSample; `mode` is linear, cubic or nearest since opset 20, bilinear or bicubic before."""
    op.require(op.opset >= 16, "GridSample needs opset 16")
    op.require(mode == "nearest" or len(op.dims(0)) == 4, "the input does not have four axes")
    if op.opset >= 20:
        mode = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    align = int(op.attribute("align_corners", 0))
    inputs = op.input(0), op.input(1)
    return op.make("GridSample", *inputs, mode=mode, padding_mode=padding, align_corners=align)


def _unfold_tensor(op: Op) -> None:
    """UnfoldTensor: all slices of a size along an axis, the elements of a slice in a new last axis."""
    axis, size = int(op.attribute("dim", -1)), int(op.attribute("size"))
    rank = len(op.dims(0))
    axis %= rank
    length = op.dims(0)[axis]
    op.require(isinstance(length, int), "the size of the unfolded axis is not fixed")
    assert isinstance(length, int)
    starts = np.arange(0, length - size + 1, int(op.attribute("step", 1)), dtype=np.int64)
    op.require(starts.size > 0, "a slice is longer than the axis")
    gathered = op.make("Gather", op.input(0), op.const(starts[:, None] + np.arange(size)), axis=axis)
    order = [i for i in range(rank + 1) if i != axis + 1] + [axis + 1]
    op.finish(op.make("Transpose", gathered, perm=order))


def _distances(op: Op) -> None:
    """CDist of two matrices: euclidean or squared euclidean distances between their rows, computed by differences."""
    metric = op.attribute("metric", "sqeuclidean")
    op.require(metric in ("euclidean", "sqeuclidean"), f"the metric is {metric}")
    left, right = forms.unsqueeze(op, op.input(0), [1]), forms.unsqueeze(op, op.input(1), [0])
    difference = op.make("Sub", left, right)
    total = forms.reduce(op, "ReduceSum", op.make("Mul", difference, difference), [2], keepdims=False)
    op.finish(op.make("Sqrt", total) if metric == "euclidean" else total)


def _complex_mul(op: Op) -> None:
    """ComplexMul, ComplexMulConj: products of numbers whose parts lie in a last axis of two."""
    sizes = [op.dims(0), op.dims(1)]
    op.require(all(bool(dims) and dims[-1] == 2 for dims in sizes), "the last axis does not have the size two")
    (a, b), (c, d) = (forms.split(op, op.input(i), len(sizes[i]) - 1, [1, 1]) for i in range(2))
    ac, bd, ad, bc = (op.make("Mul", *pair) for pair in ((a, c), (b, d), (a, d), (b, c)))
    plain = op.node.op_type == "ComplexMul"
    real = op.make("Sub" if plain else "Add", ac, bd)
    imaginary = op.make("Add", ad, bc) if plain else op.make("Sub", bc, ad)
    op.finish(op.make("Concat", real, imaginary, axis=max(map(len, sizes)) - 1))


_SIMPLE = {
    "BiasAdd": _bias_add,
    "BiasDropout": _bias_add,
    "CDist": _distances,
    "ComplexMul": _complex_mul,
    "ComplexMulConj": _complex_mul,
    "ExpandDims": _expand_dims,
    "GatedAdd": _gated_add,
    "Inverse": inverse,
    "SampleOp": _sample_op,
    "UnfoldTensor": _unfold_tensor,
}
