"""Parameters that follow from the shapes that a model declares: axes, sizes, scales and depths."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import onnx

from onnxfix.model.attributes import attribute_of
from onnxfix.model.declared_signals import block, frames, transform_axes
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD, Dim

REDUCTIONS = frozenset(
    f"Reduce{name}" for name in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp")
)
_SHAPE_KEPT = frozenset({"Abs", "Cast", "CastLike", "Exp", "Identity", "Log", "Neg", "Relu", "Sigmoid", "Sqrt", "Tanh"})
_STEPS = 8


def parameter(scope: Scope, node: onnx.NodeProto, position: int) -> list[float] | None:
    """The numbers that this input of the node must hold for its first output to have its declared shape.

    None when the shapes do not tell, or when other numbers would do as well and mean something else.  Known are the
    axes of Squeeze, Unsqueeze and the reductions, the sizes and scales of Resize and Upsample, the depth of OneHot,
    start, limit and delta of Range,
    the axis of DFT, the step and the length of STFT's frames, the image and the block of Col2Im.  Of the masks of
    NonZero and Compress, and of several choices of axes, it is one that fits.
    """
    if node.domain not in STANDARD or not node.output:
        return None
    before, after = scope.type_of(node.input[0]).dims, declared_dims(scope, node.output[0])
    if before is None or after is None:
        return None
    match node.op_type, position:
        case ("NonZero", 0):
            return _mask(before, after[1])
        case ("Compress", 1):
            lengths, axis = scope.type_of(node.input[1]).dims, attribute_of(node, "axis", 0)
            return _mask(lengths, after[axis]) if lengths is not None and axis < len(after) else None
        case ("Range", _):
            return _range(scope, node, position, after[0])
        case ("OneHot", 1):
            return _numbers(after, [attribute_of(node, "axis", -1)])
        case ("Resize", 3) if not attribute_of(node, "keep_aspect_ratio_policy", b""):
            return _numbers(after, attribute_of(node, "axes", list(range(len(after)))))
        case ("Resize", 2) | ("Upsample", 1):
            return _scales(before, after, attribute_of(node, "axes", list(range(len(after)))))
        case (name, 1) if name in REDUCTIONS | {"Squeeze", "Unsqueeze"}:
            choices = axes_choices(scope, node)
            return [float(axis) for axis in choices[0]] if choices else None
        case ("DFT", 2):
            axes = transform_axes(node, before, after)
            return [float(axes[0])] if len(axes) == 1 else None
        case ("STFT", 1 | 3):
            found = frames(scope, node, before, after)
            return [float(found[position // 3])] if found else None
        case ("Col2Im", 1):
            return _numbers(after, range(2, len(after)))
        case ("Col2Im", 2):
            sizes = block(node, before, after)
            return [float(size) for size in sizes] if sizes else None
    return None


def declared_dims(scope: Scope, name: str) -> tuple[Dim, ...] | None:
    """The shape of a value, read off what is made of it where that keeps the shape and has all sizes as numbers."""
    first = scope.type_of(name).dims
    for _ in range(_STEPS):
        dims, readers = scope.type_of(name).dims, scope.users.get(name, [])
        if dims is not None and all(isinstance(dim, int) for dim in dims):
            return dims
        node = scope.nodes[readers[0][0]] if len(readers) == 1 and readers[0][1] == 0 else None
        if node is None or node.op_type not in _SHAPE_KEPT or node.domain not in STANDARD:
            break
        name = node.output[0]
    return first


def _numbers(dims: Sequence[Dim], axes: Sequence[int]) -> list[float] | None:
    chosen = [dims[axis] for axis in axes if -len(dims) <= axis < len(dims)]
    known = [float(dim) for dim in chosen if isinstance(dim, int)]
    return known if len(known) == len(axes) else None


def _mask(dims: Sequence[Dim], count: Dim) -> list[float] | None:
    """A mask of these sizes with so many true elements, evenly spread."""
    sizes = _numbers(dims, range(len(dims)))
    total = math.prod(int(size) for size in sizes) if sizes is not None else -1
    if not isinstance(count, int) or not 0 < count <= total:
        return None
    chosen = {place * total // count for place in range(count)}
    return [float(place in chosen) for place in range(total)]


def _range(scope: Scope, node: onnx.NodeProto, position: int, count: Dim) -> list[float] | None:
    """The start, the limit or the delta that, with the constant ones among the others, counts so many numbers."""
    if not isinstance(count, int) or not count:
        return None
    known = [None if (value := scope.array(name)) is None else float(value) for name in node.input]
    delta = known[2] if known[2] is not None else 1.0
    if known[1] is not None:
        return None
    start = known[0] if known[0] is not None else 0.0
    return [[start, start + count * delta, delta][position]]


def _scales(before: Sequence[Dim], after: Sequence[Dim], axes: Sequence[int]) -> list[float] | None:
    """Scales that give the sizes: a size is the floor of the scaled one, so half an element more does no harm."""
    old, new = _numbers(before, axes), _numbers(after, axes)
    if old is None or new is None or 0 in old:
        return None
    return [1.0 if a == b else b / a if (b / a).is_integer() else (b + 0.25) / a for a, b in zip(old, new, strict=True)]


def axes_choices(scope: Scope, node: onnx.NodeProto) -> list[tuple[int, ...]]:
    """The axes of Squeeze, Unsqueeze or a reduction under which its output has the declared shape, in every choice."""
    before, after = scope.type_of(node.input[0]).dims, declared_dims(scope, node.output[0])
    lengths = scope.type_of(node.input[1]).dims
    if before is None or after is None or not lengths or not isinstance(lengths[0], int) or None in (*before, *after):
        return []
    keep = bool(attribute_of(node, "keepdims", 1))
    return list(_fits(node.op_type, list(before), list(after), lengths[0], keep))


def _fits(op_type: str, before: list[Dim], after: list[Dim], count: int, keep: bool) -> Iterator[tuple[int, ...]]:
    """Every choice of so many axes under which the shape before becomes the shape after."""
    long, short = (after, before) if op_type == "Unsqueeze" else (before, after)
    for axes in combinations(range(len(long)), min(count, len(long) + 1)):
        rest = [dim for axis, dim in enumerate(long) if axis not in axes]
        if op_type in REDUCTIONS and keep:
            fits = [1 if axis in axes else dim for axis, dim in enumerate(long)] == short
        else:
            fits = rest == short and (op_type in REDUCTIONS or all(long[axis] == 1 for axis in axes))
        if fits:
            yield axes
