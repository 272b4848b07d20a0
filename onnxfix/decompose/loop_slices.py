"""Rows that a Loop slices out by its counter: gathered instead."""

from __future__ import annotations

import onnx

from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.model.attributes import graph_of
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope
from onnxfix.model.shape_values import shape_values
from onnxfix.model.types import STANDARD, Dim


def loop_slices(op: Op) -> None:
    """Slice from the counter to the counter plus 1: Gather at the counter.

    The same row, where the loop runs no further than the axis is long: Gather refuses an index outside, and Slice gives
    nothing there.
    """
    body, limit = op.inner("body"), _limit(op)
    counter = next(iter(body.inputs))
    node = copied(op.node)
    graph = graph_of(node, "body")
    rows = [index for index in range(len(body.nodes)) if _is_row(body, index, counter)]
    if not rows:
        raise Unconcerned("it slices no rows")
    for index in rows:
        data, starts, _, axes = body.nodes[index].input[:4]
        array = body.array(axes)
        dims = body.type_of(data).dims
        axis = 0 if array is None else int(array.item())
        size = dims[axis] if dims is not None and -len(dims) <= axis < len(dims) else None
        op.require(_within(limit, size), f"it may run further than axis {axis} of {data} is long")
        old = body.nodes[index]
        row = onnx.helper.make_node("Gather", [data, starts], list(old.output), name=old.name or None, axis=axis)
        graph.node[index].CopyFrom(row)
    op.keep(node)


def _limit(op: Op) -> Dim:
    """The number of iterations, or the name of the size that it is; None when nothing is known of it."""
    sizes = shape_values(op.scope).get(op.input(0))
    constant = op.constant(0)
    if constant is not None:
        return int(constant.reshape(-1)[0])
    return sizes.elements[0] if sizes is not None and len(sizes.elements) == 1 else None


def _within(limit: Dim, size: Dim) -> bool:
    if isinstance(limit, int) and isinstance(size, int):
        return limit <= size
    return limit is not None and limit == size


def _is_row(body: Scope, index: int, counter: str) -> bool:
    """Whether a node is Slice of one row: from [counter] to [counter + 1] along one axis, in steps of 1."""
    node = body.nodes[index]
    if node.op_type != "Slice" or node.domain not in STANDARD or len(node.input) < 4:
        return False
    axes = body.array(node.input[3]) if node.input[3] else None
    steps = body.array(node.input[4]) if len(node.input) > 4 and node.input[4] else None
    stepped = len(node.input) > 4 and bool(node.input[4]) and (steps is None or steps.tolist() != [1])
    if axes is None or axes.size != 1 or stepped:
        return False
    start, end = _lone(body, node.input[1]), _lone(body, node.input[2])
    return start == counter and (_is_next(body, end, counter) or _is_next(body, node.input[2], node.input[1]))


def _lone(body: Scope, name: str) -> str:
    """The scalar that a vector of one element holds."""
    maker = body.nodes[body.producer[name][0]] if name in body.producer else None
    return maker.input[0] if maker is not None and maker.op_type in ("Unsqueeze", "Reshape") else ""


def _is_next(body: Scope, name: str, before: str) -> bool:
    """Whether a value is another one plus 1."""
    maker = body.nodes[body.producer[name][0]] if name in body.producer else None
    if maker is None or maker.op_type != "Add" or before not in maker.input:
        return False
    other = maker.input[1] if maker.input[0] == before else maker.input[0]
    one = body.array(other)
    return one is not None and one.size == 1 and int(one.item()) == 1
