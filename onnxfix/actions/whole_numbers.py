"""Floats that are certainly whole numbers, and between which numbers they lie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import onnx

from onnxfix.actions.dtype_intervals import OF_TYPE
from onnxfix.actions.dtype_ranges import MOVING, Ranges
from onnxfix.model.attributes import attribute_of
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD

Interval = tuple[float, float]
"""The smallest and the largest number; infinite where nothing bounds them."""

_ANY: Interval = (-math.inf, math.inf)
_SELECTING = frozenset({"MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "DepthToSpace", "SpaceToDepth"})
"""Operators whose results are elements of their input; padding of MaxPool is never the largest."""

_TOLD = MOVING | _SELECTING | {"Round", "Floor", "Ceil", "Clip", "Cast", "Min", "Max", "Neg", "Add", "Sub", "Mul"}
"""Operators whose results are looked at."""

_T = onnx.TensorProto
_EXACT: Mapping[int, int] = {_T.FLOAT16: 2**11, _T.BFLOAT16: 2**8, _T.FLOAT: 2**24, _T.DOUBLE: 2**53}
"""Up to this size a type holds every whole number, so that no bound is rounded."""


class WholeNumbers:
    """The values of one scope that hold whole numbers only, found in one walk along its nodes."""

    def __init__(self, scope: Scope, ranges: Ranges) -> None:
        self.scope, self.ranges = scope, ranges

    def of(self, name: str) -> Interval | None:
        """The interval of a value of whole numbers (NaN left out); None when it is not certain to be one."""
        if self._made.get(name) is not None:
            return self._made[name]
        array = self.scope.array(name)
        if array is not None:
            return _of_array(array)
        found = self.ranges.of(name)
        return None if found is None else (float(found[0]), float(found[1]))

    @cached_property
    def _made(self) -> dict[str, Interval | None]:
        made: dict[str, Interval | None] = {}
        self.__dict__["_made"] = made  # the walk reads what it has made so far
        for node in self.scope.nodes:
            if node.op_type in _TOLD and node.domain in STANDARD:
                found = _result(node, [self.of(name) if name else None for name in _data(node)])
                results = node.output if node.op_type == "Split" else node.output[:1]  # others are indices
                made |= {name: _exact(found, self.scope.type_of(name).dtype) for name in results if name}
        return made


def _exact(found: Interval | None, dtype: int) -> Interval | None:
    """The interval in an element type: a float beyond its whole numbers has no bounds, an integer that may wrap
    around none of its own."""
    if found is None:
        return None
    if dtype in OF_TYPE:
        low, high = OF_TYPE[dtype]
        return found if low <= found[0] and found[1] <= high else None
    largest = _EXACT.get(dtype, 0)
    return found if -largest <= found[0] and found[1] <= largest else _ANY


def _data(node: onnx.NodeProto) -> list[str]:
    """The inputs that the result's numbers come from."""
    if node.op_type in ("Add", "Sub", "Mul", "Min", "Max", "Clip", "Concat"):
        return list(node.input)
    if node.op_type == "Where":
        return list(node.input[1:3])
    if node.op_type.startswith("Scatter"):
        return [node.input[0], node.input[2]]
    return list(node.input[:1])


def _of_array(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Interval | None:
    numbers = np.asarray(array).astype(np.float64)
    if not numbers.size:
        return 0.0, 0.0
    whole = bool(np.all(np.isfinite(numbers)) and np.all(numbers == np.round(numbers)))
    return (float(numbers.min()), float(numbers.max())) if whole else None


def _result(node: onnx.NodeProto, given: list[Interval | None]) -> Interval | None:
    if node.op_type in ("Round", "Floor", "Ceil"):
        return given[0] or _ANY
    if node.op_type == "Clip":
        return _clipped(node, given)
    if any(item is None for item in given) or not given:
        return None
    known = [item for item in given if item is not None]
    moves = node.op_type in MOVING and attribute_of(node, "reduction", b"none") == b"none"
    if moves or node.op_type in _SELECTING:
        return min(low for low, _ in known), max(high for _, high in known)
    if node.op_type == "Cast":
        return known[0]
    if node.op_type in ("Min", "Max"):
        pick = min if node.op_type == "Min" else max
        return pick(low for low, _ in known), pick(high for _, high in known)
    return _arithmetic(node.op_type, known)


def _clipped(node: onnx.NodeProto, given: list[Interval | None]) -> Interval | None:
    """Between whole bounds; only an input that is whole stays so."""
    if len(node.input) < 3 or any(item is None for item in given[:3]):
        return None
    (low, high), lower, upper = given[0] or _ANY, given[1] or _ANY, given[2] or _ANY
    return min(max(low, lower[0]), upper[1]), min(max(high, lower[1]), upper[1])


def _arithmetic(op_type: str, known: list[Interval]) -> Interval | None:
    if op_type == "Neg":
        return -known[0][1], -known[0][0]
    if op_type not in ("Add", "Sub", "Mul") or len(known) != 2:
        return None
    (a, b), (c, d) = known
    if op_type == "Add":
        return a + c, b + d
    if op_type == "Sub":
        return a - d, b - c
    corners = [x * y for x in (a, b) for y in (c, d)]
    return _ANY if any(map(math.isnan, corners)) else (min(corners), max(corners))
