"""A node and a builder of the nodes that replace it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx

from onnxfix.decompose.facts import STANDARD_OPSET, Facts, NoRewrite, Unconcerned, has_standard
from onnxfix.model.bodies import Inlined
from onnxfix.model.edit import Edit, rename_uses
from onnxfix.model.messages import copied
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope

__all__ = ["NoRewrite", "Op", "Unconcerned"]

Typed = tuple[str, int, int]
"""A value: its name (or a label for one), its element type, its rank."""


class Op(Facts):
    """A node and its replacement.

    Facts: `node`, `opset`, `dtype(i)`, `dims(i)`, `shape(i)`, `constant(i)`, `attribute(name)`.  The ones that must
    be known raise NoRewrite when they are not.  Building: `make` adds a node, `const` a constant; `finish` says which
    values are the outputs.  `unsafe` holds the reason when the result may differ or costs too much.
    """

    def __init__(self, scope: Scope, index: int, names: Names) -> None:
        super().__init__(scope, index)
        self.names = names
        self.unsafe = ""
        self._removed = [index]
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._opsets: dict[str, int] = {} if has_standard(scope) else {"": STANDARD_OPSET}
        self._base = self.node.name or next((name for name in self.node.output if name), self.node.op_type)

    def make(self, op_type: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, whose name is returned; attributes that are None are left out."""
        return self.many(op_type, inputs, 1, domain=domain, **attributes)[0]

    def many(
        self, op_type: str, inputs: tuple[str, ...] | list[str], count: int, *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with `count` outputs; their names are returned."""
        outputs = [self.names.fresh(f"{self._base}_{op_type}") for _ in range(count)]
        given = {name: value for name, value in attributes.items() if value is not None}
        name = self.names.fresh(f"{self._base}_{op_type}_node") if self.node.name else ""
        kept = list(inputs)
        while kept and not kept[-1]:
            kept.pop()
        node = onnx.helper.make_node(op_type, kept, outputs, name=name, domain=domain or None, **given)
        node.metadata_props.extend(self.node.metadata_props)
        self._nodes.append(node)
        return outputs

    def subgraph(
        self, label: str, inputs: Sequence[Typed], build: Callable[[list[str]], Sequence[Typed]]
    ) -> onnx.GraphProto:
        """A body for Scan, Loop or If, made by this builder: `build` gets its inputs' names and tells its outputs.

        An input is (label, element type, rank); an output is (value made in the body, element type, rank).  The body
        may read every value of the scope.
        """
        given = [_typed(self.names.fresh(f"{self._base}_{name}"), dtype, rank) for name, dtype, rank in inputs]
        outside, self._nodes = self._nodes, []
        results = [_typed(*made) for made in build([value.name for value in given])]
        inside, self._nodes = self._nodes, outside
        return onnx.helper.make_graph(inside, self.names.fresh(f"{self._base}_{label}"), given, results)

    @contextmanager
    def apart(self) -> Iterator[list[onnx.NodeProto]]:
        """Nodes made inside the `with` go to the list, for the body of a node that holds a graph."""
        outer, self._nodes = self._nodes, []
        try:
            yield self._nodes
        finally:
            self._nodes = outer

    def const(self, values: Any, dtype: int | None = None) -> str:
        """Add a constant; `dtype` is an onnx.TensorProto.DataType, by default that of the numpy values."""
        array = np.asarray(values)
        if dtype is not None:
            array = array.astype(onnx.helper.tensor_dtype_to_np_dtype(dtype))
        name = self.names.fresh(f"{self._base}_constant")
        self._constants.append(onnx.numpy_helper.from_array(array, name))
        return name

    def ints(self, *values: int) -> str:
        """A list of int64 numbers."""
        return self.const(np.array(values, dtype=np.int64))

    def like(self, position: int, value: float) -> str:
        """A scalar constant of an input's element type."""
        return self.const(np.array(value), self.dtype(position))

    def remove(self, index: int) -> None:
        """Another node of the scope goes too."""
        self._removed.append(index)

    def take(self, body: Inlined) -> None:
        """Add the nodes and stored tensors of a graph that was inside the node."""
        self._nodes += body.nodes
        self._constants += body.tensors

    def keep(self, node: onnx.NodeProto) -> None:
        """Add a node that makes values under the names it says, such as the old node in another form."""
        self._nodes.append(node)

    def finish(self, *values: str) -> None:
        """These values are the node's outputs, in their order; "" where nobody reads one."""
        for output, value in zip(self.node.output, values, strict=False):
            if output and value:
                self.bind(value, output)

    def bind(self, value: str, output: str) -> None:
        """This value takes the name of an output of a removed node."""
        made = any(value in node.output for node in self._nodes)
        if not made or value in self.scope.producer or value in self.scope.inputs:
            self._nodes.append(onnx.helper.make_node("Identity", [value], [output]))
            return
        for node in self._nodes:
            rename_uses(node, {value: output})
            node.output[:] = [output if name == value else name for name in node.output]

    def edit(self) -> Edit:
        """The change: the node goes, what was built comes."""
        return Edit(
            self.scope.id,
            remove=tuple(sorted(set(self._removed))),
            insert=tuple(copied(node) for node in self._nodes),
            initializers=tuple(self._constants),
            opsets=self._opsets,
        )


def _typed(name: str, dtype: int, rank: int) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, dtype, [None] * rank)
