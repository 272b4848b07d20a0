"""If whose branches give two ranks, of which what follows takes only one: that branch takes its place."""

from __future__ import annotations

import onnx

from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.decompose.rank_trial import Impossible, Trial
from onnxfix.model.bodies import inlined, own_graph
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
        Trial(op, dict(zip(op.node.output, ranks, strict=True))).follow(op.scope.nodes[op.index + 1 :])
    except Impossible as reason:
        return str(reason)
    return ""


def deciding_input(op: Op) -> str:
    """The graph input of one number or truth on which the condition depends and nothing else, or ""."""
    pending, seen, found = [(op.scope, op.input(0))], set(), set()
    while pending:
        scope, name = pending.pop()
        if name in seen or scope.array(name) is not None:
            continue
        seen.add(name)
        if name in scope.producer:
            node = scope.nodes[scope.producer[name][0]]
            if any(attribute.HasField("g") for attribute in node.attribute):
                return ""
            pending += [(scope, given) for given in node.input if given]
        elif scope.parent is not None and name not in scope.inputs:
            pending.append((scope.parent, name))
        else:
            found.add((name, scope.parent is None and _is_switch(scope.type_of(name))))
    return next(iter(found))[0] if len(found) == 1 and all(switch for _, switch in found) else ""


def _is_switch(kind: ValueType) -> bool:
    return kind.dims in ((), (1,)) and kind.dtype in _SWITCHES
