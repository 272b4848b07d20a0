"""Regions of feature maps: RoiAlign; ImageDecoder, which no tensor arithmetic can replace."""

from __future__ import annotations

import math

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op
from onnxfix.decompose.precision import narrowed, scalar, wide, widened
from onnxfix.decompose.sizes import counted, joined, part, size

INT64 = onnx.TensorProto.INT64


def image_decoder(op: Op) -> None:
    """ImageDecoder: decompressing a file is not tensor arithmetic."""
    del op
    raise NoRewrite("no tensor operators can decode an image file; decode before the model and feed the pixels")


def roi_align(op: Op) -> None:
    """RoiAlign: the four neighbours of every sample are gathered from the map and weighed.

    A sample more than one element outside the map counts as 0; one nearer is moved to the border.  The average of
    samples is that of ONNX Runtime and of the standard; for the maximum, both take the largest of the weighed
    neighbours of all samples instead of interpolated values.  R regions, P x Q bins, S x S samples in each: the
    neighbours take R · P · S · Q · S · C numbers, four times.
    """
    samples = int(op.attribute("sampling_ratio", 0))
    bins = [int(op.attribute("output_height", 1)), int(op.attribute("output_width", 1))]
    if samples <= 0:
        _adaptive(op, bins)
        return
    rows, columns = (_axis_samples(op, axis, bins[axis], samples) for axis in (0, 1))
    channels = part(op, 0, 1)
    table = op.make("Transpose", widened(op), perm=[0, 2, 3, 1])
    table = op.make("Reshape", table, joined(op, [-1, channels]))
    plane = op.make("Mul", op.input(2), size(op, 0, 2))
    found = []
    for low_y in (0, 1):
        line = op.make("Add", forms.unsqueeze(op, plane, [1]), rows[low_y][0])
        line = forms.unsqueeze(op, op.make("Mul", line, size(op, 0, 3)), [2])
        for low_x in (0, 1):
            index = op.make("Add", line, forms.unsqueeze(op, columns[low_x][0], [1]))
            across = forms.unsqueeze(op, columns[low_x][1], [1])
            weight = op.make("Mul", forms.unsqueeze(op, rows[low_y][1], [2]), across)
            picked = op.make("Gather", table, index, axis=0)
            found.append(op.make("Mul", picked, forms.unsqueeze(op, weight, [3])))
    largest = op.attribute("mode", "avg") == "max"
    value = op.make("Max" if largest else "Sum", *found)
    value = op.make("Reshape", value, joined(op, [-1, bins[0], samples, bins[1], samples, channels]))
    value = forms.reduce(op, "ReduceMax" if largest else "ReduceMean", value, [2, 4], keepdims=False)
    op.finish(narrowed(op, op.make("Transpose", value, perm=[0, 3, 1, 2])))


def _adaptive(op: Op, bins: list[int]) -> None:
    """sampling_ratio 0: as many samples along an axis as a bin of the region has elements.

    The average is a sum over the rows of the map and then over its columns, with weights for each bin; the weights of
    a bin are those of all its samples.  R regions copy the map: R · C · H · W numbers.
    """
    op.require(op.attribute("mode", "avg") == "avg", "sampling_ratio 0 with mode max depends on running")
    value = op.make("Gather", widened(op), op.input(2), axis=0)
    rows, columns = (forms.unsqueeze(op, _bin_weights(op, axis, bins[axis]), [1]) for axis in (0, 1))
    value = op.make("MatMul", rows, value)
    columns = op.make("Transpose", columns, perm=[0, 1, 3, 2])
    op.finish(narrowed(op, op.make("MatMul", value, columns)))


def _bin_weights(op: Op, axis: int, bins: int) -> str:
    """[R, bins, size of the map]: what each element along one axis gives to each bin."""
    start, length = _extent(op, axis)
    bin_size = op.make("Div", length, scalar(op, bins))
    count = op.make("Max", op.make("Ceil", bin_size), scalar(op, 0))  # of samples in a bin, for each region
    most = _most_samples(op, axis, bins)
    number = np.arange(most, dtype=np.float64)[None, None]
    step = forms.unsqueeze(op, op.make("Div", bin_size, op.make("Max", count, scalar(op, 1))), [2])
    corner = op.make("Add", start, op.make("Mul", bin_size, op.const(np.arange(bins)[None], wide(op))))
    place = op.make("Add", forms.unsqueeze(op, corner, [2]), op.make("Mul", step, op.const(number + 0.5, wide(op))))
    end = forms.cast(op, size(op, 0, axis + 2), wide(op))
    beyond = op.make("Not", op.make("Less", op.const(number, wide(op)), forms.unsqueeze(op, count, [2])))
    unused = op.make("Or", _outside(op, place, end), beyond)
    place = op.make("Min", op.make("Max", place, scalar(op, 0)), _minus(op, end, 1))
    elements = forms.cast(op, counted(op, part(op, 0, axis + 2)), wide(op))
    distance = op.make("Abs", op.make("Sub", forms.unsqueeze(op, place, [3]), elements))
    share = op.make("Max", op.make("Sub", scalar(op, 1), distance), scalar(op, 0))
    share = op.make("Where", forms.unsqueeze(op, unused, [3]), scalar(op, 0), share)
    total = forms.reduce(op, "ReduceSum", share, [2], keepdims=False)
    return op.make("Div", total, forms.unsqueeze(op, op.make("Max", count, scalar(op, 1)), [2]))


def _most_samples(op: Op, axis: int, bins: int) -> int:
    """The most samples that a bin takes: of constant regions, or of one as large as the map."""
    regions = op.constant(1)
    if regions is not None and regions.size:
        lengths = (regions[:, 3 - axis] - regions[:, 1 - axis]) * op.attribute("spatial_scale", 1.0)
        return max(1, math.ceil(float(np.max(lengths, initial=1.0)) / bins) + 1)
    extent = op.dims(0)[axis + 2]
    if not isinstance(extent, int):
        raise NoRewrite("sampling_ratio 0 takes as many samples as a region is large, and the map has an unknown size")
    op.unsafe = "a region larger than the map would get too few samples (sampling_ratio 0)"
    return math.ceil((extent + 1) / bins)


def _outside(op: Op, place: str, end: str) -> str:
    """Whether a sample lies more than one element outside the map."""
    return op.make("Or", op.make("Less", place, scalar(op, -1)), op.make("Greater", place, end))


def _axis_samples(op: Op, axis: int, bins: int, samples: int) -> list[tuple[str, str]]:
    """For the lower and the upper neighbour along one axis (0: height): [R, bins · samples] places and weights."""
    start, length = _extent(op, axis)
    steps = (np.arange(bins * samples) + 0.5) / (bins * samples)
    place = op.make("Add", start, op.make("Mul", length, op.const(steps[None], wide(op))))
    end = forms.cast(op, size(op, 0, axis + 2), wide(op))
    last = _minus(op, end, 1)
    outside = _outside(op, place, end)
    place = op.make("Min", op.make("Max", op.make("Where", outside, scalar(op, 0), place), scalar(op, 0)), last)
    low = op.make("Floor", place)
    high = op.make("Min", op.make("Add", low, scalar(op, 1)), last)
    share = op.make("Sub", place, low)
    rest = op.make("Sub", scalar(op, 1), share)
    weights = [op.make("Where", outside, scalar(op, 0), weight) for weight in (rest, share)]
    return [(forms.cast(op, index, INT64), weight) for index, weight in zip((low, high), weights, strict=True)]


def _minus(op: Op, value: str, number: float) -> str:
    return op.make("Sub", value, scalar(op, number))


def _extent(op: Op, axis: int) -> tuple[str, str]:
    """[R, 1]: where each region starts and how long it is, in elements of the map."""
    first, last = 1 - axis, 3 - axis
    scale = scalar(op, op.attribute("spatial_scale", 1.0))
    half = op.attribute("coordinate_transformation_mode", "output_half_pixel") == "half_pixel"
    ends = []
    for column in (first, last):
        end = op.make("Mul", forms.slices(op, widened(op, 1), [1], [column], [column + 1]), scale)
        ends.append(_minus(op, end, 0.5) if half else end)
    length = op.make("Sub", ends[1], ends[0])
    return ends[0], length if half else op.make("Max", length, scalar(op, 1))
