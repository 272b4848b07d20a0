"""Runs a model piece by piece: runs of nodes that one opset can express go to ONNX Runtime, the others to numpy.

Any value can be asked for, so a model without outputs can be run too. Large weights stay on disk: a piece reads
them as inputs, read from the disk. A value is dropped after its last use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from onnxfix.model import Model, external_tensors
from onnxfix.model.model import Array
from onnxfix.model.order import sorted_nodes
from onnxfix.model.scope import captured
from onnxfix.model.types import STANDARD
from onnxfix.verify import legacy
from onnxfix.verify.foreign import standard_form
from onnxfix.verify.labels import OLDEST, Label, label_of, means_the_same, relabelled
from onnxfix.verify.runtime import CannotLoad, CannotRun, Session, one_line

IR_VERSION = 10
KEPT_SESSIONS = 64
"""With more pieces than this their sessions are made anew for every run: each has threads and memory of its own."""


@dataclass
class Piece:
    """Nodes in running order under one label, the values they read from outside and those others read of them."""

    label: Label
    nodes: list[onnx.NodeProto]
    reads: set[str] = field(default_factory=set)
    gives: list[str] = field(default_factory=list)
    session: Session | None = None


class Pieces:
    """A model cut into pieces. Raises CannotLoad when a node has no place anywhere."""

    def __init__(self, model: Model, outputs: Sequence[str]) -> None:
        self._model, self.outputs = model, list(outputs)
        self._weights = dict(_weights(model.proto.graph))
        self._pieces = _cut(model.proto, set(self._weights))
        fed = {value.name for value in model.proto.graph.input}
        _find_uses(self._pieces, set(outputs))
        self._last = {name: index for index, piece in enumerate(self._pieces) for name in piece.reads}
        self.inputs = sorted(fed - set(self._weights))

    @property
    def title(self) -> str:
        """What computes the values, for the report."""
        opset = _opset(self._model.proto)
        legacy_nodes = sorted({n.op_type for piece in self._pieces if not piece.label.opset for n in piece.nodes})
        if legacy_nodes:
            return f"ONNX Runtime and numpy ({', '.join(legacy_nodes)} of opset {opset})"
        if any(piece.label.opset != opset for piece in self._pieces):
            return "ONNX Runtime (each node under the opset of its form)"
        return "ONNX Runtime"

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Any]:
        """The asked outputs by name. Raises CannotLoad or CannotRun."""
        values: dict[str, Any] = dict(feeds)
        asked = set(self.outputs)
        for index, piece in enumerate(self._pieces):
            inputs = {name: self._value(name, values) for name in piece.reads}
            run = self._run_session if piece.label.opset else _run_numpy
            values.update(run(piece, inputs))
            for name in piece.reads:
                if self._last[name] == index and name not in asked:
                    values.pop(name, None)
            if len(self._pieces) > KEPT_SESSIONS:
                piece.session = None
        return {name: self._value(name, values) for name in self.outputs}

    def _value(self, name: str, values: Mapping[str, Any]) -> Any:
        if name in values:
            return values[name]
        if name not in self._weights:
            raise CannotRun(f"nothing makes the value {name!r}")
        return np.require(self._model.array(self._weights[name]), requirements=["C", "A"])

    def _run_session(self, piece: Piece, inputs: Mapping[str, Any]) -> dict[str, Any]:
        if piece.session is None:
            piece.session = Session(self._submodel(piece, inputs).SerializeToString())
        return piece.session.run(inputs)

    def _submodel(self, piece: Piece, inputs: Mapping[str, Any]) -> onnx.ModelProto:
        """A model of one piece. Small weights are initializers, since some kernels want constants."""
        graph = onnx.GraphProto(name="piece")
        for name, value in inputs.items():
            tensor = self._weights.get(name)
            if tensor is not None and tensor.data_location != onnx.TensorProto.EXTERNAL:
                graph.initializer.append(tensor)
                graph.initializer[-1].name = name
            else:
                graph.input.append(_declared(name, value))
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in piece.gives)
        old = _opset(self._model.proto) < OLDEST
        graph.node.extend(relabelled(node) if old and not node.domain else node for node in piece.nodes)
        model = onnx.ModelProto(ir_version=IR_VERSION, graph=graph, functions=self._model.proto.functions)
        model.opset_import.add(domain="", version=piece.label.opset)
        model.opset_import.extend(o for o in self._model.proto.opset_import if o.domain not in STANDARD)
        for inner in list(external_tensors(model)):  # those of subgraphs and functions
            data = self._model.tensor_bytes(inner)
            inner.ClearField("external_data")
            inner.ClearField("data_location")
            inner.raw_data = data
        return model


def _cut(proto: onnx.ModelProto, weights: set[str]) -> list[Piece]:
    opset = _opset(proto)
    nodes = [standard_form(node, opset) for node in proto.graph.node]
    made = Counter(name for node in nodes for name in node.output if name)
    if twice := next((name for name, count in made.items() if count > 1 or name in weights), ""):
        raise CannotLoad(f"the value {twice!r} is made more than once")
    order, cyclic = sorted_nodes(nodes)
    if cyclic:
        raise CannotLoad("its nodes form a cycle")
    pieces: list[Piece] = []
    for node in (nodes[index] for index in order):
        label = label_of(node, opset)
        if label is None:
            raise CannotLoad(f"nothing runs {node.op_type} of opset {opset}", missing=True)
        joins = label.opset and pieces and (pieces[-1].label == label or means_the_same(node, label, pieces[-1].label))
        if not joins:
            pieces.append(Piece(label, []))
        pieces[-1].nodes.append(node)
    return pieces


def _find_uses(pieces: Iterable[Piece], wanted: set[str]) -> None:
    """What each piece reads of others, and gives to them; `wanted` are the asked outputs, and grows."""
    for piece in reversed(list(pieces)):
        made = [name for node in piece.nodes for name in node.output if name]
        piece.gives = [name for name in made if name in wanted]
        read = {name for node in piece.nodes for name in (*node.input, *captured(node)) if name}
        piece.reads = read - set(made)
        wanted |= piece.reads


def _run_numpy(piece: Piece, inputs: Mapping[str, Any]) -> dict[str, Any]:
    (node,) = piece.nodes
    try:
        results = legacy.run(node, piece.label.since, [inputs[name] for name in node.input])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CannotRun(f"{node.op_type} {node.name}: {one_line(error)}") from None
    return {name: result for name, result in zip(node.output, results, strict=False) if name}


def _declared(name: str, value: Any) -> onnx.ValueInfoProto:
    if value is None:
        raise CannotLoad(f"{name!r} is an empty optional, and has no type outside the model", missing=True)
    if isinstance(value, list):
        if not value:
            raise CannotRun(f"the value {name!r} is an empty sequence")
        tensor = onnx.helper.make_tensor_type_proto(_element_type(value[0]), None)
        return onnx.helper.make_value_info(name, onnx.helper.make_sequence_type_proto(tensor))
    return onnx.helper.make_tensor_value_info(name, _element_type(value), None)


def _element_type(array: Array) -> int:
    return int(onnx.helper.np_dtype_to_tensor_dtype(array.dtype))


def _opset(proto: onnx.ModelProto) -> int:
    versions = {o.domain: o.version for o in proto.opset_import}
    return int(versions.get("", versions.get("ai.onnx", 1)))


def _weights(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    """Stored tensors by the name of their value: initializers, and Constant nodes whose values lie on disk."""
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            tensor = node.attribute[0].t
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                yield node.output[0], tensor
