"""Layer normalizations of com.microsoft, with residuals and all outputs, computed in float as ONNX Runtime does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op

FLOAT, DOUBLE = 1, 11


def skip_layer_norm(op: Op) -> None:
    """SkipLayerNormalization: (x + skip + bias) normalized over the last axis; outputs y, mean, 1/deviation, sum."""
    dtype, last = op.dtype(0), len(op.dims(0)) - 1
    total = _summed(op, op.input(4))
    wide = _widened(op, total, dtype)
    mean, inverse, normal = normalized(op, wide, [last], _epsilon(op, 1e-12), centred=True, inverse=op.reads(2))
    scaled = _affine(op, normal, op.input(2), op.input(3), dtype)
    _finish(op, [_back(op, scaled, dtype), mean, inverse, total])


def skip_simplified_layer_norm(op: Op) -> None:
    """SkipSimplifiedLayerNormalization: as above without a mean; the second output is never computed."""
    dtype, last = op.dtype(0), len(op.dims(0)) - 1
    op.require(not op.reads(1), "the output of the mean is read, which the operator does not define")
    total = _summed(op, op.input(3))
    wide = _widened(op, total, dtype)
    _, inverse, normal = normalized(op, wide, [last], _epsilon(op, 1e-12), centred=False, inverse=op.reads(2))
    scaled = _affine(op, normal, op.input(2), "", dtype)
    _finish(op, [_back(op, scaled, dtype), "", inverse, total])


def simplified_layer_norm(op: Op) -> None:
    """SimplifiedLayerNormalization (RMS): x / sqrt(mean(x x) + epsilon), times the scale; outputs y, 1/deviation."""
    dtype, rank = op.dtype(0), len(op.dims(0))
    first = int(op.attribute("axis", -1)) % rank
    wide = _widened(op, op.input(0), dtype)
    _, inverse, normal = normalized(
        op, wide, range(first, rank), _epsilon(op, 1e-5), centred=False, inverse=op.reads(1)
    )
    scaled = _affine(op, normal, op.input(1), "", dtype, op.dtype(1))
    _finish(op, [_back(op, scaled, op.dtype(1)), inverse])


def early_layer_norm(op: Op) -> None:
    """LayerNormalization in a model whose opset (below 17) does not have it yet; outputs y, mean, 1/deviation."""
    dtype, rank = op.dtype(0), len(op.dims(0))
    first = int(op.attribute("axis", -1)) % rank
    wide = _widened(op, op.input(0), dtype)
    mean, inverse, normal = normalized(
        op, wide, range(first, rank), _epsilon(op, 1e-5), centred=True, inverse=op.reads(2)
    )
    scaled = _affine(op, normal, op.input(1), op.input(2), dtype)
    _finish(op, [_back(op, scaled, dtype), mean, inverse])


def normalized(
    op: Op, x: str, axes: Sequence[int], epsilon: float, *, centred: bool, inverse: bool = False
) -> tuple[str, str, str]:
    """(mean, 1 / sqrt(variance + epsilon), normalized x) of a value of the node's type or of float.

    Without `centred` nothing is subtracted and the mean is ""; without `inverse` the second is "".
    """
    dtype = DOUBLE if op.dtype(0) == DOUBLE else FLOAT
    mean = forms.reduce(op, "ReduceMean", x, axes) if centred else ""
    difference = op.make("Sub", x, mean) if centred else x
    variance = forms.reduce(op, "ReduceMean", op.make("Mul", difference, difference), axes)
    deviation = op.make("Sqrt", op.make("Add", variance, op.const(np.array(epsilon), dtype)))
    reciprocal = op.make("Reciprocal", deviation) if inverse else ""
    return mean, reciprocal, op.make("Div", difference, deviation)


def microsoft_group_norm(op: Op) -> None:
    """GroupNorm, SkipGroupNorm: groups of channels normalized, then scale, bias and perhaps SiLU.

    Outputs y and, of SkipGroupNorm, x + skip + bias.
    """
    dtype, dims = op.dtype(0), op.dims(0)
    op.require(len(dims) == 4, "the input does not have four axes")
    channels = next((op.dims(i)[0] for i in (1, 2) if op.dims(i)), None)
    groups, last = int(op.attribute("groups")), bool(op.attribute("channels_last", 1))
    op.require(isinstance(channels, int), "the number of channels is not fixed")
    total = _with_skip(op) if op.node.op_type == "SkipGroupNorm" else op.input(0)
    wide = _widened(op, total, dtype)
    first = op.make("Transpose", wide, perm=[0, 3, 1, 2]) if last else wide
    flat = forms.reshape(op, first, [0, groups, -1])
    _, _, normal = normalized(op, flat, [2], _epsilon(op, 1e-5), centred=True)
    shaped = op.make("Reshape", normal, op.make("Shape", first))
    weights = [_widened(op, forms.unsqueeze(op, op.input(place), [1, 2]), op.dtype(place)) for place in (1, 2)]
    value = op.make("Add", op.make("Mul", shaped, weights[0]), weights[1])
    if op.attribute("activation"):
        value = op.make("Mul", value, op.make("Sigmoid", value))
    value = op.make("Transpose", value, perm=[0, 2, 3, 1]) if last else value
    _finish(op, [_back(op, value, dtype), total])


def _with_skip(op: Op) -> str:
    rank = len(op.dims(3))
    op.require(rank in (2, 4), "the skip input has neither two nor four axes")
    op.require(bool(op.attribute("channels_last", 1)) or rank == 4, "a skip of two axes needs the channels last")
    skip = op.input(3) if rank == 4 else forms.unsqueeze(op, op.input(3), [1, 2])
    total = op.make("Add", op.input(0), skip)
    return op.make("Add", total, op.input(4)) if op.has(4) else total


def _summed(op: Op, bias: str) -> str:
    """x + skip + bias in the model's own type."""
    total = op.make("Add", op.input(0), op.input(1))
    return op.make("Add", total, bias) if bias else total


def _epsilon(op: Op, default: float) -> float:
    return float(op.attribute("epsilon", default))


def _widened(op: Op, value: str, dtype: int) -> str:
    return value if dtype in (FLOAT, DOUBLE) else forms.cast(op, value, FLOAT)


def _back(op: Op, value: str, dtype: int) -> str:
    return value if dtype in (FLOAT, DOUBLE) else forms.cast(op, value, dtype)


def _affine(op: Op, normal: str, scale: str, bias: str, dtype: int, of_scale: int | None = None) -> str:
    """Scale and bias, in float."""
    kind = dtype if of_scale is None else of_scale
    value = op.make("Mul", normal, _widened(op, scale, kind))
    return op.make("Add", value, _widened(op, bias, kind)) if bias else value


def _finish(op: Op, values: list[str]) -> None:
    """Bind the outputs that are read; the sum may be an input of the node itself."""
    op.finish(*(value if place == 0 or op.reads(place) else "" for place, value in enumerate(values)))
