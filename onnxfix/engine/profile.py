"""Sizes for dynamic inputs: one optimization profile, made from hints and defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from onnxfix.engine.records import InputRange

Range = tuple[int, int, int]
Sizes = Mapping[str, Range]
Sample = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
"""Recorded inputs by name: (shape, values); the values matter only where the network reads a shape out of them."""

BATCH: Range = (1, 1, 4)
# Axes 2 and later of inputs with four axes or more are taken for an image, every other one for a sequence.
IMAGE: Range = (64, 256, 512)
SEQUENCE: Range = (1, 64, 256)
SHAPE_VALUE: Range = (1, 4, 16)
# Tried in turn when the builder refuses the ranges above: some graphs work at one size only, or at few.
FALLBACKS: tuple[Range, ...] = ((224, 224, 224), (64, 64, 64), (8, 8, 8), (1, 1, 1))


def candidates(network: Any, sizes: Sizes, sample: Sample) -> Iterator[tuple[InputRange, ...]]:
    """The profiles to try, best first; a single empty one when no input needs a profile.

    `sizes` gives (min, opt, max) by dimension name ("N"), by input and axis ("x[2]") or, for a shape input, by
    its name. Dimensions of one name get one size. With a `sample` its own shapes and values come first.
    """
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    seen = set()
    if all(tensor.name in sample for tensor in inputs):
        recorded = tuple(_recorded(inputs, sample))
        seen.add(recorded)
        yield recorded
    for fallback in (None, *FALLBACKS):
        profile = tuple(_ranges(inputs, sizes, fallback))
        if profile not in seen:
            seen.add(profile)
            yield profile


def _recorded(inputs: list[Any], sample: Sample) -> Iterator[InputRange]:
    """One size for each input that needs a range: the recorded one."""
    for tensor in inputs:
        shape, values = sample[tensor.name]
        if tensor.is_shape_tensor:
            yield InputRange(tensor.name, values, values, values, values=True)
        elif -1 in tuple(tensor.shape):
            yield InputRange(tensor.name, shape, shape, shape)


def _ranges(inputs: list[Any], sizes: Sizes, fallback: Range | None) -> Iterator[InputRange]:
    known = dict(sizes)
    for tensor in inputs:
        shape = tuple(tensor.shape)
        if tensor.is_shape_tensor:
            chosen = known.get(tensor.name, fallback or SHAPE_VALUE)
            count = shape[0] if shape else 1
            smallest, best, largest = ((size,) * count for size in chosen)
            yield InputRange(tensor.name, smallest, best, largest, values=True)
        elif -1 in shape:
            columns = [_axis(tensor, axis, known, fallback) for axis in range(len(shape))]
            smallest, best, largest = (tuple(triple[point] for triple in columns) for point in range(3))
            yield InputRange(tensor.name, smallest, best, largest)


def _axis(tensor: Any, axis: int, known: dict[str, Range], fallback: Range | None) -> Range:
    size = tensor.shape[axis]
    if size >= 0:
        return (size, size, size)
    label = f"{tensor.name}[{axis}]"
    name = (tensor.get_dimension_name(axis) if hasattr(tensor, "get_dimension_name") else None) or label
    inner = IMAGE if axis >= 2 and len(tensor.shape) >= 4 else SEQUENCE
    default = BATCH if axis == 0 else fallback or inner
    return known.setdefault(name, known.get(label, default))
