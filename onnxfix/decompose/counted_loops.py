"""Loops that end by a comparison of a counter, as TensorFlow writes them: how often they run, before they start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from onnxfix.decompose.op import NoRewrite, Op, Unconcerned
from onnxfix.model.attributes import constant_tensor, graph_of, integer_of
from onnxfix.model.messages import copied
from onnxfix.model.types import STANDARD, from_value_info

_EXACT = frozenset(
    {
        *(onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.INT32, onnx.TensorProto.INT64),
        onnx.TensorProto.BOOL,
    }
)
"""Types in which a comparison of counters up to 2^24 is the same."""

_INTEGERS = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)


@dataclass(frozen=True)
class _Count:
    """A counter that starts at a value outside the body, grows by `step`, and must stay below another such value."""

    start: str
    limit: str
    step: int


class _Body:
    """The body of a Loop: what its values come from."""

    def __init__(self, op: Op) -> None:
        self.op = op
        self.graph = op.graph("body")
        self.scope = op.inner("body")
        self.made = {name: node for node in self.graph.node for name in node.output if name}
        self.carried = {value.name: place for place, value in enumerate(self.graph.input) if place >= 2}

    def origin(self, name: str) -> str:
        """The value behind Identity and Cast nodes of the body."""
        while name in self.made and _same(self.made[name]):
            name = self.made[name].input[0]
        return name

    def outside(self, name: str) -> str:
        """The value of the enclosing graph that this value of the body always is; raises NoRewrite otherwise."""
        name = self.origin(name)
        array = self.scope.array(name)
        if array is not None:
            return self.op.const(array.reshape(()))
        if name in self.carried:
            place = self.carried[name]
            self.op.require(self.origin(self.graph.output[place - 1].name) == name, "its limit changes in the loop")
            return self.op.input(place)
        self.op.require(name not in self.made and name != self.graph.input[0].name, "its limit is computed in the loop")
        return name

    def counts(self, name: str) -> list[_Count]:
        """The comparisons that must all hold for the loop to go on."""
        node = self.made.get(self.origin(name))
        if node is not None and node.domain in STANDARD:
            if node.op_type == "And":
                return [count for part in node.input for count in self.counts(part)]
            if node.op_type in ("Less", "Greater"):
                smaller, larger = node.input if node.op_type == "Less" else reversed(node.input)
                return [self._count(smaller, self.outside(larger))]
        raise NoRewrite("whether it goes on is no comparison of a counter")

    def _count(self, name: str, limit: str) -> _Count:
        name = self.origin(name)
        node = self.made.get(name)
        slot = next((place for place, value in enumerate(self.graph.output) if self.origin(value.name) == name), 0)
        carried = 0 < slot < len(self.graph.input) - 1
        self.op.require(carried and node is not None and node.op_type == "Add", "what it compares is no counter")
        assert node is not None
        before = self.graph.input[slot + 1].name
        steps = [self._number(other) for other in node.input if self.origin(other) != before]
        self.op.require(len(steps) == 1 and steps[0] is not None and steps[0] > 0, "its counter has no constant step")
        self.op.require(self.scope.type_of(before).dtype in _INTEGERS, "its counter is not of integers")
        return _Count(self.op.input(slot + 1), limit, steps[0] or 1)

    def _number(self, name: str) -> int | None:
        tensor = constant_tensor(self.made[name]) if name in self.made else None
        array = self.scope.array(name) if tensor is None else onnx.numpy_helper.to_array(tensor)
        return int(array.item()) if array is not None and array.size == 1 and array.dtype.kind == "i" else None


def counted_loop(op: Op) -> None:
    """Loop whose condition compares counters: it gets the number of its iterations, and a constant condition.

    The condition is looked at after every iteration, so the body runs once at least when the loop starts at all.
    """
    body = _Body(op)
    kept = body.origin(body.graph.output[0].name)
    if kept == body.graph.input[1].name or body.scope.array(kept) is not None:
        raise Unconcerned("its condition does not change")
    op.require(op.opset >= 12, "below opset 12 there is no Max of integers")
    counts = [_iterations(op, count) for count in body.counts(body.graph.output[0].name)]
    fewest = op.make("Min", *counts) if len(counts) > 1 else counts[0]
    total = op.make("Max", fewest, op.const(np.array(1)))
    if op.has(1):
        total = op.make("Mul", total, _scalar(op, op.make("Cast", op.input(1), to=onnx.TensorProto.INT64)))
    if op.has(0):
        total = op.make("Min", total, _scalar(op, op.input(0)))
    node = copied(op.node)
    node.input[:] = [total, op.const(np.array(True)), *op.node.input[2:]]
    graph = graph_of(node, "body")
    going = op.names.fresh(f"{graph.input[1].name}_kept")
    graph.node.append(onnx.helper.make_node("Identity", [graph.input[1].name], [going]))
    kind = from_value_info(graph.output[0])
    graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(going, onnx.TensorProto.BOOL, kind.dims))
    op.keep(node)


def _iterations(op: Op, count: _Count) -> str:
    """How often the counter grows until it is no longer below its limit, as a scalar; perhaps not positive."""
    start, limit = (
        _scalar(op, op.make("Cast", name, to=onnx.TensorProto.INT64)) for name in (count.start, count.limit)
    )
    left = op.make("Sub", limit, start)
    if count.step == 1:
        return left
    return op.make("Div", op.make("Add", left, op.const(np.array(count.step - 1))), op.const(np.array(count.step)))


def _same(node: onnx.NodeProto) -> bool:
    """Whether a node hands on the number it gets."""
    to = integer_of(node, "to")
    return node.domain in STANDARD and (node.op_type == "Identity" or (node.op_type == "Cast" and to in _EXACT))


def _scalar(op: Op, name: str) -> str:
    """The one number of a tensor, without axes."""
    return op.make("Reshape", name, op.const(np.zeros(0, np.int64)))
