"""Reshape targets that hold symbolic sizes, written with 0 (copied) and -1 (inferred)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx

from onnxfix.actions.context import Context
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.messages import copied
from onnxfix.model.operators import by_operator
from onnxfix.model.scope import Scope
from onnxfix.model.shape_values import Sizes, shape_values
from onnxfix.model.types import Dim


def fold_reshape(context: Context) -> Iterator[Proposal]:
    """A Proposal for each Reshape whose shape is computed and can be written as a constant.

    An element that equals the input's dimension at its place becomes 0, and at most one other unknown element
    becomes -1 (ONNX operator spec, Reshape-5).  Reshape with allowzero is left alone.  A -1 cannot be inferred for a
    tensor without elements, which is why a 0 among the known elements leaves the node as it is.
    """
    for scope in context.scopes:
        for index in by_operator(scope).get(("", "Reshape"), ()):
            node = scope.nodes[index]
            sizes = shape_values(scope).get(node.input[1]) if len(node.input) == 2 else None
            if sizes is None or sizes.known or sizes.rank != 1:
                continue
            if any(a.name == "allowzero" and a.i for a in node.attribute):
                continue
            shape = constant_shape(sizes, scope.type_of(node.input[0]).dims)
            if shape is not None:
                yield _proposal(context, scope, index, shape)


def constant_shape(sizes: Sizes, data: tuple[Dim, ...] | None) -> list[int] | None:
    """The shape as numbers, or None when that cannot be proven to mean the same."""
    shape: list[int] = []
    for place, element in enumerate(sizes.elements):
        same = data is not None and place < len(data) and isinstance(element, str) and data[place] == element
        if same:
            shape.append(0)
        elif isinstance(element, int):
            shape.append(element)
        else:
            shape.append(-1)
    copied_by_number = any(element == 0 for element in sizes.elements)
    return None if shape.count(-1) > 1 or (copied_by_number and -1 in shape) else shape


def _proposal(context: Context, scope: Scope, index: int, shape: list[int]) -> Proposal:
    old = scope.nodes[index]
    node = copied(old)
    name = context.names.fresh(f"{old.output[0]}_shape")
    node.input[1] = name
    tensor = onnx.numpy_helper.from_array(np.array(shape, dtype=np.int64), name)
    return Proposal(
        message=f"the shape of this Reshape is always {shape}",
        scope=scope,
        node=index,
        edits=(Edit(scope=scope.id, remove=(index,), insert=(node,), initializers=(tensor,)),),
    )
