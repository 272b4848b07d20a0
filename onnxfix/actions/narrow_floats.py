"""double becomes float: exactly where every number survives, rounded where it does not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.dtype_edits import component_edits, drop_overlaps
from onnxfix.actions.dtype_intervals import inside
from onnxfix.actions.dtype_narrowing import Component, components, constants_of, nodes_of, values_of
from onnxfix.actions.dtype_ranges import MOVING, ranges_of
from onnxfix.model.attributes import attribute_of
from onnxfix.model.edit import Proposal
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope
from onnxfix.records import Level
from onnxfix.targets.records import Target, release

_T = onnx.TensorProto
_WHOLE = (-(2**24), 2**24)
"""float holds every integer between these (IEEE 754 binary32 has a 24-bit significand)."""

_NARROW = (int(_T.FLOAT), int(_T.FLOAT16), int(_T.BFLOAT16))

_READERS = frozenset(
    {
        *("Cast", "Shape", "Size", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "IsNaN", "IsInf"),
        *("ArgMax", "ArgMin"),
    }
)
"""Operators that make the same of a double and of an equal float."""


def narrow_floats(context: Context) -> Iterator[Proposal]:
    """One Proposal per group of double values that can become float together: first those that stay exact.

    An error for a target that has no double, else a note: the target narrows them itself, or has them.
    """
    for scope in context.scopes:
        if int(_T.DOUBLE) not in scope.dtypes:
            continue
        level = _level(context.target)
        exact, rounded = FloatPolicy(scope, exact=True), FloatPolicy(scope, exact=False)
        taken: set[int] = set()
        for policy in (exact, rounded):
            for component in drop_overlaps(scope, components(scope, policy), taken):
                yield Proposal(
                    _message(component, exact=policy.exact),
                    scope,
                    nodes_of(component)[0],
                    value=(constants_of(component) or values_of(component))[0],
                    edits=component_edits(scope, context.names, policy, component),
                    applicability="safe" if policy.exact else "unsafe",
                    level=level,
                )


class FloatPolicy:
    """double to float; with `exact` only what keeps every number."""

    source = int(_T.DOUBLE)
    target = int(_T.FLOAT)

    def __init__(self, scope: Scope, *, exact: bool) -> None:
        self.scope, self.exact = scope, exact

    def reads(self, node: onnx.NodeProto) -> bool:
        """Everything when numbers may be rounded, else what computes nothing."""
        return not self.exact or node.op_type in MOVING or node.op_type in _READERS or node.op_type == "ConstantOfShape"

    def makes(self, index: int) -> bool:
        """Whether the results are floats already."""
        node = self.scope.nodes[index]
        if not self.exact:
            return True
        if node.op_type == "Cast":
            source = self.scope.type_of(node.input[0]).dtype
            return source in _NARROW or inside(ranges_of(self.scope).of(node.input[0]), _WHOLE)
        if node.op_type == "ConstantOfShape":
            value = attribute_of(node, "value")
            return value is None or same_as_float(onnx.numpy_helper.to_array(value))
        return bool(attribute_of(node, "reduction", b"none") == b"none")

    def fits(self, node: onnx.NodeProto, position: int, name: str) -> bool:
        """Whether all numbers of a constant are floats, or the node makes floats of them anyway."""
        del position
        tensor = self.scope.constant(name)
        if tensor is None or not self.scope.model.is_readable(tensor):
            return False
        to_float = node.op_type == "Cast" and attribute_of(node, "to", 0) == self.target
        return not self.exact or to_float or all(map(same_as_float, self.scope.model.parts(tensor)))

    def converted(self, array: Array) -> Array:
        """The nearest floats."""
        with np.errstate(over="ignore"):
            return array.astype(np.float32)


def same_as_float(array: Array) -> bool:
    """Whether every double is a float too (a NaN is)."""
    with np.errstate(over="ignore"):
        return bool(np.array_equal(array.astype(np.float32).astype(np.float64), array, equal_nan=True))


def _level(target: Target | None) -> Level:
    return "error" if target is not None and release(target).double == "refused" else "note"


def _message(component: Component, *, exact: bool) -> str:
    constants, values = len(constants_of(component)), len(values_of(component))
    parts = [f"{n} {what}{'s' * (n > 1)}" for n, what in ((constants, "constant"), (values, "value")) if n]
    return f"double {' and '.join(parts)}: float {'holds the same numbers' if exact else 'rounds the numbers'}"
