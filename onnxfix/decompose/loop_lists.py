"""What a Loop grows, element by element: a scan output of the Loop, of one fixed shape, instead."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op, Unconcerned
from onnxfix.model.attributes import graph_of, integer_of
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope
from onnxfix.model.sequences import Unknown, elements
from onnxfix.model.types import STANDARD, Dim, to_value_info


@dataclass(frozen=True)
class Grown:
    """A carried value that every iteration adds to, at the end: the node in the body and what it adds.

    `place` is its number among the carried values; `axis` is that of the Concat, None for a sequence.
    """

    place: int
    node: int
    item: str
    axis: int | None


def grown_states(op: Op) -> None:
    """Carried tensors that a Concat grows, and carried sequences that SequenceInsert grows."""
    body = op.inner("body")
    grown = [found for place in range(len(op.node.input) - 2) if (found := _grown(body, place))]
    if not grown:
        raise Unconcerned("nothing grows in it")
    for one in grown:
        _require_fixed(op, body, one)
    loop, scans = _loop(op, body, grown)
    op.keep(loop)
    for one, scan in zip(grown, scans, strict=True):
        name = op.node.output[one.place] if one.place < len(op.node.output) else ""
        if name and one.axis is not None:
            op.bind(_tensor(op, body, one, scan), name)
        elif name:
            _readers(op, body, one, name, scan)


def _grown(body: Scope, place: int) -> Grown | None:
    """The carried value at `place`, when the body only adds to its end."""
    value, result = list(body.inputs)[2 + place], body.outputs[1 + place]
    users = body.users.get(value, [])
    if len(users) != 1 or users[0][1] != 0 or value in body.output_set or result not in body.producer:
        return None
    node = body.nodes[users[0][0]]
    if node.domain not in STANDARD or list(node.output) != [result] or result in body.users:
        return None
    if node.op_type == "SequenceInsert" and len(node.input) == 2:
        return Grown(place, users[0][0], node.input[1], None)
    rank = body.type_of(node.input[1]).rank if len(node.input) == 2 else None
    if node.op_type == "Concat" and rank:
        axis = integer_of(node, "axis")
        return Grown(place, users[0][0], node.input[1], axis % rank)
    return None


def _require_fixed(op: Op, body: Scope, grown: Grown) -> None:
    """What is added has one shape in all iterations: its sizes are numbers, or names of sizes of the model's inputs."""
    dims = body.type_of(grown.item).dims
    outside = {dim for value in op.scope.model.proto.graph.input for dim in _names(value)}
    fixed = dims is not None and all(isinstance(dim, int) or dim in outside for dim in dims)
    op.require(fixed, f"{grown.item}, which it adds to a growing value, may change its shape")


def _names(value: onnx.ValueInfoProto) -> list[str]:
    return [dim.dim_param for dim in value.type.tensor_type.shape.dim if dim.dim_param]


def _loop(op: Op, body: Scope, grown: list[Grown]) -> tuple[onnx.NodeProto, list[str]]:
    """The Loop with scan outputs in the place of the grown values; the names of these outputs."""
    node = copied(op.node)
    graph = graph_of(node, "body")
    gone = {one.place for one in grown}
    states = len(op.node.input) - 2
    padded = [*op.node.output, *[""] * (len(graph.output) - 1 - len(op.node.output))]
    scans = [op.names.fresh(f"{padded[one.place] or one.item}_all") for one in grown]
    node.input[:] = [name for place, name in enumerate(op.node.input) if place - 2 not in gone]
    node.output[:] = [*(name for place, name in enumerate(padded) if place not in gone), *scans]
    inputs = [value for place, value in enumerate(graph.input) if place - 2 not in gone]
    outputs = [value for place, value in enumerate(graph.output) if not (0 < place <= states and place - 1 in gone)]
    nodes = [inner for index, inner in enumerate(graph.node) if index not in {one.node for one in grown}]
    for one in grown:
        name = op.names.fresh(f"{one.item}_each")
        nodes.append(onnx.helper.make_node("Identity", [one.item], [name]))
        outputs.append(to_value_info(name, body.type_of(one.item)))
    kept = [copied(message) for message in (*inputs, *outputs)], [copied(inner) for inner in nodes]
    del graph.input[:], graph.output[:], graph.node[:]
    graph.input.extend(kept[0][: len(inputs)])
    graph.output.extend(kept[0][len(inputs) :])
    graph.node.extend(kept[1])
    return node, scans


def _tensor(op: Op, body: Scope, grown: Grown, scan: str) -> str:
    """The grown tensor: its first value, and behind it all that was added."""
    assert grown.axis is not None
    dims = body.type_of(grown.item).dims or ()
    return op.make("Concat", op.input(2 + grown.place), _merged(op, scan, dims, grown.axis), axis=grown.axis)


def _merged(op: Op, scan: str, dims: tuple[Dim, ...], axis: int) -> str:
    """The elements of a scan output one behind the other along an axis; `dims` are those of an element."""
    order = [*range(1, axis + 1), 0, *range(axis + 1, len(dims) + 1)]
    moved = scan if axis == 0 else op.make("Transpose", scan, perm=order)
    rest = dims[axis + 1 :]
    fixed = [dim for dim in rest if isinstance(dim, int) and dim > 0]
    op.require(len(fixed) == len(rest), f"the sizes behind axis {axis} are not fixed")
    return forms.reshape(op, moved, [*[0] * axis, -1, *fixed])


def _readers(op: Op, body: Scope, grown: Grown, name: str, scan: str) -> None:
    """What reads the grown sequence reads the scan output instead."""
    try:
        first = elements(op.scope, op.input(2 + grown.place))
    except Unknown as reason:
        raise NoRewrite(str(reason)) from None
    op.require(name not in op.scope.output_set, f"the sequence {name} is an output of the graph")
    dims = body.type_of(grown.item).dims or ()
    rows = [*(forms.unsqueeze(op, item, [0]) for item in first), scan]
    stack = op.make("Concat", *rows, axis=0) if len(rows) > 1 else scan
    for index in dict.fromkeys(index for index, _ in op.scope.users.get(name, ())):
        node = op.scope.nodes[index]
        op.bind(_read(op, node, stack, dims), node.output[0])
        op.remove(index)


def _read(op: Op, node: onnx.NodeProto, stack: str, dims: tuple[Dim, ...]) -> str:
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    match node.op_type:
        case "SequenceLength":
            size = op.make("Gather", op.make("Shape", stack), op.ints(0), axis=0)
            return forms.squeeze(op, size, [0])
        case "SequenceAt":
            return op.make("Gather", stack, node.input[1], axis=0)
        case "ConcatFromSequence" if attributes.get("new_axis"):
            axis = attributes["axis"] % (len(dims) + 1)
            order = [*range(1, axis + 1), 0, *range(axis + 1, len(dims) + 1)]
            return stack if axis == 0 else op.make("Transpose", stack, perm=order)
        case "ConcatFromSequence":
            return _merged(op, stack, dims, attributes["axis"] % max(len(dims), 1))
    raise NoRewrite(f"{node.op_type} reads the sequence that it grows")
