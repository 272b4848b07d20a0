"""Squeeze and Reshape whose sizes TensorRT cannot work out by itself, written with the sizes that are known."""

from __future__ import annotations

import math

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned


def squeeze_axes(op: Op) -> None:
    """Squeeze without axes on free sizes: the axes whose size is 1 by declaration.

    Unsafe: a free size that happens to be 1 when the model runs is squeezed too, and would not be any more.
    """
    if op.has(1) or op.attribute("axes") is not None:
        raise Unconcerned("it has axes")
    dims = op.dims(0)
    if all(isinstance(dim, int) for dim in dims):
        raise Unconcerned("all sizes are fixed")
    axes = [axis for axis, dim in enumerate(dims) if dim == 1]
    op.require(bool(axes), f"which of the sizes {list(dims)} are 1 is known only when it runs")
    op.unsafe = "a free size that is 1 when the model runs is not squeezed any more"
    op.finish(forms.squeeze(op, op.input(0), axes))


def empty_reshape(op: Op) -> None:
    """Reshape of a tensor with a size of 0: its -1 is what the sizes that are not copied leave.

    The quotient of an empty tensor says nothing, so that a -1 has no single solution; the copied sizes are left out on
    both sides.
    """
    shape = [int(size) for size in op.values(1, "the shape")]
    dims = op.shape(0)
    if 0 not in dims or -1 not in shape or op.attribute("allowzero", 0):
        raise Unconcerned("nothing is empty")
    copied = [place for place, size in enumerate(shape) if size == 0 and place < len(dims)]
    rest = [dim for place, dim in enumerate(dims) if place not in copied]
    op.require(0 not in rest, "the size that is 0 is not copied, so that -1 may be anything")
    others = math.prod(size for size in shape if size > 0)
    op.require(math.prod(rest) % others == 0, f"{list(dims)} does not go into {shape}")
    filled = [math.prod(rest) // others if size == -1 else size for size in shape]
    op.finish(op.make("Reshape", op.input(0), op.const(np.array(filled, np.int64))))
