"""Optional outputs that are written as "" although nothing follows them."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import defs

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import count, name_of, some
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope


def strip_outputs(context: Context) -> Iterable[Proposal]:
    """Drop trailing "" outputs where the operator's schema says that the output is optional."""
    for scope in context.scopes:
        ends = (index for index, names in enumerate(scope.makes) if names and not names[-1])
        lengths = {index: _needed(scope.nodes[index], scope) for index in ends}
        found = [index for index, length in lengths.items() if length < len(scope.nodes[index].output)]
        if found:
            edits = tuple(
                Edit(scope.id, (index,), (_shortened(scope.nodes[index], lengths[index]),)) for index in found
            )
            names = [name_of(scope.nodes[index]) for index in found]
            message = f"{count(found, 'node')} with an empty last output: {some(names)}"
            yield Proposal(message, scope, found[0], edits=edits)


def _needed(node: onnx.NodeProto, scope: Scope) -> int:
    """How many outputs have to be written."""
    length = len(node.output)
    while length > 1 and not node.output[length - 1] and _optional(node, scope, length - 1):
        length -= 1
    return length


def _optional(node: onnx.NodeProto, scope: Scope, position: int) -> bool:
    """Whether an output may be left out.  The operators of ONNX Runtime's own domain have no schema here, and no
    optional output of theirs means anything by being written as ""."""
    if node.domain == "com.microsoft":
        return True
    if node.op_type == "BatchNormalization" and scope.opset < 14:
        return False  # the number of outputs tells training from inference
    try:
        schema = defs.get_schema(node.op_type, scope.opsets.get(node.domain, 1), node.domain)
    except defs.SchemaError:
        return False
    return (
        position < len(schema.outputs)
        and schema.outputs[position].option == defs.OpSchema.FormalParameterOption.Optional
    )


def _shortened(node: onnx.NodeProto, length: int) -> onnx.NodeProto:
    copy = copied(node)
    del copy.output[length:]
    return copy
