"""Sliding windows of poolings and convolutions: where they lie, and reductions over them made of slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op
from onnxfix.model.types import Dim

_TO_THE_END = np.iinfo(np.int64).max
MOST_TAPS = 1024
"""More slices than this along one axis are not written out."""


@dataclass(frozen=True)
class Window:
    """The windows along one axis, in elements of it.

    `begin` and `end` are the pads that the node asks for; `extra` is room behind them that `ceil_mode` needs.
    """

    axis: int
    size: Dim
    kernel: int
    stride: int = 1
    dilation: int = 1
    begin: int = 0
    end: int = 0
    extra: int = 0

    @property
    def span(self) -> int:
        """From the first to the last element of one window."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def whole(self) -> bool:
        """Whether there is one window, which is the whole axis."""
        return self.size == self.span and self.dilation == 1 and not (self.begin or self.end)


def windows(op: Op) -> list[Window]:
    """The windows of a pooling or a convolution, one for each spatial axis of input 0 (N, C, spatial axes).

    Raises NoRewrite where padding cannot be known: SAME_UPPER and SAME_LOWER on an unknown size with a stride, or
    with dilations (where ONNX Runtime and the standard disagree), and `ceil_mode` on an unknown size when the last
    window may start in the padding.
    """
    return [_rounded_up(op, _padded(op, window)) for window in explicit(op)]


def explicit(op: Op) -> list[Window]:
    """The windows with the pads that the node lists, whatever it says of automatic ones and of rounding."""
    dims = op.dims(0)[2:]
    kernel = op.attribute("kernel_shape")
    op.require(len(kernel) == len(dims), "the kernel has another rank than the input")
    count = len(dims)
    strides = op.attribute("strides") or [1] * count
    dilations = op.attribute("dilations") or [1] * count
    pads = op.attribute("pads") or [0] * (2 * count)
    return [
        Window(i + 2, size, kernel[i], strides[i], dilations[i], pads[i], pads[i + count])
        for i, size in enumerate(dims)
    ]


def _padded(op: Op, window: Window) -> Window:
    automatic = op.attribute("auto_pad", "NOTSET")
    if automatic == "NOTSET":
        return window
    if automatic == "VALID":
        return replace(window, begin=0, end=0)
    op.require(window.dilation == 1, f"{automatic} and dilations do not say how much padding there is")
    if window.stride == 1:
        needed = window.kernel - 1
    else:
        op.require(isinstance(window.size, int), f"{automatic} on an axis of unknown size")
        assert isinstance(window.size, int)
        outputs = -(-window.size // window.stride)
        needed = max(0, (outputs - 1) * window.stride + window.kernel - window.size)
    begin = needed // 2 if automatic == "SAME_UPPER" else needed - needed // 2
    return replace(window, begin=begin, end=needed - begin)


def _rounded_up(op: Op, window: Window) -> Window:
    """`ceil_mode`: the last window may hang over; one that would start behind the data and the pads is dropped."""
    if not op.attribute("ceil_mode", 0) or op.attribute("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return window
    if isinstance(window.size, int):
        length = window.size + window.begin + window.end
        outputs = -(-(length - window.span) // window.stride) + 1
        if (outputs - 1) * window.stride >= window.size + window.begin:
            outputs -= 1
        extra = max(0, (outputs - 1) * window.stride + window.span - length)
    else:
        extra = window.stride - 1
        op.require(window.end + extra < window.span, "the last window may start in the padding of an unknown size")
    return replace(window, extra=extra)


def drops_the_last(window: Window) -> bool | None:
    """Whether `ceil_mode` drops the window that it would add, because that starts behind the data and the first pads.

    None when that depends on an unknown size, or when there is none to add: then rounding up and down are the same.
    """
    spare = window.end + window.stride - window.span  # the most elements over at which the window is dropped
    if not isinstance(window.size, int):
        return False if spare < 1 else True if spare >= window.stride - 1 else None
    over = (window.size + window.begin + window.end - window.span) % window.stride
    return None if over == 0 else over <= spare


def padded(op: Op, value: str, places: Sequence[Window], rank: int, constant: float, dtype: int) -> str:
    """The value with all the room that its windows need."""
    pads = [0] * (2 * rank)
    for window in places:
        pads[window.axis] = window.begin
        pads[window.axis + rank] = window.end + window.extra
    return forms.pad(op, value, pads, constant, dtype) if any(pads) else value


def taps(op: Op, value: str, window: Window) -> list[str]:
    """One slice of a padded value for each element of the window, all as long as there are windows."""
    if window.kernel == 1 and window.stride == 1:
        return [value]
    op.require(window.kernel <= MOST_TAPS, f"a window of {window.kernel} elements is too long to be written out")
    found = []
    for tap in range(window.kernel):
        start, left = tap * window.dilation, (window.kernel - 1 - tap) * window.dilation
        end = -left if left else _TO_THE_END
        found.append(forms.slices(op, value, [window.axis], [start], [end], [window.stride]))
    return found


def reduced(op: Op, value: str, places: Sequence[Window], combine: Callable[[list[str]], str]) -> str:
    """A reduction that may be done axis by axis (a sum, a maximum) over the windows of a padded value."""
    for window in places:
        found = taps(op, value, window)
        value = combine(found) if len(found) > 1 else found[0]
    return value
