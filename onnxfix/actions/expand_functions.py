"""Operators written out as the ONNX standard defines them."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from onnxfix.actions.context import Context
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.scope import Scope
from onnxfix.opset.expand import obstacle, written_out

_RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}

_WHOLE = (onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.UINT32, onnx.TensorProto.UINT64)


def expand_functions(context: Context) -> Iterator[Proposal]:
    """A Proposal for each node whose operator's schema holds a definition for the opset of its scope.

    It is unsafe when the definition draws random numbers or turns whole numbers into double.  One that cannot be used
    is told of, with the reason.
    """
    for scope, index in context.every_node():
        op_type = scope.nodes[index].op_type
        edit = written_out(scope, index, context.names)
        if edit is None:
            reason = obstacle(scope, index)
            if reason:
                yield Proposal(f"{op_type} is not written out: {reason}", scope, index)
            continue
        message, caution = f"{op_type} is written out as the ONNX standard defines it", _caution(scope, index, edit)
        if caution:
            yield Proposal(f"{message}; {caution}", scope, index, edits=(edit,), applicability="unsafe")
        else:
            yield Proposal(message, scope, index, edits=(edit,))


def _caution(scope: Scope, index: int, edit: Edit) -> str:
    """Why the target may compute something else with the definition of a node."""
    if any(node.op_type in _RANDOM for node in edit.insert):
        return "its random numbers become others"
    casts = (attribute for node in edit.insert if node.op_type == "Cast" for attribute in node.attribute)
    wide = any(attribute.name == "to" and attribute.i == onnx.TensorProto.DOUBLE for attribute in casts)
    if wide and any(scope.type_of(name).dtype in _WHOLE for name in scope.nodes[index].input[:1]):
        return "the definition turns whole numbers into double, and TensorRT narrows that to float"
    return ""
