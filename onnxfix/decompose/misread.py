"""Operators that TensorRT takes and computes wrongly, written so that it cannot.

Seen by running the official ONNX node cases on a GPU (TensorRT-RTX 1.6.1, docs/gpu.md).
"""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.decompose.quantized import dequantize_linear, quantize_linear, quantized_type
from onnxfix.opset.expand import written_out

_T = onnx.TensorProto


def trilu_default(op: Op) -> None:
    """Trilu without `upper`, whose default is 1 (ONNX operator spec) and is taken for 0."""
    if any(attribute.name == "upper" for attribute in op.node.attribute):
        raise Unconcerned("upper is written")
    op.finish(op.make("Trilu", *op.node.input, upper=1))


def one_group(op: Op) -> None:
    """GroupNormalization with one group: mean and variance over all but the batch, in float (ONNX operator spec).

    Scale and bias are one for each group before opset 21, and one for each channel since.
    """
    if op.attribute("num_groups") != 1:
        raise Unconcerned("it has more than one group")
    kind, rank = op.dtype(0), len(op.dims(0))
    axes = range(1, rank)
    x = op.input(0) if kind == _T.FLOAT else forms.cast(op, op.input(0), _T.FLOAT)
    centred = op.make("Sub", x, forms.reduce(op, "ReduceMean", x, axes))
    variance = forms.reduce(op, "ReduceMean", op.make("Mul", centred, centred), axes)
    deviation = op.make("Sqrt", op.make("Add", variance, op.const(np.float32(op.attribute("epsilon")))))
    normal = op.make("Div", centred, deviation)
    normal = normal if kind == _T.FLOAT else forms.cast(op, normal, kind)
    scale, bias = (forms.reshape(op, op.input(place), [-1, *[1] * (rank - 2)]) for place in (1, 2))
    op.finish(op.make("Add", op.make("Mul", normal, scale), bias))


def unpadded_keys(op: Op) -> None:
    """Attention whose keys and values are padded to different lengths (the input nonpad_kv_seqlen, opset 24)."""
    if not op.has(6):
        raise Unconcerned("nonpad_kv_seqlen is not given")
    edit = written_out(op.scope, op.index, op.names)
    op.require(edit is not None, "the standard has no definition of it for these types")
    assert edit is not None
    for node in edit.insert:
        op.keep(node)


def columns_first(op: Op) -> None:
    """SpaceToDepth with `mode` CRD: the block's place comes after the channel, not before it."""
    if op.attribute("mode", "DCR") != "CRD":
        raise Unconcerned("its mode is DCR")
    size = op.attribute("blocksize")
    _, channels, height, width = op.dims(0)
    op.require(all(isinstance(dim, int) for dim in (channels, height, width)), "its sizes are not fixed")
    assert isinstance(channels, int) and isinstance(height, int) and isinstance(width, int)
    blocks = forms.reshape(op, op.input(0), [0, channels, height // size, size, width // size, size])
    moved = op.make("Transpose", blocks, perm=[0, 1, 3, 5, 2, 4])
    op.finish(forms.reshape(op, moved, [0, channels * size * size, height // size, width // size]))


def zero_at_zero(op: Op) -> bool:
    """Whether the zero point is left out or 0; any other is refused, which other rules repair."""
    zero = op.constant(2)
    return not op.has(2) or (zero is not None and not zero.any())


def quantize_unsigned(op: Op) -> None:
    """QuantizeLinear to uint8, which the engine computes as int8: everything above 127 is cut off."""
    if quantized_type(op) != _T.UINT8 or not zero_at_zero(op):
        raise Unconcerned("it does not make uint8 around 0")
    quantize_linear(op)


def dequantize_unsigned(op: Op) -> None:
    """DequantizeLinear from uint8, which the engine computes as int8."""
    if op.dtype(0) != _T.UINT8 or not zero_at_zero(op):
        raise Unconcerned("it does not read uint8 around 0")
    dequantize_linear(op)
