"""Normalisations in the forms that compute statistics of the batch, and Dropout."""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned

_FLOAT, _BOOL = int(onnx.TensorProto.FLOAT), int(onnx.TensorProto.BOOL)
_HALF = (int(onnx.TensorProto.FLOAT16), int(onnx.TensorProto.BFLOAT16))


def training_batch_normalization(op: Op) -> None:
    """BatchNormalization with the mean and the (biased) variance of the batch, over all axes but axis 1.

    Training is what training_mode=1 says since opset 14, and what all five outputs mean before.  The running values
    are input * momentum + batch * (1 - momentum).  Half types are computed in float (ONNX operator spec,
    BatchNormalization-15).
    """
    five = op.opset < 14 and len([name for name in op.node.output if name]) > 1
    if not five and not op.attribute("training_mode", 0):
        raise Unconcerned
    op.require(bool(op.attribute("spatial", 1)), "spatial=0 has statistics for every element")
    op.require(not any(op.reads(place) for place in (3, 4)), "the saved statistics are not specified by ONNX")
    rank = len(op.dims(0))
    op.require(rank >= 2, "the input has no channel axis")
    kinds = [op.dtype(position) for position in range(5)]
    work = _FLOAT if any(kind in _HALF for kind in kinds) or len(set(kinds)) > 1 else kinds[0]
    x, scale, bias, mean, variance = (_as(op, op.input(place), kinds[place], work) for place in range(5))
    axes = [axis for axis in range(rank) if axis != 1]
    batch_mean = forms.reduce(op, "ReduceMean", x, axes)
    centred = op.make("Sub", x, batch_mean)
    batch_variance = forms.reduce(op, "ReduceMean", op.make("Mul", centred, centred), axes)
    epsilon = op.const(np.array(op.attribute("epsilon")), work)
    spread = op.make("Sqrt", op.make("Add", batch_variance, epsilon))
    across = [1, -1, *[1] * (rank - 2)]
    scaled = op.make("Mul", op.make("Div", centred, spread), forms.reshape(op, scale, across))
    y = op.make("Add", scaled, forms.reshape(op, bias, across))
    running = [
        _running(op, place, old, batch, work)
        for place, old, batch in ((1, mean, batch_mean), (2, variance, batch_variance))
    ]
    kind = kinds[3] if op.opset >= 14 else kinds[0]
    op.finish(_as(op, y, work, kinds[0]), *(_as(op, value, work, kind) if value else "" for value in running))


def _running(op: Op, place: int, old: str, batch: str, work: int) -> str:
    if not op.reads(place):
        return ""
    momentum = float(op.attribute("momentum"))
    kept = op.make("Mul", old, op.const(np.array(momentum), work))
    new = op.make("Mul", forms.reshape(op, batch, [-1]), op.const(np.array(1.0 - momentum), work))
    return op.make("Add", kept, new)


def _as(op: Op, value: str, dtype: int, wanted: int) -> str:
    return value if dtype == wanted else forms.cast(op, value, wanted)


def dropout(op: Op) -> None:
    """Dropout that drops nothing: not in training mode, or with ratio 0; the mask is all true.

    In training mode with another ratio it is random; as Identity it then computes what the model computes in use,
    which is unsafe.
    """
    training = op.opset >= 12 and op.has(2)
    mode = op.constant(2) if training else np.array(False)
    ratio = np.array(op.attribute("ratio", 0.5)) if op.opset < 12 else op.constant(1)
    never = op.opset >= 12 and ratio is not None and op.has(1) and float(ratio.reshape(())) == 0
    if mode is None or bool(mode.reshape(())):
        op.require(never or mode is not None, "whether it drops elements is only known when the model runs")
        if not never:
            op.unsafe = "in training mode it drops elements at random, and now it drops none"
    op.require(op.opset >= 12 or not op.reads(1), "the mask is not specified outside training below opset 12")
    mask = ""
    if op.reads(1):
        shape = op.make("Shape", op.input(0))
        mask = op.make("Expand", op.const(np.array([True])), shape)
    op.finish(op.make("Identity", op.input(0)), mask)
