"""Convolutions and poolings of com.microsoft: with an activation or a sum in them, or with channels last."""

from __future__ import annotations

from typing import Any

from onnxfix.decompose.microsoft_gelu import activated
from onnxfix.decompose.op import Op

SPATIAL = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
POOLING = ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides")


def fused_conv(op: Op) -> None:
    """FusedConv: activation(Conv(X, W, B) + Z); the activation is that of `activation` and `activation_params`."""
    value = op.make("Conv", op.input(0), op.input(1), op.input(2), **given(op, SPATIAL))
    if op.has(3):
        value = op.make("Add", value, op.input(3))
    op.finish(fused_activation(op, value))


def nhwc_conv(op: Op) -> None:
    """NhwcConv, NhwcFusedConv: X, Z and Y have the channels last, the weights are as in Conv."""
    rank = len(op.dims(0))
    x = op.make("Transpose", op.input(0), perm=channels_first(rank))
    value = op.make("Conv", x, op.input(1), op.input(2), **given(op, SPATIAL))
    value = op.make("Transpose", value, perm=channels_last(rank))
    if op.has(3):
        value = op.make("Add", value, op.input(3))
    op.finish(fused_activation(op, value))


def nhwc_max_pool(op: Op) -> None:
    """NhwcMaxPool: MaxPool with the channels last."""
    op.require(op.dtype(0) not in (2, 3) or op.opset >= 12, "MaxPool of 8-bit integers needs opset 12")
    rank = len(op.dims(0))
    x = op.make("Transpose", op.input(0), perm=channels_first(rank))
    pooled = op.make("MaxPool", x, **given(op, POOLING))
    op.finish(op.make("Transpose", pooled, perm=channels_last(rank)))


def conv_transpose_dynamic_pads(op: Op) -> None:
    """ConvTransposeWithDynamicPads: the third input holds the pads, which must be constant."""
    attributes = given(op, (*SPATIAL, "output_padding"))
    if op.has(2):
        attributes["pads"] = [int(pad) for pad in op.values(2, "the input of the pads").reshape(-1)]
    op.finish(op.make("ConvTranspose", op.input(0), op.input(1), op.input(3), **attributes))


def fused_activation(op: Op, value: str) -> str:
    """The activation that the node's attributes name, of a value of the type of input 0."""
    return activated(op, value, op.attribute("activation", ""), op.attribute("activation_params") or (), op.dtype(0))


def given(op: Op, names: tuple[str, ...]) -> dict[str, Any]:
    """The node's own attributes of these names."""
    own = {attribute.name for attribute in op.node.attribute}
    return {name: op.attribute(name) for name in names if name in own}


def channels_first(rank: int) -> list[int]:
    """The permutation from N, spatial axes, C to N, C, spatial axes."""
    return [0, rank - 1, *range(1, rank - 1)]


def channels_last(rank: int) -> list[int]:
    """The permutation from N, C, spatial axes to N, spatial axes, C."""
    return [0, *range(2, rank), 1]
