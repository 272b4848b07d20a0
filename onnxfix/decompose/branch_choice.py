"""If whose branches give two ranks, of which what follows takes only one: that branch takes its place."""

from __future__ import annotations

import onnx

from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.decompose.rank_trial import Impossible, Trial
from onnxfix.model.bodies import inlined, own_graph
from onnxfix.model.once import once
from onnxfix.model.scope import Scope, ScopeId
from onnxfix.model.types import ValueType

_SWITCHES = (onnx.TensorProto.BOOL, onnx.TensorProto.INT32, onnx.TensorProto.INT64)
_SIDES = ("then_branch", "else_branch")


def possible_branch(op: Op) -> None:
    """If with a computed condition and branches of two ranks: the only branch after which the model can run."""
    if op.constant(0) is not None:
        raise Unconcerned("the condition is a constant")
    ranks = [[op.inner(side).type_of(name).rank for name in op.inner(side).outputs] for side in _SIDES]
    if not any(None not in pair and pair[0] != pair[1] for pair in zip(*ranks, strict=True)):
        raise Unconcerned("the branches are not known to have two ranks")
    refused = [_refused(op, given) for given in ranks]
    op.require(any(refused), "its branches give two ranks, and what follows may take both")
    op.require(not all(refused), f"its branches give two ranks, and what follows takes neither: {refused[0]}")
    graph = op.graph(_SIDES[bool(refused[0])])
    op.require(own_graph(graph), "the branch holds sparse tensors")
    made = inlined(graph, [], op.names)
    op.take(made)
    op.finish(*made.outputs)


def _refused(op: Op, ranks: list[int | None]) -> str:
    """Which node cannot run when the outputs have these ranks, or ""."""
    try:
        Trial(op, dict(zip(op.node.output, ranks, strict=True))).follow()
    except Impossible as reason:
        return str(reason)
    return ""


def deciding_input(op: Op) -> str:
    """The graph input of one number or truth on which the condition depends and nothing else, or ""."""
    outermost = op.scope
    while outermost.parent is not None:
        outermost = outermost.parent
    known = _deciding(outermost)
    pending = [(op.scope, op.input(0))]
    while pending:
        scope, name = pending[-1]
        behind = _behind(scope, name)
        if (scope.id, name) in known or not behind:
            pending.pop()
            found = {known[home.id, read] for home, read in behind} - {None} if behind else {_own(scope, name)}
            known[scope.id, name] = next(iter(found)) if len(found) == 1 else _SEVERAL if found else None
        else:
            known[scope.id, name] = None
            pending += [(home, read) for home, read in behind if (home.id, read) not in known]
    return known[op.scope.id, op.input(0)] or ""


_SEVERAL = ""
"""What decides a value that hangs on several inputs, or on what is no switch."""


@once
def _deciding(_: Scope) -> dict[tuple[ScopeId, str], str | None]:
    """The input that alone decides a value, None where none does: remembered, so that each value is looked at once."""
    return {}


def _behind(scope: Scope, name: str) -> list[tuple[Scope, str]]:
    """The values that a value is computed from, or the same one in the scope around."""
    if scope.array(name) is not None:
        return []
    if name in scope.producer:
        node = scope.nodes[scope.producer[name][0]]
        inside = any(attribute.HasField("g") for attribute in node.attribute)
        return [] if inside else [(scope, given) for given in node.input if given]
    return [(scope.parent, name)] if scope.parent is not None and name not in scope.inputs else []


def _own(scope: Scope, name: str) -> str | None:
    """The same of a value that is computed from none."""
    if scope.array(name) is not None:
        return None
    if name in scope.producer or scope.parent is not None:
        return _SEVERAL
    return name if _is_switch(scope.type_of(name)) else _SEVERAL


def _is_switch(kind: ValueType) -> bool:
    return kind.dims in ((), (1,)) and kind.dtype in _SWITCHES
