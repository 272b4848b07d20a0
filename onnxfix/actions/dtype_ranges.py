"""Between which numbers the integers of a scope lie, as far as constants, shapes and types prove it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import onnx

from onnxfix.actions.dtype_intervals import INT32, OF_TYPE, Range, array_range, greatest, inside, least, union
from onnxfix.model.attributes import attribute_of
from onnxfix.model.once import once
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD


class Ranges:
    """The ranges of all integer and boolean values that a scope reads or makes.

    A size is taken to be below 2**31, which holds for every tensor that TensorRT before 10 can make.  `given` are
    ranges of inputs that the file does not tell.
    """

    def __init__(self, scope: Scope, given: Mapping[str, Range] | None = None) -> None:
        self.scope = scope
        self._known: dict[str, Range | None] = dict(given or {})
        for node, names in zip(scope.nodes, scope.makes, strict=True):
            made = [name for name in names if name and scope.constant(name) is None]
            whole = any(scope.type_of(name).dtype in OF_TYPE for name in made)
            found = self._result(node) if whole else None  # what is no integer has no range
            self._known |= {name: self._settled(name, found) for name in made}

    def of(self, name: str) -> Range | None:
        """The range of a value; None for one that is no integer or of unknown type."""
        if name not in self._known:
            tensor = self.scope.constant(name)
            whole = tensor is not None and tensor.data_type in OF_TYPE
            found = union([array_range(part) for part in self.scope.model.parts(tensor)]) if tensor and whole else None
            self._known[name] = self._settled(name, found)
        return self._known[name]

    def _result(self, node: onnx.NodeProto) -> Range | None:
        if any(a.ref_attr_name for a in node.attribute):
            return None
        rule = _RULES.get(node.op_type) if node.domain in STANDARD else None
        return rule(self, node) if rule else None

    def _settled(self, name: str, found: Range | None) -> Range | None:
        """What was found, or the range of the type where nothing was, or where the arithmetic may wrap around."""
        whole = OF_TYPE.get(self.scope.type_of(name).dtype)
        return found if whole and inside(found, whole) else whole


@once
def ranges_of(scope: Scope) -> Ranges:
    """The ranges of a scope, as far as the file tells."""
    return Ranges(scope)


def _given(ranges: Ranges, node: onnx.NodeProto, positions: slice = slice(None)) -> list[Range | None]:
    return [ranges.of(name) for name in node.input[positions] if name]


def _first(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    return ranges.of(node.input[0])


def _all(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    return union(_given(ranges, node))


def _where(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    return union(_given(ranges, node, slice(1, 3)))


def _scatter(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    if attribute_of(node, "reduction", b"none") != b"none":
        return None
    return union([ranges.of(node.input[0]), ranges.of(node.input[2])])


def _pad(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    filler = node.input[2] if len(node.input) > 2 else ""
    return union([ranges.of(node.input[0]), ranges.of(filler) if filler else (0, 0)])


def _corners(combine: Callable[[int, int], int]) -> Callable[[Ranges, onnx.NodeProto], Range | None]:
    """The range of a function of two numbers that is monotone in each of them."""

    def rule(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
        left, right = ranges.of(node.input[0]), ranges.of(node.input[1])
        if left is None or right is None:
            return None
        found = [combine(a, b) for a in left for b in right]
        return min(found), max(found)

    return rule


def _div(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    left = ranges.of(node.input[0])
    size = max(abs(left[0]), abs(left[1])) if left else 0
    return (-size, size) if left and ranges.of(node.input[1]) else None


def _mod(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    """The sign is the divisor's, or the dividend's with fmod.  INT32_MIN mod -1 traps on x86, so it proves nothing."""
    left, right = ranges.of(node.input[0]), ranges.of(node.input[1])
    if left is None or right is None or (left[0] <= INT32[0] and right[0] <= -1 <= right[1]):
        return None
    if attribute_of(node, "fmod", 0):
        return min(left[0], 0), max(left[1], 0)
    return min(right[0] + 1, 0), max(right[1] - 1, 0)


def _neg(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    found = _first(ranges, node)
    return None if found is None else (-found[1], -found[0])


def _abs(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    found = _first(ranges, node)
    if found is None:
        return None
    low = 0 if found[0] <= 0 <= found[1] else min(abs(found[0]), abs(found[1]))
    return low, max(abs(found[0]), abs(found[1]))


def _min(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    return least(_given(ranges, node))


def _max(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    return greatest(_given(ranges, node))


def _clip(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    """min(max(x, lower), upper), as ONNX defines it, also where lower is above upper."""
    lower, upper, *_ = (*node.input[1:], "", "")
    found = _first(ranges, node)
    if lower:
        found = greatest([found, ranges.of(lower)])
    return least([found, ranges.of(upper)]) if upper else found


def _sum(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    """A sum of some of the elements: of at most all of them."""
    found, kind = _first(ranges, node), ranges.scope.type_of(node.input[0])
    if found is None or not kind.static or kind.dims is None:
        return None
    count = max(1, math.prod(dim for dim in kind.dims if isinstance(dim, int)))
    return min(0, count * found[0]), max(0, count * found[1])


def _filled(_: Ranges, node: onnx.NodeProto) -> Range | None:
    tensor = attribute_of(node, "value")
    if tensor is None or tensor.data_type not in OF_TYPE:
        return None
    return array_range(onnx.numpy_helper.to_array(tensor))


def _range(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    """From start to limit; a kernel computes limit - start, which must not wrap around either."""
    start, limit = ranges.of(node.input[0]), ranges.of(node.input[1])
    if start is None or limit is None or not inside((limit[0] - start[1], limit[1] - start[0]), INT32):
        return None
    return union([start, limit])


def _shape(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    dims = ranges.scope.type_of(node.input[0]).dims
    sizes = [dim if isinstance(dim, int) else None for dim in dims or (None,)]
    return union([(0, INT32[1]) if size is None else (size, size) for size in sizes])


def _size(ranges: Ranges, node: onnx.NodeProto) -> Range | None:
    dims = ranges.scope.type_of(node.input[0]).dims
    count = math.prod(dim for dim in dims if isinstance(dim, int)) if dims is not None else 0
    static = dims is not None and all(isinstance(dim, int) for dim in dims)
    return (count, count) if static else None


def _index(_: Ranges, __: onnx.NodeProto) -> Range | None:
    return 0, INT32[1]


_MOVED = (
    *("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Expand", "Tile", "Split"),
    *("Gather", "GatherND", "GatherElements", "ReverseSequence", "Compress"),
)
MOVING = frozenset({*_MOVED, "Concat", "Where", "Scatter", "ScatterElements", "ScatterND"})
"""Operators that compute nothing: their results are elements of their inputs (scatter only without a reduction)."""

_RULES: dict[str, Callable[[Ranges, onnx.NodeProto], Range | None]] = {
    **dict.fromkeys(_MOVED, _first),
    "Concat": _all,
    "Where": _where,
    "Pad": _pad,
    "Cast": _first,
    **dict.fromkeys(("Scatter", "ScatterElements", "ScatterND"), _scatter),
    "Add": _corners(lambda a, b: a + b),
    "Sub": _corners(lambda a, b: a - b),
    "Mul": _corners(lambda a, b: a * b),
    "Div": _div,
    "Mod": _mod,
    "Neg": _neg,
    "Abs": _abs,
    "Min": _min,
    "Max": _max,
    "Clip": _clip,
    **dict.fromkeys(("ReduceSum", "CumSum"), _sum),
    "ConstantOfShape": _filled,
    "Range": _range,
    "Shape": _shape,
    "Size": _size,
    **dict.fromkeys(("ArgMax", "ArgMin", "NonZero"), _index),
}
