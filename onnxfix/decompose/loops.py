"""Loop and Scan: a missing condition filled in, the body once for each iteration, lists grown in a loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.loop_facts import always_true, iterations
from onnxfix.decompose.op import NoRewrite, Op, Unconcerned
from onnxfix.model.bodies import inlined, own_graph
from onnxfix.model.messages import copied
from onnxfix.model.scope import subgraphs
from onnxfix.model.types import from_value_info

MOST_NODES = 500
"""All loops of a graph together are written out in no more nodes."""


def loop_condition(op: Op) -> None:
    """Loop without a condition whose body never ends it: the condition is a constant true."""
    if op.has(1):
        raise Unconcerned("it has a condition")
    op.require(always_true(op.scope, _body(op)), "it has no condition, and its body computes one")
    node = copied(op.node)
    node.input[:] = [op.input(0), op.const(np.array(True)), *op.node.input[2:]]
    op.keep(node)


def unroll_loop(op: Op) -> None:
    """The body of a Loop once for each iteration, when their number is known."""
    body = _body(op)
    op.require(own_graph(body), "its body holds sparse tensors")
    count = iterations(op, body, _most(op, body))
    carried = list(op.node.input[2:])
    columns: list[list[str]] = [[] for _ in body.output[1 + len(carried) :]]
    for number in range(count):
        made = inlined(body, [_number(op, body, number), _truth(op, body), *carried], op.names)
        op.take(made)
        carried = list(made.outputs[1 : 1 + len(carried)])
        for column, value in zip(columns, made.outputs[1 + len(carried) :], strict=True):
            column.append(value)
    scans = [_stacked(op, body, place, column) for place, column in enumerate(columns, 1 + len(carried))]
    op.finish(*carried, *scans)


def unroll_scan(op: Op) -> None:
    """The body of a Scan once for each element of the scanned axes (opset 9 and later)."""
    op.require(op.opset >= 9, "below opset 9 Scan goes over batches")
    body = _body(op)
    op.require(own_graph(body), "its body holds sparse tensors")
    scanned = int(op.attribute("num_scan_inputs"))
    states = len(op.node.input) - scanned
    axes = _axes(op, "scan_input_axes", scanned, [len(op.dims(states + place)) for place in range(scanned)])
    count = {op.shape(states + place)[axis] for place, axis in enumerate(axes)}
    op.require(len(count) == 1, "its scanned inputs do not have one length")
    length = count.pop()
    op.require(0 < length <= _most(op, body), f"{length} iterations of {_size(body)} nodes are too many")
    rows = [_rows(op, op.input(states + place), axis, length) for place, axis in enumerate(axes)]
    rows = [_directed(op, "scan_input_directions", place, row) for place, row in enumerate(rows)]
    carried = list(op.node.input[:states])
    columns: list[list[str]] = [[] for _ in body.output[states:]]
    for turn in zip(*rows, strict=True):
        made = inlined(body, [*carried, *turn], op.names)
        op.take(made)
        carried = list(made.outputs[:states])
        for column, value in zip(columns, made.outputs[states:], strict=True):
            column.append(value)
    op.finish(*carried, *(_scan_output(op, body, place, column) for place, column in enumerate(columns)))


def _scan_output(op: Op, body: onnx.GraphProto, place: int, column: list[str]) -> str:
    states = len(op.node.input) - int(op.attribute("num_scan_inputs"))
    rank = from_value_info(body.output[states + place]).rank
    op.require(rank is not None, f"the rank of {body.output[states + place].name} is not known")
    axis = _axes(op, "scan_output_axes", len(body.output) - states, [(rank or 0) + 1] * (len(body.output) - states))[
        place
    ]
    items = _directed(op, "scan_output_directions", place, column)
    return _joined(op, [forms.unsqueeze(op, item, [axis]) for item in items], axis)


def _axes(op: Op, name: str, count: int, ranks: Sequence[int]) -> list[int]:
    given = list(op.attribute(name, [])) or [0] * count
    return [int(axis) % max(rank, 1) for axis, rank in zip(given, ranks, strict=True)]


def _directed(op: Op, name: str, place: int, items: list[str]) -> list[str]:
    directions = list(op.attribute(name, []))
    return items[::-1] if directions and directions[place] else items


def _rows(op: Op, name: str, axis: int, length: int) -> list[str]:
    parts = forms.split(op, name, axis, [1] * length) if length > 1 else [name]
    return [forms.squeeze(op, part, [axis]) for part in parts]


def _joined(op: Op, items: Sequence[str], axis: int) -> str:
    return op.make("Concat", *items, axis=axis) if len(items) > 1 else items[0]


def _stacked(op: Op, body: onnx.GraphProto, place: int, items: list[str]) -> str:
    """A scan output of a Loop; one of no iterations is an empty tensor."""
    if items:
        return _joined(op, [forms.unsqueeze(op, item, [0]) for item in items], 0)
    kind = from_value_info(body.output[place])
    if not kind.static or not kind.dtype:
        raise NoRewrite(f"the shape of {body.output[place].name} is not known")
    return op.make("Identity", op.const(np.zeros((0, *(int(dim or 0) for dim in kind.dims or ()))), kind.dtype))


def _number(op: Op, body: onnx.GraphProto, number: int) -> str:
    """The iteration number, in the rank that the body declares."""
    return op.const(np.full([1] * (from_value_info(body.input[0]).rank or 0), number, np.int64))


def _truth(op: Op, body: onnx.GraphProto) -> str:
    return op.const(np.full([1] * (from_value_info(body.input[1]).rank or 0), True))


def _body(op: Op) -> onnx.GraphProto:
    return op.graph("body")


def _most(op: Op, body: onnx.GraphProto) -> int:
    """The iterations that may be written out: each loop of the graph has its share of the nodes."""
    loops = sum(node.op_type in ("Loop", "Scan") for node in op.scope.nodes)
    return MOST_NODES // max(loops * _size(body), 1)


def _size(graph: onnx.GraphProto) -> int:
    """The nodes of a graph and of the graphs inside it."""
    return sum(1 + sum(_size(inner) for _, _, inner in subgraphs(node)) for node in graph.node)
