"""int64 becomes int32 where every number provably stays what it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.dtype_edits import component_edits
from onnxfix.actions.dtype_intervals import INT32, INT64, array_range, inside
from onnxfix.actions.dtype_narrowing import Component, components, constants_of, nodes_of, values_of
from onnxfix.actions.dtype_ranges import ranges_of
from onnxfix.model.edit import Proposal
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope

_INT64 = int(onnx.TensorProto.INT64)

CLAMPED: dict[str, tuple[int, ...]] = {"Slice": (1, 2), "Clip": (1, 2)}
"""Inputs at which a number outside int32 means the same as the nearest int32: Slice cuts its bounds to the size of
the axis; Min, Max and Clip let no other number through."""

_END = 2  # the input of Slice

_INT64_ONLY: dict[str, tuple[int, ...]] = {"Pad": (3,)}
"""Inputs at which the schema allows int32, and the shape inference of onnx (1.23) reads constants as int64 only."""

_INT64_OPERATORS = {"OneHot", "Unique", "CenterCropPad", "STFT", "DFT"}
"""Operators whose schema allows int32, and that ONNX Runtime (1.32) has no kernel for, or whose function body or
shape inference (onnx 1.23) is wrong with it."""


def narrow_integers(context: Context) -> Iterator[Proposal]:
    """One Proposal per group of int64 values that can become int32 together, in every scope.

    A constant that does not fit, at a place where that matters, is a finding without a fix.
    """
    for scope in context.scopes:
        policy = IntegerPolicy(scope)
        for component in components(scope, policy):
            edits = component_edits(scope, context.names, policy, component)
            node = nodes_of(component)[0]
            yield Proposal(_message(component), scope, node, value=_value(component), edits=edits, level="warning")
        yield from _too_large(scope, policy)


class IntegerPolicy:
    """int64 to int32, by proven ranges."""

    source = _INT64
    target = int(onnx.TensorProto.INT32)

    def __init__(self, scope: Scope) -> None:
        self.scope, self.ranges = scope, ranges_of(scope)

    def reads(self, node: onnx.NodeProto) -> bool:
        """All operators but those that work with int64 only."""
        return node.op_type not in _INT64_OPERATORS

    def makes(self, index: int) -> bool:
        """Whether all results lie in int32."""
        return all(inside(self.ranges.of(name), INT32) for name in self.scope.nodes[index].output if name)

    def fits(self, node: onnx.NodeProto, position: int, name: str) -> bool:
        """Whether all numbers lie in int32, or the place takes the nearest one as well.

        ONNX Runtime reads INT32_MAX and INT64_MAX as "down to the first element" where a Slice goes backwards, so
        no other end may become INT32_MAX.
        """
        if position in _INT64_ONLY.get(node.op_type, ()):
            return False
        if inside(self.ranges.of(name), INT32):
            return True
        if node.op_type != "Slice" or position != _END:
            return clamps(node, position)
        array = self.scope.array(name)
        return array is not None and not np.any((array > INT32[1]) & (array != INT64[1]))

    def converted(self, array: Array) -> Array:
        """The numbers as int32, those outside clamped."""
        inside_already = inside(array_range(array), INT32)  # the rule, and a copy of many numbers less
        return (array if inside_already else np.clip(array, *INT32)).astype(np.int32)


def clamps(node: onnx.NodeProto, position: int) -> bool:
    """Whether an input takes the nearest int32 for any number."""
    return node.op_type in ("Min", "Max") or position in CLAMPED.get(node.op_type, ())


def _too_large(scope: Scope, policy: IntegerPolicy) -> Iterator[Proposal]:
    for name, uses in scope.users.items():
        tensor = scope.constant(name)
        if tensor is None or tensor.data_type != _INT64 or inside(policy.ranges.of(name), INT32):
            continue
        bad = next((index for index, at in uses if at >= 0 and not clamps(scope.nodes[index], at)), None)
        if bad is not None:
            low, high = policy.ranges.of(name) or INT32
            number = high if high > INT32[1] else low
            clamped = min(max(number, INT32[0]), INT32[1])
            what = f"{name} holds {number}, which TensorRT before 9 reads as {clamped} without stopping"
            yield Proposal(what, scope, bad, value=name, level="error")


def _message(component: Component) -> str:
    constants, values = len(constants_of(component)), len(values_of(component))
    parts = [f"{n} {what}{'s' * (n > 1)}" for n, what in ((constants, "constant"), (values, "value")) if n]
    return f"int64 that fits int32: {' and '.join(parts)}"


def _value(component: Component) -> str:
    return (constants_of(component) or values_of(component))[0]
