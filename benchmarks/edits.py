"""Seeded edits of a real model, each with the change that a comparison must find."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import numpy as np
import onnx
from onnx import helper, numpy_helper

Expected = Counter[tuple[str, str]]
"""(kind of change, word that tells which)."""

UNARY = ("Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Elu", "LeakyRelu", "Softplus", "HardSigmoid", "Exp", "Sqrt")


_EDITABLE = (onnx.AttributeProto.FLOAT, onnx.AttributeProto.INT, onnx.AttributeProto.INTS)


class Edits:
    """Edits of one model, each at a place that no other edit touches."""

    def __init__(self, model: onnx.ModelProto, seed: int) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.graph = self.model.graph
        self.random = random.Random(seed)
        self.expected: Expected = Counter()
        self._touched: set[str] = set()

    def node(self, wanted: Callable[[onnx.NodeProto], bool]) -> onnx.NodeProto | None:
        """A node that no edit touched, nor its neighbours."""
        fitting = [n for n in self.graph.node if n.op_type != "Constant" and n.output and wanted(n)]
        self.random.shuffle(fitting)
        for node in fitting:
            if not self._touched & self._around(node):
                self._touched |= self._around(node)
                return node
        return None

    def _around(self, node: onnx.NodeProto) -> set[str]:
        names = {*node.input, *node.output} - {""}
        stored = {tensor.name for tensor in self.graph.initializer}
        near = {name for n in self.graph.node if names & {*n.input, *n.output} for name in (*n.input, *n.output)}
        return (names | near) - stored - {""}

    def insert(self) -> bool:
        """A new node between a value and one of its readers."""
        node = self.node(lambda n: bool(n.input) and self._made(n.input[0]))
        if node is None:
            return False
        new = helper.make_node("Identity", [node.input[0]], [f"inserted_{len(self.expected)}"])
        node.input[0] = new.output[0]
        self.graph.node.insert(self._place(node), new)
        self.expected["inserted", "Identity"] += 1
        return True

    def delete(self) -> bool:
        """A node with one input that its readers can do without."""
        node = self.node(lambda n: n.op_type in UNARY and n.output[0] not in {o.name for o in self.graph.output})
        if node is None:
            return False
        for reader in self.graph.node:
            reader.input[:] = [node.input[0] if name == node.output[0] else name for name in reader.input]
        self.expected["removed", node.op_type] += 1
        self.graph.node.remove(node)
        return True

    def replace(self) -> bool:
        """A node by one of another operator."""
        node = self.node(lambda n: n.op_type in UNARY)
        if node is None:
            return False
        old, node.op_type = node.op_type, self.random.choice([op for op in ("Erf", "Sin", "Cos") if op != node.op_type])
        del node.attribute[:]
        self.expected["replaced", f"{old} → {node.op_type}"] += 1
        return True

    def attribute(self) -> bool:
        """One attribute of a node."""
        node = self.node(lambda n: any(a.type in _EDITABLE for a in n.attribute))
        if node is None:
            return False
        attribute = self.random.choice([a for a in node.attribute if a.type in _EDITABLE])
        if attribute.type == onnx.AttributeProto.FLOAT:
            attribute.f += 0.25
        elif attribute.type == onnx.AttributeProto.INT:
            attribute.i += 1
        else:
            attribute.ints[:] = [value + 1 for value in attribute.ints] or [1]
        self.expected["attribute", attribute.name] += 1
        return True

    def weight(self) -> bool:
        """One value of one stored float tensor, by a part in a million."""
        tensor = self._own_tensor()
        if tensor is None:
            return False
        array = numpy_helper.to_array(tensor).copy()
        flat = array.reshape(-1)
        place = self.random.randrange(flat.size)
        flat[place] = np.nextafter(flat[place] + np.float32(1e-6) * max(abs(flat[place]), 1), np.float32(np.inf))
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        self.expected["weight", tensor.name] += 1
        return True

    def swap(self) -> bool:
        """The two inputs of a node."""
        node = self.node(lambda n: len(n.input) == 2 and n.input[0] != n.input[1] and all(map(self._made, n.input)))
        if node is None:
            return False
        node.input[:] = [node.input[1], node.input[0]]
        self.expected["rewired", node.op_type] += 1
        return True

    def fuse(self) -> bool:
        """Two nodes in a row become one."""
        made = {n.output[0]: n for n in self.graph.node}
        node = self._behind(made)
        if node is None:
            return False
        first = made[node.input[0]]
        new = helper.make_node(f"Fused{first.op_type}", list(first.input), list(node.output), domain="my")
        place = self._place(first)
        self.graph.node.remove(first)
        self.graph.node.remove(node)
        self.graph.node.insert(place, new)
        self.expected["replaced", f"{first.op_type} + {node.op_type} → {new.op_type}"] += 1
        return True

    def _behind(self, made: dict[str, onnx.NodeProto]) -> onnx.NodeProto | None:
        """A node with one input that alone reads what one of the given nodes (by output) makes."""
        readers = Counter(name for n in self.graph.node for name in n.input)
        outputs = {o.name for o in self.graph.output}
        return self.node(
            lambda n: (
                n.op_type in UNARY and n.input[0] in made and readers[n.input[0]] == 1 and n.input[0] not in outputs
            )
        )

    def opset(self) -> bool:
        """The version of the default domain."""
        self.model.opset_import[0].version += 1
        self.expected["opset", "ai.onnx"] += 1
        return True

    def wrap(self) -> bool:
        """Two nodes in a row become the body of a function."""
        made = {n.output[0]: n for n in self.graph.node if len(n.output) == 1}
        node = self._behind(made)
        if node is None:
            return False
        first = made[node.input[0]]
        name = f"Wrapped{len(self.model.functions)}"
        reads = list(dict.fromkeys(filter(None, first.input)))
        imports = list(self.model.opset_import)
        self.model.functions.append(helper.make_function("my", name, reads, node.output, [first, node], imports))
        call = helper.make_node(name, reads, list(node.output), domain="my")
        place = self._place(first)
        self.graph.node.remove(first)
        self.graph.node.remove(node)
        self.graph.node.insert(place, call)
        self.expected["function", f"my.{name}"] += 1
        return True

    def retype(self) -> bool:
        """The element type of a stored float tensor."""
        tensor = self._own_tensor()
        if tensor is None:
            return False
        array = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        self.expected["weight", tensor.name] += 1
        return True

    def interface(self) -> bool:
        """The element type of a graph input."""
        stored = {tensor.name for tensor in self.graph.initializer}
        value = next(value for value in self.graph.input if value.name not in stored)
        value.type.tensor_type.elem_type = 10 if value.type.tensor_type.elem_type == 1 else 1
        self.expected["input", value.name] += 1
        return True

    def rename(self) -> bool:
        """Every node and every inner value."""
        fixed = {v.name for v in (*self.graph.input, *self.graph.output)}
        names = {name for n in self.graph.node for name in (*n.input, *n.output)} - fixed - {""}
        new = {name: f"renamed_{place}" for place, name in enumerate(sorted(names))}
        for number, node in enumerate(self.graph.node):
            node.name = f"node_{number}"
            node.input[:] = [new.get(name, name) for name in node.input]
            node.output[:] = [new.get(name, name) for name in node.output]
        for tensor in self.graph.initializer:
            tensor.name = new.get(tensor.name, tensor.name)
        for value in self.graph.value_info:
            value.name = new.get(value.name, value.name)
        return True

    def reorder(self) -> bool:
        """Another topological order."""
        ready: list[onnx.NodeProto] = []
        known = {v.name for v in self.graph.input} | {t.name for t in self.graph.initializer} | {""}
        waiting = list(self.graph.node)
        while waiting:
            able = [n for n in waiting if set(n.input) <= known]
            node = self.random.choice(able)
            waiting.remove(node)
            ready.append(node)
            known.update(node.output)
        del self.graph.node[:]
        self.graph.node.extend(ready)
        return True

    def _own_tensor(self) -> onnx.TensorProto | None:
        """A stored float tensor that one node reads."""
        stored = {t.name: t for t in self.graph.initializer if t.data_type == onnx.TensorProto.FLOAT}
        readers = Counter(name for n in self.graph.node for name in n.input)
        node = self.node(lambda n: any(name in stored and readers[name] == 1 for name in n.input))
        if node is None:
            return None
        return stored[next(name for name in node.input if name in stored and readers[name] == 1)]

    def _made(self, name: str) -> bool:
        return any(name in n.output for n in self.graph.node if n.op_type != "Constant")

    def _place(self, node: onnx.NodeProto) -> int:
        return next(i for i, n in enumerate(self.graph.node) if n is node or n.output == node.output)


LOCAL = ("insert", "delete", "replace", "attribute", "weight", "retype", "swap", "fuse", "wrap")
WHOLE = ("opset", "interface", "rename", "reorder")
