"""Subgraphs that return a value of an enclosing graph as it is."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import count, exists, renamed_outputs, some, sparse
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.scope import Scope


def own_outputs(context: Context) -> Iterable[Proposal]:
    """Put an Identity node before every output of a subgraph that an enclosing graph makes."""
    for scope in context.scopes:
        if scope.parent is None:
            continue
        outer = [name for name in dict.fromkeys(scope.outputs) if _from_outside(scope, name)]
        if outer:
            names = {name: context.names.fresh(name) for name in outer}
            nodes = tuple(onnx.helper.make_node("Identity", [old], [new]) for old, new in names.items())
            edit = Edit(
                scope.id, insert=nodes, outputs=renamed_outputs(scope, names), drop_outputs=tuple(scope.outputs)
            )
            message = f"returns {count(outer, 'value')} of an enclosing graph as it is: {some(outer)}"
            yield Proposal(message, scope, value=outer[0], edits=(edit,))


def _from_outside(scope: Scope, name: str) -> bool:
    return not scope.defines(name) and name not in sparse(scope) and exists(scope, name)
