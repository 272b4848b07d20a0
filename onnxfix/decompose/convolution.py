"""Convolutions that TensorRT does not take: DeformConv, Col2Im, ConvTranspose with strides and dilations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op, Unconcerned
from onnxfix.decompose.precision import BFLOAT16, FLOAT, FLOAT16, narrowed, scalar, wide, widened
from onnxfix.decompose.sizes import counted, joined, part, settled, size
from onnxfix.model.model import Array

FLOATS = (FLOAT, FLOAT16, BFLOAT16, onnx.TensorProto.DOUBLE)
MOST_NUMBERS = 1 << 24
"""Constants of more numbers (64 MiB of float) need the user's word."""


def conv_transpose(op: Op) -> None:
    """ConvTranspose with strides and dilations: the dilation goes into the weights, as zeros between them."""
    strides, dilations = op.attribute("strides") or [1], op.attribute("dilations") or [1]
    if max(strides) == 1 or max(dilations) == 1:
        raise Unconcerned("strides and dilations do not come together")
    kernel = op.dims(1)[2:]
    if not all(isinstance(size, int) for size in kernel):
        raise NoRewrite("the size of the kernel is not known")
    spans = [(int(k or 0) - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    kept = {a.name: op.attribute(a.name) for a in op.node.attribute if a.name not in ("dilations", "kernel_shape")}
    known = op.constant(1)
    spread = _spread(op, dilations) if known is None else op.const(dilated(known, dilations), op.dtype(1))
    op.finish(op.make("ConvTranspose", op.input(0), spread, op.input(2), kernel_shape=spans, **kept))


def conv_transpose_shape(op: Op) -> None:
    """ConvTranspose with `output_shape`, or with automatic and output padding together: explicit pads.

    The padding is stride · (in - 1) + output_padding + span of the kernel - out, where out is in · stride without
    output_shape; of an odd one the larger half comes last for SAME_UPPER and first else (ONNX operator spec).  Less
    than none is more output_padding.
    """
    automatic, wanted = op.attribute("auto_pad", "NOTSET"), op.attribute("output_shape") or []
    count = len(op.dims(0)) - 2
    more = list(op.attribute("output_padding") or [0] * count)
    if not wanted and not (automatic.startswith("SAME") and any(more)):
        raise Unconcerned("its padding is explicit already")
    kernel = op.attribute("kernel_shape") or op.dims(1)[2:]
    strides = op.attribute("strides") or [1] * count
    dilations = op.attribute("dilations") or [1] * count
    wanted = wanted[-count:]  # the batch and the channels may be listed too
    begins, ends = [], []
    for i, before in enumerate(op.dims(0)[2:]):
        size_of_kernel = kernel[i]
        if not isinstance(size_of_kernel, int) or (wanted and not isinstance(before, int)):
            raise NoRewrite("the size of the kernel or of the input is not known")
        span = (size_of_kernel - 1) * dilations[i] + 1
        total = span - strides[i] + more[i]
        total += int(before or 0) * strides[i] - wanted[i] if wanted else 0
        more[i] += max(0, -total)
        op.require(more[i] < max(strides[i], dilations[i]), "output_shape is larger than any padding makes it")
        first = max(0, total) // 2 if automatic == "SAME_UPPER" else max(0, total) - max(0, total) // 2
        begins.append(first)
        ends.append(max(0, total) - first)
    replaced = ("auto_pad", "output_shape", "output_padding", "pads")
    kept = {a.name: op.attribute(a.name) for a in op.node.attribute if a.name not in replaced}
    op.finish(op.make("ConvTranspose", *op.node.input, pads=begins + ends, output_padding=more, **kept))


def dilated(weights: Array, dilations: Sequence[int]) -> Array:
    """Weights [., ., kernel] with zeros between their elements."""
    spans = [(size - 1) * d + 1 for size, d in zip(weights.shape[2:], dilations, strict=True)]
    spread = np.zeros((*weights.shape[:2], *spans), dtype=weights.dtype)
    spread[(slice(None), slice(None), *(slice(None, None, d) for d in dilations))] = weights
    return spread


def _spread(op: Op, dilations: Sequence[int]) -> str:
    """Weights that are computed when the model runs, with zeros between them."""
    value, rank = op.input(1), len(op.dims(1))
    for axis, dilation in enumerate(dilations, 2):
        if dilation == 1:
            continue
        value = forms.unsqueeze(op, value, [axis + 1])
        pads = [0] * (2 * (rank + 1))
        pads[rank + 1 + axis + 1] = dilation - 1
        value = forms.pad(op, value, pads, 0.0, op.dtype(1))
        behind = [dim for dim in op.dims(1)[axis + 1 :] if isinstance(dim, int)]  # not spread yet
        value = forms.reshape(op, value, [*([0] * axis), -1, *behind])
        value = forms.slices(op, value, [axis], [0], [1 - dilation])
    return value


def col2im(op: Op) -> None:
    """Col2Im: a transposed convolution with one kernel for each place of the block, one at its place, else zero.

    [N, C · block, L] becomes [N, C · block, windows along each axis] first; each channel of the image is a group.
    """
    op.require(op.dtype(0) in FLOATS, "only floats are convolved")
    image = settled(op, 1, "image_shape")
    block = settled(op, 2, "block_shape")
    count = len(image)
    op.require(count in (1, 2, 3), f"images of {count} axes are not convolved")
    dilations = op.attribute("dilations") or [1] * count
    strides = op.attribute("strides") or [1] * count
    pads = op.attribute("pads") or [0] * (2 * count)
    rows, places = op.dims(0)[1], math.prod(block)
    if not isinstance(rows, int) or rows % places:
        raise NoRewrite(f"{rows} rows are no multiple of the block's {places}")
    channels, grid, rest = rows // places, [], []
    for i in range(count):
        span = (block[i] - 1) * dilations[i] + 1
        room = image[i] + pads[i] + pads[i + count] - span
        op.require(room >= 0, "the block is larger than the image")
        grid.append(room // strides[i] + 1)
        rest.append(room % strides[i])
    x = op.make("Reshape", op.input(0), joined(op, [part(op, 0, 0), rows, *grid]))
    kernel = np.tile(np.eye(places).reshape(places, 1, *block), (channels, *([1] * (count + 1))))
    if kernel.size > MOST_NUMBERS:
        op.unsafe = f"the one-hot weights have {kernel.size} numbers"
    if max(strides) > 1:
        kernel, dilations = dilated(kernel, dilations), [1] * count
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "pads": pads, "output_padding": rest}
    op.finish(op.make("ConvTranspose", x, op.const(kernel, op.dtype(0)), group=channels, **attributes))


def deform_conv(op: Op) -> None:
    """DeformConv: all elements of all kernels are sampled by one GridSample, then a 1 x 1 convolution weighs them.

    Below, G is the number of offset groups, which become part of the batch, and K the elements of a kernel, which lie
    along the height of the sampled image.  A sample outside the image counts its corners inside, in both operators.
    """
    op.require(len(op.dims(0)) == 4, "only images of two axes are sampled")
    group, offset_group = op.attribute("group", 1), op.attribute("offset_group", 1)
    channels, maps, kernel = op.dims(0)[1], op.dims(1)[0], op.dims(1)[2:]
    if not all(isinstance(number, int) for number in (channels, maps, *kernel)):
        raise NoRewrite("the number of channels or the size of the kernel is not known")
    assert isinstance(channels, int) and isinstance(maps, int)
    kernel_size = [int(k or 0) for k in kernel]
    elements = math.prod(kernel_size)
    grid = _sampling_grid(op, kernel_size, elements)
    x = widened(op)
    if offset_group > 1:
        x = op.make("Reshape", x, joined(op, [-1, channels // offset_group, part(op, 0, 2), part(op, 0, 3)]))
    samples = op.make("GridSample", x, grid, mode=_linear(op), padding_mode="zeros", align_corners=0)
    height, width = part(op, 2, 2), part(op, 2, 3)
    if op.has(4):
        rows = op.make("Reshape", widened(op, 4), joined(op, [-1, 1, _times(op, elements, height), width]))
        samples = op.make("Mul", samples, rows)
    columns = op.make(
        "Reshape", narrowed(op, samples), joined(op, [part(op, 0, 0), channels * elements, height, width])
    )
    weights = forms.reshape(op, op.input(1), [maps, channels // group * elements, 1, 1])
    op.finish(op.make("Conv", columns, weights, op.input(3), group=group, kernel_shape=[1, 1]))


def _times(op: Op, factor: int, length: str | int) -> str | int:
    return factor * length if isinstance(length, int) else op.make("Mul", length, op.ints(factor))


def _linear(op: Op) -> str:
    """GridSample's word for linear interpolation changed with opset 20."""
    return "linear" if op.opset >= 20 else "bilinear"


def _sampling_grid(op: Op, kernel: list[int], elements: int) -> str:
    """[N · G, K · height, width, 2]: where each element is read, x before y, as GridSample scales it."""
    height, width = part(op, 2, 2), part(op, 2, 3)
    offsets = op.make("Reshape", widened(op, 2), joined(op, [-1, elements, 2, height, width]))
    scaled = []
    for axis in (1, 0):
        along = forms.squeeze(op, forms.slices(op, offsets, [2], [axis], [axis + 1]), [2])
        place = op.make("Add", along, _places(op, kernel, axis))
        extent = _extent(op, axis)
        half = op.make("Sub", op.make("Div", op.make("Add", place, scalar(op, 0.5)), extent), scalar(op, 0.5))
        scaled.append(forms.unsqueeze(op, op.make("Mul", half, scalar(op, 2.0)), [4]))
    grid = op.make("Concat", *scaled, axis=4)
    return op.make("Reshape", grid, joined(op, [-1, _times(op, elements, height), width, 2]))


def _extent(op: Op, axis: int) -> str:
    """The size of the image along an axis, as a number of its own type."""
    length = op.dims(0)[axis + 2]
    if isinstance(length, int):
        return scalar(op, length)
    return forms.cast(op, size(op, 0, axis + 2), wide(op))


def _places(op: Op, kernel: list[int], axis: int) -> str:
    """[K, height, 1] or [K, 1, width]: where each element of each window lies without its offset."""
    stride = (op.attribute("strides") or [1, 1])[axis]
    dilation = (op.attribute("dilations") or [1, 1])[axis]
    begin = (op.attribute("pads") or [0] * 4)[axis]
    element = np.indices(kernel)[axis].reshape(-1) * dilation - begin
    shape = [-1, 1, 1]
    count = op.dims(2)[axis + 2]
    if isinstance(count, int):
        line = (np.arange(count) * stride).reshape([1, -1, 1] if axis == 0 else [1, 1, -1])
        return op.const(element.reshape(shape) + line, wide(op))
    numbers = counted(op, size(op, 2, axis + 2))
    numbers = op.make("Mul", forms.cast(op, numbers, wide(op)), scalar(op, stride))
    line_name = forms.reshape(op, numbers, [1, -1, 1] if axis == 0 else [1, 1, -1])
    return op.make("Add", line_name, op.const(element.reshape(shape), wide(op)))
