"""The axes that a Resize changes, with their sizes and scales, known or computed by nodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from onnxfix.decompose.op import Op
from onnxfix.decompose.terms import Term, element, known, size


@dataclass(frozen=True)
class Axis:
    """One axis: sizes before and after, the scale, and the part of the input that tf_crop_and_resize looks at."""

    number: int
    before: Term
    after: Term
    scale: Term
    start: Term
    end: Term


def inputs_of(op: Op) -> tuple[int, int, int]:
    """The positions of roi, scales and sizes (-1: none) in the operator's version."""
    if op.node.op_type == "Upsample" or op.opset < 11:
        return -1, 1, -1
    return 1, 2, 3


def given(op: Op, position: int) -> bool:
    """Whether a vector is there: absent and empty mean the same."""
    if position < 0 or not op.has(position):
        return False
    values = op.constant(position)
    return values.size > 0 if values is not None else op.dims(position) != (0,)


def axes_of(op: Op) -> list[int]:
    """The axes that scales, sizes and roi speak of."""
    rank = len(op.dims(0))
    axes = op.attribute("axes") or range(rank)
    return [axis % rank for axis in axes]


def resized_axes(op: Op) -> list[Axis]:
    """The axes that do not stay as they are; an axis with scale 1 does, as in ONNX Runtime."""
    roi, scales, sizes = inputs_of(op)
    axes = axes_of(op)
    if given(op, sizes):
        found = _by_sizes(op, axes, sizes)
    elif scales == 1 and not op.has(1):  # Upsample-7
        found = [known(op, scale) for scale in op.attribute("scales", [])]
        op.require(len(found) == len(axes), "it has no scales")
    else:
        op.require(given(op, scales), "it has neither scales nor sizes")
        found = [element(op, scales, index) for index in range(len(axes))]
    changed = []
    for index, (axis, scale) in enumerate(zip(axes, found, strict=True)):
        if scale.number() == 1.0 or _unchanged(op, axis):
            continue
        before = size(op, 0, axis)
        after = _size_after(op, axis, index, before, scale)
        start, end = (_part(op, roi, index, len(axes), whole) for whole in (0, 1))
        changed.append(Axis(axis, before, after, scale, start, end))
    return changed


def _by_sizes(op: Op, axes: list[int], sizes: int) -> list[Term]:
    """Scales from sizes; a policy other than `stretch` uses one scale for all axes."""
    wanted = [_wanted(op, axis, index, sizes) for index, axis in enumerate(axes)]
    scales = [after / size(op, 0, axis) for axis, after in zip(axes, wanted, strict=True)]
    match policy(op):
        case "not_larger":
            return [reduce(Term.at_most, scales)] * len(axes)
        case "not_smaller":
            return [reduce(Term.at_least, scales)] * len(axes)
    return scales


def policy(op: Op) -> str:
    """What `sizes` means: "stretch", "not_larger" or "not_smaller"."""
    return str(op.attribute("keep_aspect_ratio_policy", "stretch"))


def _wanted(op: Op, axis: int, index: int, sizes: int) -> Term:
    """The size asked for; the filter of antialias must be known, so the size that the model declares counts there."""
    declared = _declared(op, axis)
    if op.attribute("antialias", 0) and op.constant(sizes) is None and declared is not None:
        return known(op, declared)
    return element(op, sizes, index)


def _size_after(op: Op, axis: int, index: int, before: Term, scale: Term) -> Term:
    """The size of the result: what sizes or scales make of the input's; of run-time scales, what the model declares."""
    _, _, sizes = inputs_of(op)
    if not given(op, sizes):
        declared = _declared(op, axis) if scale.known is None else None
        return (before * scale).floor() if declared is None else known(op, declared)
    if policy(op) == "stretch":
        return _wanted(op, axis, index, sizes)
    return (before * scale + 0.5).floor()


def _declared(op: Op, axis: int) -> int | None:
    dims = op.scope.type_of(op.node.output[0]).dims
    dim = dims[axis] if dims is not None and axis < len(dims) else None
    return dim if isinstance(dim, int) else None


def _unchanged(op: Op, axis: int) -> bool:
    """Whether the axis is that of the batch or the channels, and the model declares that its size stays."""
    dims = op.scope.type_of(op.node.output[0]).dims
    return (
        axis < 2 < len(op.dims(0))
        and dims is not None
        and op.dims(0)[axis] is not None
        and dims[axis] == op.dims(0)[axis]
    )


def _part(op: Op, roi: int, index: int, count: int, whole: int) -> Term:
    """Where the part starts (`whole` 0) or ends (1)."""
    if not given(op, roi) or op.attribute("coordinate_transformation_mode") != "tf_crop_and_resize":
        return known(op, np.float32(whole))
    return element(op, roi, index + count * whole)
