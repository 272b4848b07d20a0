"""If: the branch that runs put in its place; branches of two ranks made equal; both branches computed."""

from __future__ import annotations

import onnx

from onnxfix.decompose.branch_choice import deciding_input
from onnxfix.decompose.op import NoRewrite, Op, Unconcerned
from onnxfix.model.attributes import graph_of
from onnxfix.model.bodies import inlined, own_graph
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope, subgraphs
from onnxfix.model.sequences import Unknown, elements
from onnxfix.model.types import STANDARD, ValueType, from_value_info, to_value_info

_PARTIAL = frozenset(
    {
        *("Gather", "GatherElements", "GatherND", "Scatter", "ScatterElements", "ScatterND", "Compress", "OneHot"),
        *("Div", "Mod", "If", "Loop", "Scan", "RandomNormal", "RandomNormalLike", "RandomUniform"),
        *("RandomUniformLike", "Bernoulli", "Multinomial", "Dropout", "StringSplit", "RegexFullMatch", "TopK"),
        *("ReverseSequence", "RoiAlign", "CumSum", "Range", "ConstantOfShape", "Tile", "Expand", "MaxUnpool"),
    }
)
"""Operators that may refuse values (an index outside, a division of integers by zero) or draw numbers: a branch that
is not chosen must not run them."""


def inline_branch(op: Op) -> None:
    """If with a constant condition: the nodes of the branch that runs."""
    chosen = op.constant(0)
    if chosen is None:
        raise Unconcerned("the condition is not a constant")
    graph = _branch(op, bool(chosen.reshape(-1)[0]))
    op.require(own_graph(graph), "the branch holds sparse tensors")
    made = inlined(graph, [], op.names)
    op.take(made)
    op.finish(*made.outputs)


def select_branches(op: Op) -> None:
    """If with a computed condition: both branches run, and Where selects.

    Twice the work at most, and both results in memory.  Exact where neither branch can refuse its values.
    """
    if op.constant(0) is not None:
        raise Unconcerned("the condition is a constant")
    try:
        _select(op)
    except NoRewrite as reason:
        switch = deciding_input(op)
        hint = f"; --freeze {switch}=VALUE decides its condition, which depends on that input alone" if switch else ""
        raise NoRewrite(f"{reason}{hint}") from None


def _select(op: Op) -> None:
    op.require(op.opset >= 9, "below opset 9 there is no Where")
    graphs = [_branch(op, True), _branch(op, False)]
    for graph, side in zip(graphs, ("then_branch", "else_branch"), strict=True):
        _require_total(op, graph, op.inner(side))
    for one, other in zip(*(graph.output for graph in graphs), strict=True):
        kinds = from_value_info(one), from_value_info(other)
        same = kinds[0].static and kinds[0].dtype == kinds[1].dtype and kinds[0].dims == kinds[1].dims
        op.require(same, f"{one.name} and {other.name} do not have one fixed shape")
        op.require(bool(kinds[0].rank) or op.type(0).rank == 0, "its condition may give the result an axis")
    made = [inlined(graph, [], op.names) for graph in graphs]
    for part in made:
        op.take(part)
    op.finish(*(op.make("Where", op.input(0), *pair) for pair in zip(*(part.outputs for part in made), strict=True)))


def equal_ranks(op: Op) -> None:
    """Branches of different rank, whose result only Reshapes read: the smaller one gets axes of size 1 in front.

    A Reshape to a shape without copied sizes reads elements in their order, so that axes of size 1 change nothing.
    """
    kinds = [tuple(from_value_info(value) for value in _branch(op, side).output) for side in (True, False)]
    uneven = [place for place, (one, other) in enumerate(zip(*kinds, strict=True)) if _uneven(one, other)]
    if not uneven:
        raise Unconcerned("the branches have the same ranks")
    for place in uneven:
        op.require(_only_reshaped(op, op.node.output[place]), f"its branches give {op.node.output[place]} two ranks")
    rank = {place: max(kinds[0][place].rank or 0, kinds[1][place].rank or 0) for place in uneven}
    node = copied(op.node)
    for _, _, graph in subgraphs(node):
        for place in uneven:
            _raise_rank(op, graph, place, rank[place])
    op.keep(node)


def list_branches(op: Op) -> None:
    """Branches that give sequences of equal length: an If that gives their elements, and a SequenceConstruct."""
    lists = {place for place, value in enumerate(_branch(op, True).output) if value.type.HasField("sequence_type")}
    if not lists:
        raise Unconcerned("it gives tensors")
    node = copied(op.node)
    names = [_list_outputs(op, node, side, lists) for side in ("then_branch", "else_branch")]
    for place in lists:
        op.require(names[0][place] == names[1][place] > 0, "its branches give sequences of different lengths, or none")
    outputs: list[str] = []
    made: dict[str, list[str]] = {}
    for place, name in enumerate(op.node.output):
        items = [op.names.fresh(f"{name}_{number}") for number in range(names[0][place])] if place in lists else [name]
        outputs += items
        made |= {name: items} if place in lists and name else {}
    node.output[:] = outputs
    op.keep(node)
    for name, items in made.items():
        op.bind(op.make("SequenceConstruct", *items), name)


def _list_outputs(op: Op, node: onnx.NodeProto, side: str, lists: set[int]) -> dict[int, int]:
    """Give a branch the elements of its sequences as outputs; how many each has."""
    graph = graph_of(node, side)
    scope = op.inner(side)
    counts: dict[int, int] = {}
    outputs: list[onnx.ValueInfoProto] = []
    for place, value in enumerate(graph.output):
        if place not in lists:
            outputs.append(copied(value))
            continue
        try:
            items = elements(scope, value.name)
        except Unknown as reason:
            raise NoRewrite(str(reason)) from None
        counts[place] = len(items)
        for item in items:
            name = op.names.fresh(f"{item}_element")
            graph.node.append(onnx.helper.make_node("Identity", [item], [name]))
            outputs.append(to_value_info(name, scope.type_of(item)))
    del graph.output[:]
    graph.output.extend(outputs)
    return counts


def _branch(op: Op, side: bool) -> onnx.GraphProto:
    name = "then_branch" if side else "else_branch"
    return op.graph(name)


def _uneven(one: ValueType, other: ValueType) -> bool:
    return one.rank is not None and other.rank is not None and one.rank != other.rank


def _only_reshaped(op: Op, name: str) -> bool:
    users = op.scope.users.get(name, [])
    return name not in op.scope.output_set and bool(users) and all(_reshapes(op, *user) for user in users)


def _reshapes(op: Op, index: int, place: int) -> bool:
    node = op.scope.nodes[index]
    if node.op_type != "Reshape" or node.domain not in STANDARD or place != 0 or len(node.input) < 2:
        return False
    shape = op.scope.array(node.input[1])
    return shape is not None and 0 not in shape.tolist()


def _raise_rank(op: Op, graph: onnx.GraphProto, place: int, rank: int) -> None:
    """Put axes of size 1 in front of an output of a branch."""
    value = graph.output[place]
    missing = rank - (from_value_info(value).rank or 0)
    if not missing:
        return
    name = op.names.fresh(f"{value.name}_raised")
    axes = list(range(missing))
    if op.opset >= 13:
        graph.node.append(onnx.helper.make_node("Unsqueeze", [value.name, op.ints(*axes)], [name]))
    else:
        graph.node.append(onnx.helper.make_node("Unsqueeze", [value.name], [name], axes=axes))
    kind = from_value_info(value)
    value.CopyFrom(onnx.helper.make_tensor_value_info(name, kind.dtype, [*[1] * missing, *(kind.dims or ())]))


def _require_total(op: Op, graph: onnx.GraphProto, scope: Scope) -> None:
    """A branch runs whatever its values are: all shapes are fixed, and no operator can refuse its inputs."""
    op.require(own_graph(graph), "a branch holds sparse tensors")
    names = (name for node in graph.node for name in (*node.input, *node.output) if name)
    free = next((name for name in names if not scope.type_of(name).static), "")
    op.require(not free, f"the shape of {free} in a branch is not fixed")
    partial = next((node.op_type for node in graph.node if node.op_type in _PARTIAL or node.domain not in STANDARD), "")
    op.require(not partial, f"{partial} in a branch must not run when the branch is not chosen")
