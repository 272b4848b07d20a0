"""Pieces of the graph that came, went, or were replaced, each as one change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from onnxfix.changes.figures import compared
from onnxfix.changes.graph import Graph, stored
from onnxfix.changes.pairs import Pairs
from onnxfix.changes.quantized import dequantized, is_dequantize
from onnxfix.changes.records import Change, Kind
from onnxfix.changes.regions import Region, exits
from onnxfix.changes.scopes import first_output, name_of
from onnxfix.changes.weights import stored_inputs, tensor_line
from onnxfix.model.model import Array
from onnxfix.model.text import node_text

_OPERATORS, _TENSORS = 6, 20


@dataclass(frozen=True)
class Side:
    """One graph's part of a region: its nodes, and the constants that stand where the other graph has nodes."""

    graph: Graph
    nodes: tuple[int, ...]
    constants: dict[str, int]

    @property
    def operators(self) -> str:
        """What the part consists of."""
        kinds = [self.graph.scope.nodes[index].op_type for index in self.nodes] or ["constant"] * bool(self.constants)
        return " + ".join(kinds[:_OPERATORS]) + (" …" if len(kinds) > _OPERATORS else "")

    def tensors(self) -> dict[int, str]:
        """The stored tensors that the part reads, by the key of their content."""
        found = {key: name for name, key in self.constants.items()}
        for index in self.nodes:
            names = zip(self.graph.scope.nodes[index].input, self.graph.sources[index], strict=False)
            found |= {source.key: name for name, source in names if source.kind == "constant"}
        return found

    def lines(self, names: Sequence[str]) -> tuple[str, ...]:
        """The nodes, then these tensors, as ONNX text."""
        nodes = (node_text(self.graph.scope.nodes[index]) for index in self.nodes)
        return (*nodes, *(self._stored(name) for name in names[:_TENSORS]))

    def _stored(self, name: str) -> str:
        home = self.graph.source(name).home
        tensor = stored(home, name) if home else None
        return tensor_line(home, tensor, name) if home is not None and tensor is not None else name


def piece(one: Graph, two: Graph, pairs: Pairs, region: Region, label: str) -> Change:
    """The change of a region; tensors that only one side of it reads are told of with it."""
    old = Side(one, region.old, {} if region.old else _constants(one, two, pairs, region.new, 1))
    new = Side(two, region.new, {} if region.new else _constants(two, one, pairs, region.old, 0))
    tensors = old.tensors(), new.tensors()
    gone = [name for key, name in tensors[0].items() if key not in tensors[1]]
    come = [name for key, name in tensors[1].items() if key not in tensors[0]]
    kind, message = _told(old.operators, new.operators)
    details: dict[str, Any] = (
        {"tensors": {"removed": gone[:_TENSORS], "added": come[:_TENSORS]}} if gone or come else {}
    )
    quantized = _quantization(old, new)
    if quantized:
        message, details = f"{message}: {quantized.pop('message')}", {**details, **quantized}
    return Change(
        kind,
        subject=name_of(([two.scope.nodes[i] for i in region.new] or [one.scope.nodes[i] for i in region.old])[-1]),
        message=message,
        scope=label,
        before=old.lines(gone),
        after=new.lines(come),
        old=tuple(first_output(one.scope.nodes[index]) for index in region.old),
        new=tuple(first_output(two.scope.nodes[index]) for index in region.new),
        details=details,
    )


def _told(old: str, new: str) -> tuple[Kind, str]:
    if old and new:
        return "replaced", f"{old} → {new}"
    return ("removed", f"{old} removed") if old else ("inserted", f"{new} inserted")


def _constants(graph: Graph, other: Graph, pairs: Pairs, nodes: tuple[int, ...], side: int) -> dict[str, int]:
    """The constants of `graph` in all the places that `nodes` of the other graph (`side`) make values for, or {}."""
    found: dict[str, int] = {}
    for (reader, place), _ in exits(other, nodes, pairs, side):
        if reader == "output":
            name = graph.numbered_results[place][0] if place in graph.numbered_results else ""
        else:
            index = pairs.right[int(str(reader))] if side == 1 else int(str(reader))
            inputs = graph.scope.nodes[index].input
            name = inputs[place] if place < len(inputs) else ""
        source = graph.source(name)
        if source.kind != "constant":
            return {}
        found[name] = source.key
    return found


def _quantization(old: Side, new: Side) -> dict[str, Any]:
    """What a DequantizeLinear in the place of one stored tensor does to its values."""
    for side, other, word in ((new, old, "quantized"), (old, new, "dequantized")):
        if len(side.nodes) == 1 and len(other.constants) == 1 and not other.nodes:
            node = side.graph.scope.nodes[side.nodes[0]]
            inputs = stored_inputs(side.graph, node, side.nodes[0]) if is_dequantize(node) else []
            made = dequantized(node, inputs) if inputs else None
            before = _array(other, next(iter(other.constants)))
            if made is not None and before is not None and before.shape == made[0].shape:
                figures = compared(*((before, made[0]) if side is new else (made[0], before)))
                message = f"{word}, max |diff| {figures['max']:.3g} with steps of {made[1]:.3g}"
                return {"message": message, **figures, "relation": "requantized", "step": made[1]}
    return {}


def _array(side: Side, name: str) -> Array | None:
    home = side.graph.source(name).home
    tensor = stored(home, name) if home else None
    if home is None or not isinstance(tensor, onnx.TensorProto) or tensor.data_type == onnx.TensorProto.STRING:
        return None
    return np.asarray(home.model.array(tensor))
