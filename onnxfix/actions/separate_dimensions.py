"""Dimension names that do not say what they seem to: placeholders, and names of sizes that the weights fix."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from onnxfix.actions.context import Context
from onnxfix.actions.fix_shapes import declared_values
from onnxfix.model.attributes import integer_of
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD

_PLACEHOLDER = re.compile(r"[^A-Za-z]*|None|unknown|unk|dynamic", re.IGNORECASE)
"""Names that exporters write for a size that has none: `?`, `-1`, `None` …"""

_CHANNELS = {"Conv": 1, "ConvTranspose": 0}
"""Operators whose axis 1 is fixed by their weights, and the weights' axis that holds it (for a group)."""


def separate_dimensions(context: Context) -> Iterator[Proposal]:
    """One Proposal that takes placeholder names off dimensions, and one that writes sizes that weights fix.

    Only names that several dimensions of inputs share are looked at.
    """
    graph = context.model.proto.graph
    dims = [dim for value in graph.input for dim in value.type.tensor_type.shape.dim if dim.dim_param]
    shared = {name for name, count in Counter(dim.dim_param for dim in dims).items() if count > 1}
    empty = sorted(name for name in shared if _PLACEHOLDER.fullmatch(name))
    if empty:
        made = copied(context.model.proto)
        for value in declared_values(made.graph):
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_param in empty:
                    dim.Clear()
        names = ", ".join(repr(name) for name in empty)
        message = f"dimensions of inputs are called {names}, which stands for any size and not for one size"
        yield Proposal(message, context.main, edits=(Edit((), model=made),), exclusive=True)
        return
    fixed = dict(_fixed(context.main, shared))
    if fixed:
        made = copied(context.model.proto)
        for value in made.graph.input:
            if value.name in fixed:
                value.type.tensor_type.shape.dim[1].dim_value = fixed[value.name][1]
        name, (label, size) = next(iter(fixed.items()))
        message = f"dimension {label!r} is shared, and at axis 1 of {name} the weights make it {size}"
        yield Proposal(message, context.main, value=name, edits=(Edit((), model=made),), exclusive=True)


def _fixed(scope: Scope, shared: set[str]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Inputs whose axis 1 has a shared name and goes into a convolution: (input, (name, number of channels))."""
    for node in scope.nodes:
        axis = _CHANNELS.get(node.op_type) if node.domain in STANDARD else None
        if axis is None or len(node.input) < 2 or node.input[0] not in scope.inputs:
            continue
        dims = scope.type_of(node.input[0]).dims
        weights = scope.constant(node.input[1])
        if dims is None or len(dims) < 2 or weights is None or not isinstance(dims[1], str) or dims[1] not in shared:
            continue
        group = integer_of(node, "group", 1) if axis == 1 else 1
        yield node.input[0], (dims[1], weights.dims[axis] * group)
