"""Outputs of the main graph that are missing: values nobody reads that should leave the graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import count, made_twice, some
from onnxfix.actions.type_outputs import inferred_output
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.scope import Scope


def mark_outputs(context: Context, beside: bool = False) -> Iterable[Proposal]:
    """Mark the leaves (values nobody reads) as outputs, in one proposal.

    `beside` false: only in a graph that has no output at all.  `beside` true: only in a graph that has some, and
    only first outputs of nodes.
    """
    scope = context.main
    if bool(scope.outputs) != beside or made_twice(scope):
        return
    leaves = _leaves(scope)
    if beside:
        leaves = [name for name in leaves if scope.producer[name][1] == 0 and not _stored(scope, name)]
    if leaves:
        what = f"{count(leaves, 'value')} that nobody reads: {some(leaves)}"
        yield _proposal(scope, leaves, f"not an output: {what}" if beside else f"the graph has no output; {what}")


def _proposal(scope: Scope, names: Sequence[str], message: str) -> Proposal:
    node = scope.producer[names[0]][0]
    outputs = [inferred_output(scope, onnx.ValueInfoProto(name=name)) for name in names]
    untyped = [name for name, output in zip(names, outputs, strict=True) if output is None]
    if untyped:
        return Proposal(f"{message}; the type of {some(untyped)} cannot be inferred", scope, node, names[0])
    edit = Edit(scope.id, outputs=tuple(output for output in outputs if output is not None))
    return Proposal(message, scope, node, names[0], (edit,))


def _leaves(scope: Scope) -> list[str]:
    """Values made here that nobody reads, in the order of the nodes.

    A node's second and later outputs (a mask, statistics) and stored constants count only when there is no other.
    """
    unread = [name for name in scope.producer if name not in scope.users and name not in scope.output_set]
    computed = [name for name in unread if not _stored(scope, name)]
    return [name for name in computed if scope.producer[name][1] == 0] or computed or unread


def _stored(scope: Scope, name: str) -> bool:
    return scope.nodes[scope.producer[name][0]].op_type == "Constant"
