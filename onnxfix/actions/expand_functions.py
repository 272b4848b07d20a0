"""Operators written out as the ONNX standard defines them."""

from __future__ import annotations

from collections.abc import Iterator

from onnxfix.actions.context import Context
from onnxfix.model.edit import Proposal
from onnxfix.opset.expand import written_out


def expand_functions(context: Context) -> Iterator[Proposal]:
    """A Proposal for each node whose operator's schema holds a definition for the opset of its scope."""
    for scope, index in context.every_node():
        edit = written_out(scope, index, context.names)
        if edit is not None:
            op_type = scope.nodes[index].op_type
            yield Proposal(f"{op_type} is written out as the ONNX standard defines it", scope, index, edits=(edit,))
