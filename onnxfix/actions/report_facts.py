"""Facts about the target that are no refusal: attributes without effect, numbers that half precision does not hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx

from onnxfix.actions.context import Context
from onnxfix.model.edit import Proposal
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD
from onnxfix.targets import supports

HALF_MAX = float(np.finfo(np.float16).max)
"""65504: larger numbers become infinite in float16 (IEEE 754)."""

_MOST = 1 << 16
"""Constants of more elements are weights, which are not read for this."""


def report_ignored(context: Context) -> Iterator[Proposal]:
    """A note for each node with an attribute that the target takes and does not obey."""
    if context.target is None:
        return
    for scope, index in context.every_node():
        node = scope.nodes[index]
        if node.domain in STANDARD and node.attribute:
            given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute if not a.ref_attr_name}
            support = supports(context.target, node.op_type, opset=scope.opset, attributes=given)
            if support.answer == "yes" and support.level == "ignored":
                yield Proposal(support.reason, scope, index)


def report_half_overflow(context: Context) -> Iterator[Proposal]:
    """A note for each constant of float32 or float64 with numbers beyond float16, as masks of attention have."""
    for scope in context.scopes:
        for name in _floats(scope):
            array = scope.array(name)
            if array is None or not array.size:
                continue
            finite = np.abs(array[np.isfinite(array)])
            if finite.size and finite.max() > HALF_MAX:
                text = f"{name} holds {float(finite.max()):.3g}, which float16 does not: infinite in half precision"
                yield Proposal(text, scope, None, value=name)


def _floats(scope: Scope) -> Iterator[str]:
    """The small float constants that nodes read."""
    for name in scope.users:
        kind, tensor = scope.type_of(name), scope.constant(name)
        wide = kind.dtype in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
        if wide and tensor is not None and np.prod(tensor.dims or [1]) <= _MOST:
            yield name
