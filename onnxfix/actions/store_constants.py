"""Constant nodes of a type that their opset does not allow become initializers."""

from __future__ import annotations

from collections.abc import Iterator

from onnxfix.actions.context import Context
from onnxfix.model.attributes import constant_tensor
from onnxfix.model.edit import Proposal
from onnxfix.model.operators import by_operator
from onnxfix.model.types import dtype_name
from onnxfix.opset.constants import FLOATING, stored_constant


def store_constants(context: Context) -> Iterator[Proposal]:
    """One proposal for each Constant below opset 9 whose tensor is not of a floating type."""
    for scope in context.scopes:
        for index in by_operator(scope).get(("", "Constant"), ()) if scope.opset < 9 else ():
            node = scope.nodes[index]
            tensor = None if node.domain else constant_tensor(node)
            if tensor is not None and tensor.data_type not in FLOATING:
                edit = stored_constant(scope, index)
                message = f"a Constant of type {dtype_name(tensor.data_type)} does not exist before opset 9"
                yield Proposal(message, scope, index, edits=(edit,) if edit else ())
