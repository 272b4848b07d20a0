"""What a rank leads to: would the nodes that follow refuse a value of that many axes?

The demands are those of the operators' specifications: convolutions take the rank of their weights, recurrent
operators three axes, Gemm no more than two, Transpose the rank of its order, Concat one rank.  A rank may also decide a
condition (PyTorch asks `dim() == 2` as Equal(Size(Shape(x)), 2)), and then the branch that runs is followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

import onnx

from onnxfix.decompose.op import Op
from onnxfix.model.attributes import constant_tensor, graph_of, integers_of
from onnxfix.model.types import STANDARD

_SAME = frozenset(
    {
        *("Identity", "Cast", "Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Exp", "Log", "Sqrt", "Erf", "LeakyRelu"),
        *("Clip", "Elu", "Softplus", "HardSigmoid", "Floor", "Ceil", "Reciprocal"),
    }
)
_RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
_LARGEST_CONSTANT = 64


class Impossible(Exception):
    """A node cannot take the rank that a value would have."""


class Trial:
    """Follows what the outputs of a node lead to, in order, with the ranks that they are assumed to have.

    `ranks` has the rank of each value that depends on the assumption, None where that is not known; `numbers` has
    the small integers and truths that follow from ranks, `lengths` the shapes that were taken of such values.
    """

    def __init__(self, op: Op, ranks: dict[str, int | None]) -> None:
        self._op = op
        self.ranks = ranks
        self.numbers: dict[str, int] = {}
        self.lengths: dict[str, int] = {}
        self._stored: dict[str, onnx.TensorProto] = {}

    def follow(self) -> None:
        """Raise Impossible when a node behind the one in question refuses the rank it would get.

        Where nothing else is known than without the assumption, the nodes behind are not looked at.
        """
        waiting = sorted(set(self._readers(self._op.node)))
        met = set(waiting)
        while waiting:
            node = self._op.scope.nodes[heappop(waiting)]
            self._run([node])
            for reader in self._readers(node):
                if reader not in met:
                    met.add(reader)
                    heappush(waiting, reader)

    def _readers(self, node: onnx.NodeProto) -> Iterator[int]:
        """The nodes that read an output of which something else is known than without the assumption."""
        scope = self._op.scope
        for name in filter(None, node.output):
            told = name in self.numbers or name in self.lengths
            if told or (name in self.ranks and self.ranks[name] != scope.type_of(name).rank):
                yield from (index for index, _ in scope.users.get(name, ()) if index > self._op.index)

    def _run(self, nodes: Iterable[onnx.NodeProto]) -> None:
        for node in nodes:
            if node.op_type == "Constant" and (tensor := constant_tensor(node)) is not None:
                self._stored[node.output[0]] = tensor
            if node.domain in STANDARD and self._touched(node):
                self._visit(node)
            elif self._touched(node):
                self._forget(node)

    def _touched(self, node: onnx.NodeProto) -> bool:
        known = (self.ranks, self.numbers, self.lengths)
        return node.op_type == "If" or any(name in table for name in node.input if name for table in known)

    def _forget(self, node: onnx.NodeProto) -> None:
        self.ranks |= {name: None for name in node.output if name}

    def _visit(self, node: onnx.NodeProto) -> None:
        if node.op_type == "If":
            self._branch(node)
        elif not self._count(node):
            self._forget(node)
            rank = self._result(node)
            self.ranks[node.output[0]] = rank
            if node.op_type in _RECURRENT:
                self.ranks |= dict(zip(filter(None, node.output), self._recurrent(node), strict=False))

    def _branch(self, node: onnx.NodeProto) -> None:
        """The branch that runs, where the condition is known; otherwise neither is certain to run."""
        self._forget(node)
        if node.input[0] not in self.numbers:
            return
        name = "then_branch" if self.numbers[node.input[0]] else "else_branch"
        if not any(attribute.name == name for attribute in node.attribute):
            raise Impossible(f"{node.op_type} without its {name}")
        graph = graph_of(node, name)
        self._stored |= {tensor.name: tensor for tensor in graph.initializer}
        self._run(graph.node)
        for output, inner in zip(node.output, graph.output, strict=True):
            self.ranks[output] = self.rank(inner.name)

    def rank(self, name: str) -> int | None:
        """The number of axes, None when it is not known."""
        if name in self._stored:
            return len(self._stored[name].dims)
        return self.ranks[name] if name in self.ranks else self._op.scope.type_of(name).rank

    def _count(self, node: onnx.NodeProto) -> bool:
        """Whether the node computes a number from ranks."""
        first, output = node.input[0], node.output[0]
        if node.op_type == "Shape" and self.ranks.get(first) is not None and not node.attribute:
            self.lengths[output] = self.ranks[first] or 0
        elif node.op_type == "Size" and first in self.lengths:
            self.numbers[output] = self.lengths[first]
        elif node.op_type in ("Cast", "Identity") and first in self.numbers:
            self.numbers[output] = int(bool(self.numbers[first])) if _to_bool(node) else self.numbers[first]
        elif node.op_type == "Not" and first in self.numbers:
            self.numbers[output] = int(not self.numbers[first])
        elif node.op_type == "Equal":
            pair = [self._number(name) for name in node.input]
            if None in pair:
                return False
            self.numbers[output] = int(pair[0] == pair[1])
        else:
            return False
        return True

    def _number(self, name: str) -> int | None:
        if name in self.numbers:
            return self.numbers[name]
        values = self._integers(name)
        return values[0] if values is not None and len(values) == 1 else None

    def _integers(self, name: str) -> list[int] | None:
        tensor = self._stored.get(name)
        array = self._op.scope.array(name) if tensor is None else onnx.numpy_helper.to_array(tensor)
        if array is None or array.dtype.kind not in "iub" or array.size > _LARGEST_CONSTANT:
            return None
        return [int(number) for number in array.reshape(-1)]

    def _axes(self, node: onnx.NodeProto) -> list[int] | None:
        given = integers_of(node, "axes")
        return given if given is not None or len(node.input) < 2 else self._integers(node.input[1])

    def _result(self, node: onnx.NodeProto) -> int | None:
        """The rank of the first output; raises Impossible when an input has a rank that the operator refuses."""
        rank = self.rank(node.input[0])
        if node.op_type in _SAME:
            return rank
        if node.op_type in ("Unsqueeze", "Squeeze"):
            return self._resized(node, rank)
        if node.op_type in ("Conv", "ConvTranspose"):
            return self._equal(node, [rank, self.rank(node.input[1])])
        if node.op_type == "Concat":
            return self._equal(node, [self.rank(name) for name in node.input])
        if node.op_type == "Gemm" and (rank or 0) > 2:
            raise Impossible(f"Gemm of {rank} axes")
        if node.op_type == "Transpose":
            order = integers_of(node, "perm")
            return self._equal(node, [rank, None if order is None else len(order)])
        return None

    def _resized(self, node: onnx.NodeProto, rank: int | None) -> int | None:
        axes = self._axes(node)
        if rank is None or axes is None:
            return None
        most = rank if node.op_type == "Squeeze" else rank + len(axes)
        if not all(-most <= axis < most for axis in axes):
            raise Impossible(f"{node.op_type} of {rank} axes")
        return rank - len(axes) if node.op_type == "Squeeze" else most

    def _recurrent(self, node: onnx.NodeProto) -> list[int]:
        places = (0, 1, 2, 5, 6) if node.op_type == "LSTM" else (0, 1, 2, 5)
        given = (node.input[place] for place in places if place < len(node.input) and node.input[place])
        self._equal(node, [3, *(self.rank(name) for name in given)])
        return [4, 3, 3] if all(node.output) else []

    @staticmethod
    def _equal(node: onnx.NodeProto, ranks: list[int | None]) -> int | None:
        known = {rank for rank in ranks if rank is not None}
        if len(known) > 1:
            raise Impossible(f"{node.op_type} of {sorted(known)} axes")
        return next(iter(known), None)


def _to_bool(node: onnx.NodeProto) -> bool:
    return any(a.name == "to" and a.i == onnx.TensorProto.BOOL for a in node.attribute)
