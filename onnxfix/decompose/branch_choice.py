"""If whose branches give two ranks, of which what follows takes only one: that branch takes its place."""

from __future__ import annotations

from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.decompose.rank_trial import Impossible, Trial
from onnxfix.model.attributes import graph_of
from onnxfix.model.bodies import inlined, own_graph

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
    graph = graph_of(op.node, _SIDES[bool(refused[0])])
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
