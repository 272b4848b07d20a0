"""Facts about the target that are no refusal: attributes without effect, precisions, what is not known of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import onnx

from onnxfix.actions.context import Context
from onnxfix.model.edit import Proposal
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD
from onnxfix.targets import Target, gpu_precision, supports, unknown_operator

HALF_MAX = float(np.finfo(np.float16).max)
"""65504: larger numbers become infinite in float16 (IEEE 754)."""

_WIDE = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
_BYTES = {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
_MOST = 1 << 16
"""Constants of more elements are weights, which are not read for this."""


def report_ignored(context: Context) -> Iterator[Proposal]:
    """A note for each node with an attribute that the target takes and does not obey."""
    if context.target is None:
        return
    answers: dict[tuple[object, ...], str] = {}  # nodes of one form are asked about once
    for scope, index in context.every_node():
        node = scope.nodes[index]
        if node.attribute and node.domain in STANDARD:
            form = node.op_type, scope.opset, *(attribute.SerializeToString() for attribute in node.attribute)
            if form not in answers:
                answers[form] = _ignored(context.target, node, scope.opset)
            if answers[form]:
                yield Proposal(answers[form], scope, index)


def _ignored(target: Target, node: onnx.NodeProto, opset: int) -> str:
    """What the target says of an attribute of the node that it does not obey; "" when it obeys all."""
    given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute if not a.ref_attr_name}
    support = supports(target, node.op_type, opset=opset, attributes=given)
    return support.reason if support.answer == "yes" and support.level == "ignored" else ""


def report_precisions(context: Context) -> Iterator[Proposal]:
    """A note for each precision of the model that the target's GPU is known not to compute in; at its first node."""
    if context.target is None or context.target.compute_capability is None:
        return
    first: dict[str, tuple[Scope, int]] = {}
    for scope, index in context.every_node():
        for precision in _precisions(scope, scope.nodes[index]):
            first.setdefault(precision, (scope, index))
    for precision, (scope, index) in first.items():
        support = gpu_precision(context.target, precision)
        if support.answer == "no":
            place = context.target.device or f"compute capability {context.target.compute_capability}"
            text = f"{scope.nodes[index].op_type} uses {precision}, in which the GPU of {place} does not compute"
            yield Proposal(f"{text} ({support.source})", scope, index)


def _precisions(scope: Scope, node: onnx.NodeProto) -> Iterator[str]:
    """int8 of a node that quantizes or works on quantized numbers, fp16 of one that makes half precision."""
    made = {scope.type_of(name).dtype for name in node.output if name}
    if onnx.TensorProto.FLOAT16 in made:
        yield "fp16"
    quantized = node.op_type.startswith(("QLinear", "QuantizeLinear", "DynamicQuantizeLinear"))
    if (quantized and made & _BYTES) or node.op_type in ("MatMulInteger", "ConvInteger"):
        yield "int8"


def report_unknown(context: Context) -> Iterator[Proposal]:
    """A note for each operator of which no source says whether the target takes it; at its first node.

    A call of a function of the model is no operator.
    """
    if context.target is None:
        return
    functions = {(function.domain, function.name) for function in context.model.proto.functions}
    told: set[str] = set()
    for scope, index in context.every_node():
        node = scope.nodes[index]
        if node.op_type in told or (node.domain, node.op_type) in functions:
            continue
        told.add(node.op_type)
        reason = unknown_operator(context.target, node.op_type)
        if reason:
            plugin = "" if onnx.defs.has(node.op_type) else f" of {node.domain}, which needs a plugin of that name"
            yield Proposal(f"{reason}{plugin}", scope, index)


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
        tensor = scope.constant(name)
        if tensor is not None and scope.type_of(name).dtype in _WIDE and math.prod(tensor.dims) <= _MOST:
            yield name
