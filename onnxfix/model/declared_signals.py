"""Parameters of DFT, STFT and Col2Im that follow from the shapes that a model declares."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import onnx

from onnxfix.model.attributes import attribute_of
from onnxfix.model.scope import Scope
from onnxfix.model.types import Dim


def transform_axes(node: onnx.NodeProto, before: Sequence[Dim], after: Sequence[Dim]) -> list[int]:
    """The axes over which a DFT (opset 20 and above) gives the shape after; none where the shapes are not known."""
    if (len(node.input) > 1 and node.input[1]) or None in (*before, *after) or len(before) != len(after):
        return []
    inverse, onesided = (bool(attribute_of(node, name, 0)) for name in ("inverse", "onesided"))
    found = []
    for axis, size in enumerate(before[:-1]):
        if isinstance(size, int):
            length = 2 * (size - 1) if inverse else size // 2 + 1
            expected = [*before[:axis], length if onesided else size, *before[axis + 1 : -1]]
            if [*expected, 1 if inverse and onesided else 2] == list(after):
                found.append(axis)
    return found


def frames(scope: Scope, node: onnx.NodeProto, before: Sequence[Dim], after: Sequence[Dim]) -> tuple[int, int] | None:
    """The one step and length of the frames with which an STFT gives the shape after."""
    if len(before) < 2 or len(after) != 4:
        return None
    total, count, bins = before[1], after[1], after[2]
    if not (isinstance(total, int) and isinstance(count, int) and isinstance(bins, int)):
        return None
    onesided = bool(attribute_of(node, "onesided", 1))
    lengths = {2 * bins - 2, 2 * bins - 1} if onesided else {bins}
    window = scope.type_of(node.input[2]).dims if len(node.input) > 2 and node.input[2] else None
    if window:
        lengths &= {window[0]}
    lengths &= _constants(scope, node, 3) or lengths
    steps = _constants(scope, node, 1) or set(range(1, total + 1))
    fits = [(s, n) for n in lengths if n > 0 for s in steps if n <= total and (total - n) // s + 1 == count]
    return fits[0] if len(fits) == 1 else None


def block(node: onnx.NodeProto, before: Sequence[Dim], after: Sequence[Dim]) -> list[int] | None:
    """The one block with which a Col2Im gives the shape after."""
    image = [dim for dim in after[2:] if isinstance(dim, int)]
    rows, columns, channels, count = before[1], before[2], after[1], len(after) - 2
    if not (isinstance(rows, int) and isinstance(columns, int) and isinstance(channels, int)) or len(image) != count:
        return None
    if not channels or rows % channels:
        return None
    fits = [
        sizes
        for sizes in _factors(rows // channels, count)
        if math.prod(_windows(node, image, sizes)) == columns and min(_windows(node, image, sizes)) > 0
    ]
    return fits[0] if len(fits) == 1 else None


def _factors(number: int, count: int) -> Iterator[list[int]]:
    divisors = [size for size in range(1, number + 1) if number % size == 0]
    yield from (list(sizes) for sizes in product(divisors, repeat=count) if math.prod(sizes) == number)


def _windows(node: onnx.NodeProto, image: Sequence[int], sizes: Sequence[int]) -> list[int]:
    count = len(image)
    strides, dilations = (attribute_of(node, name, [1] * count) for name in ("strides", "dilations"))
    pads = attribute_of(node, "pads", [0] * 2 * count)
    spans = [(size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True)]
    return [(image[i] + pads[i] + pads[i + count] - spans[i]) // strides[i] + 1 for i in range(count)]


def _constants(scope: Scope, node: onnx.NodeProto, position: int) -> set[int]:
    values = scope.array(node.input[position]) if len(node.input) > position and node.input[position] else None
    return set() if values is None else {int(number) for number in values.reshape(-1)}
