"""The blocked layout that ONNX Runtime writes into saved models, undone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from onnxfix import sandbox
from onnxfix.actions.context import Context
from onnxfix.actions.decompose import STUMBLES
from onnxfix.decompose import NoRewrite, Op
from onnxfix.decompose.microsoft_blocked import DOMAIN, machine_block, possible_blocks, stranger, unblocked
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope


def unblock_layout(context: Context) -> Iterator[Proposal]:
    """One Proposal for each scope with blocked tensors: all of its nodes of that layout change, or none.

    Where the sizes allow more than one size of blocks, that of ONNX Runtime on this machine is taken, which is what
    the model computes here.
    """
    for scope in context.scopes:
        found = [index for index, node in enumerate(scope.nodes) if node.domain == DOMAIN]
        if not found:
            continue
        try:
            edits = _edits(scope, found, context.names)
        except NoRewrite as reason:
            yield Proposal(f"the blocked layout is not undone: {reason}", scope, found[0])
            continue
        except STUMBLES:
            yield Proposal("the blocked layout is not undone: a node of it is not as it should be", scope, found[0])
            continue
        yield Proposal("the blocked layout is undone", scope, found[0], edits=edits)


def _edits(scope: Scope, found: list[int], names: Names) -> tuple[Edit, ...]:
    reader = stranger(scope)
    if reader:
        raise NoRewrite(f"{reader} reads a blocked tensor")
    block = _block(scope)
    edits = []
    for index in found:
        op = Op(scope, index, names)
        unblocked(op, block)
        edits.append(op.edit())
    return tuple(edits)


def _block(scope: Scope) -> int:
    blocks = possible_blocks(scope)
    if len(blocks) > 1:
        own = _own_block()
        blocks = [block for block in blocks if block == own]
    if len(blocks) != 1:
        raise NoRewrite("the size of the blocks cannot be told; save the model anew with graph optimization `extended`")
    return blocks[0]


def _own_block() -> int:
    """The block size of ONNX Runtime here, 0 when that cannot be found out this time."""
    try:
        return _asked()
    except sandbox.SandboxFailure:
        return 0


@cache
def _asked() -> int:
    """The answer of ONNX Runtime; a failure is not remembered.  Raises SandboxFailure."""
    return int(sandbox.default().call(f"{machine_block.__module__}:{machine_block.__name__}", timeout=60.0))
