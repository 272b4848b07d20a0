"""GridSample by Gather: the points around each position, weighed and added (ONNX operator spec, GridSample-22).

Where the spec is silent, on coordinates far outside, it does what ONNX Runtime 1.32 does.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op
from onnxfix.decompose.sizes import counted, part

_T = onnx.TensorProto
_REACH = {"nearest": (0,), "linear": (0, 1), "bilinear": (0, 1), "cubic": (-1, 0, 1, 2), "bicubic": (-1, 0, 1, 2)}
_SHARPNESS = -0.75
"""The constant of the cubic kernel (GridSample-16)."""


@dataclass(frozen=True)
class _Axis:
    """An axis of the input: its size, and where the picture ends on both sides."""

    size: int
    low: float
    high: float


def grid_points(op: Op) -> None:
    """GridSample as a Gather for each of the points around a position; nothing outside is read."""
    sizes = [dim for dim in op.dims(0)[2:] if isinstance(dim, int) and dim > 0]
    fixed = len(sizes) == len(op.dims(0)) - 2 > 0 and isinstance(op.dims(0)[1], int)
    op.require(fixed, f"the size of its input is not fixed: {list(op.dims(0))}")
    corners, padding = bool(op.attribute("align_corners", 0)), op.attribute("padding_mode", "zeros")
    op.require(not corners or padding != "reflection" or 1 not in sizes, "an axis of size 1 reflects into nothing")
    ends = [(0.0, size - 1.0) if corners else (-0.5, size - 0.5) for size in sizes]
    axes = [_Axis(size, *end) for size, end in zip(sizes, ends, strict=True)]
    points = _Points(op, axes, padding)
    taps = [points.taps(axis, op.attribute("mode")) for axis in range(len(axes))]
    total = ""
    for choice in itertools.product(*taps):
        value = points.read([place for place, _ in choice])
        for weight in (weight for _, weight in choice if weight):
            value = op.make("Mul", value, weight)
        total = op.make("Add", total, value) if total else value
    if points.dtype != op.dtype(0):
        total = forms.cast(op, total, op.dtype(0))
    rank = len(sizes) + 2
    op.finish(op.make("Transpose", total, perm=[0, rank - 1, *range(1, rank - 1)]))


class _Points:
    """The positions that a grid asks for, and what lies there."""

    def __init__(self, op: Op, axes: Sequence[_Axis], padding: str) -> None:
        self.op, self.axes, self.padding = op, axes, padding
        halves = op.attribute("mode") != "nearest" and op.dtype(0) in (_T.FLOAT16, _T.BFLOAT16)
        self.dtype = _T.FLOAT if halves else op.dtype(0)
        self.kind = _T.DOUBLE if op.dtype(1) == _T.DOUBLE else _T.FLOAT
        op.require(op.attribute("mode") == "nearest" or self.dtype in (_T.FLOAT, _T.DOUBLE), "it is not of floats")
        grid = op.input(1) if op.dtype(1) == self.kind else forms.cast(op, op.input(1), self.kind)
        count = len(axes)
        columns = forms.split(op, grid, count + 1, [1] * count)
        self.columns = [forms.squeeze(op, column, [count + 1]) for column in reversed(columns)]
        self.table, self.first = self._table(), self._first()

    def number(self, value: float) -> str:
        """A constant of the type of the coordinates."""
        return self.op.const(np.array(value), self.kind)

    def _table(self) -> str:
        """[1 + N * places, C]: a row of zeros, then what lies at each place."""
        op, count = self.op, len(self.axes)
        data = op.input(0) if self.dtype == op.dtype(0) else forms.cast(op, op.input(0), self.dtype)
        last = op.make("Transpose", data, perm=[0, *range(2, count + 2), 1])
        channels = op.dims(0)[1]
        assert isinstance(channels, int)
        rows = forms.reshape(op, last, [-1, channels])
        return op.make("Concat", op.const(np.zeros((1, channels)), self.dtype), rows, axis=0)

    def _first(self) -> str:
        """[N, 1 …] int64: the row of the first place of each picture."""
        op, places = self.op, math.prod(axis.size for axis in self.axes)
        numbers = forms.reshape(op, counted(op, part(op, 0, 0)), [-1, *[1] * len(self.axes)])
        one = op.const(np.int64(1))
        return op.make("Add", op.make("Mul", numbers, op.const(np.int64(places))), one)

    def taps(self, number: int, mode: str) -> list[tuple[tuple[str, str], str]]:
        """The points on one axis, each with the weight of what lies there ("" for 1)."""
        op, axis = self.op, self.axes[number]
        position = self._position(self.columns[number], axis)
        if mode == "nearest":
            position = op.make("Round", position)
        position = self._reflected(position, axis) if self.padding == "reflection" else position
        if mode == "nearest":
            return [(self._place(position, axis), "")]
        floor = op.make("Floor", position)
        rest = op.make("Sub", position, floor)
        found = []
        for step in _REACH[mode]:
            at = op.make("Add", floor, self.number(step)) if step else floor
            weight = self._cubic(rest, step) if mode.endswith("cubic") else self._linear(rest, step)
            weight = weight if self.dtype == self.kind else forms.cast(op, weight, self.dtype)
            found.append((self._place(at, axis), forms.unsqueeze(op, weight, [len(self.axes) + 1])))
        return found

    def _position(self, column: str, axis: _Axis) -> str:
        """From -1 … 1 to elements."""
        op = self.op
        raised = op.make("Add", column, self.number(1))
        if op.attribute("align_corners", 0):
            return op.make("Mul", op.make("Div", raised, self.number(2)), self.number(axis.size - 1))
        scaled = op.make("Mul", raised, self.number(axis.size))
        return op.make("Div", op.make("Sub", scaled, self.number(1)), self.number(2))

    def _clipped(self, position: str, axis: _Axis) -> str:
        return forms.clip(self.op, position, 0, axis.size - 1, self.kind)

    def _reflected(self, position: str, axis: _Axis) -> str:
        """Folded at both ends: the distance from the lower end, modulo twice the length."""
        op, twice = self.op, self.number(2 * (axis.high - axis.low))
        distance = op.make("Sub", position, self.number(axis.low))
        turns = op.make("Floor", op.make("Div", distance, twice))
        rest = op.make("Sub", distance, op.make("Mul", turns, twice))
        folded = op.make("Min", rest, op.make("Sub", twice, rest))
        inside = op.make("Add", folded, self.number(axis.low))
        return op.make("Where", self._beyond(position, axis.low, axis.high), inside, position)

    def _beyond(self, position: str, low: float, high: float) -> str:
        op = self.op
        below, above = op.make("Less", position, self.number(low)), op.make("Greater", position, self.number(high))
        return op.make("Or", below, above)

    def _place(self, position: str, axis: _Axis) -> tuple[str, str]:
        """A whole position as an int64 place, and 1 where something lies there, else 0 ("" when it always does)."""
        op = self.op
        whole = self._reflected(position, axis) if self.padding == "reflection" else position
        place = forms.cast(op, self._clipped(whole, axis), _T.INT64)
        if self.padding != "zeros":
            return place, ""
        return place, forms.cast(op, op.make("Not", self._beyond(position, 0, axis.size - 1)), _T.INT64)

    def _linear(self, rest: str, step: int) -> str:
        return rest if step else self.op.make("Sub", self.number(1), rest)

    def _cubic(self, rest: str, step: int) -> str:
        """The weight of the point `step` behind the floor, by Horner's rule on its distance."""
        op, a = self.op, _SHARPNESS
        distance = op.make("Sub", rest, self.number(step)) if step <= 0 else op.make("Sub", self.number(step), rest)
        near, far = (a + 2, -(a + 3), 0, 1), (a, -5 * a, 8 * a, -4 * a)
        result = ""
        for factor in near if step in (0, 1) else far:
            result = op.make("Add", op.make("Mul", result, distance), self.number(factor)) if result else ""
            result = result or self.number(factor)
        return result

    def read(self, places: Sequence[tuple[str, str]]) -> str:
        """[N, out …, C]: what lies at a place on every axis."""
        op, row, stride = self.op, self.first, 1
        for (place, _), axis in zip(reversed(places), reversed(self.axes), strict=True):
            scaled = op.make("Mul", place, op.const(np.int64(stride))) if stride > 1 else place
            row, stride = op.make("Add", row, scaled), stride * axis.size
        for _, inside in places:
            row = op.make("Mul", row, inside) if inside else row
        return op.make("Gather", self.table, row, axis=0)
