"""A graph of a model, the main one or one inside a node, ready to run with its values as outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnxfix.model import Model
from onnxfix.model.messages import copied
from onnxfix.model.part import needed_inputs, part, value_info
from onnxfix.model.scope import Scope, ScopeId, subgraphs
from onnxfix.opset.inline import Functions, called, functions_of
from onnxfix.verify.runtime import CannotLoad, Session

Place = tuple[int, ...]
"""() is the main graph; else the places of the nodes on the way, each with the number of the graph in it."""

Feeds = Mapping[str, Any]
Asked = Mapping[ScopeId, Sequence[tuple[str, int]]]
"""The values of each graph that are asked for, with their bytes, -1 where the types do not tell."""

_TOGETHER = 64
"""So many values of a graph about whose sizes nothing is known are asked for together at first."""

_MOST_BYTES = 256 << 20
"""What is asked for together should not be more."""


@dataclass(frozen=True)
class Unit:
    """`path` says where the graph is, `borders` has the nodes that hold graphs or call functions, with what they read.

    `asked` has the values to watch, with their bytes, `known` those of the graphs inside too, None in a function.
    """

    place: Place
    path: str
    scope: Scope
    model: Model
    session: Session
    asked: Sequence[tuple[str, int]]
    borders: Sequence[tuple[int, Sequence[str]]]
    functions: Functions
    known: Asked | None

    def values(self, feeds: Feeds, names: Iterable[str]) -> dict[str, Any]:
        """What these values are in a run, "" and inputs among them."""
        wanted = [name for name in dict.fromkeys(names) if name]
        asked = [name for name in wanted if name not in feeds]
        found = self.session.run(feeds, asked) if asked else {}
        return {name: feeds[name] if name in feeds else found[name] for name in wanted}

    def watched(self, feeds: Feeds) -> Iterator[tuple[str, Any]]:
        """The values to watch in a run, as few runs as memory allows: each computes the whole graph."""
        start, unsized = 0, _TOGETHER
        while start < len(self.asked):
            end = _end(self.asked, start, unsized)
            found = self.values(feeds, (name for name, _ in self.asked[start:end]))
            start, unsized = end, unsized * 2 if _are_small(found) else max(unsized // 2, 1)
            for name in list(found):
                yield name, found.pop(name)

    def entered(self, feeds: Feeds) -> Iterator[tuple[int, dict[str, Any]]]:
        """The nodes of `borders`, each with the values it reads; of more nodes at once as long as these are small."""
        start, count = 0, 1
        while start < len(self.borders):
            some = self.borders[start : start + count]
            found = self.values(feeds, (name for _, names in some for name in names))
            yield from ((index, {name: found[name] for name in names if name}) for index, names in some)
            start += count
            count *= 2 if _are_small(found) else 1


def unit(place: Place, path: str, scope: Scope, model: Model, known: Asked | None, enter: bool, file: Path) -> Unit:
    """The unit of a graph, which `file` holds as `shown` gives it.  Raises CannotLoad as ONNX Runtime does."""
    functions = functions_of(model.proto)
    borders = list(_borders(scope, functions)) if enter else []
    return Unit(place, path, scope, model, Session(file), _asked(scope, known), borders, functions, known)


def shown(scope: Scope, model: Model, known: Asked | None, enter: bool) -> Model:
    """A graph, `model` being that graph alone, with all that is asked of it as outputs.

    These have no types: ONNX Runtime finds them.
    """
    names = dict.fromkeys([*(name for name, _ in _asked(scope, known)), *scope.outputs])
    if enter:
        names |= dict.fromkeys(name for _, border in _borders(scope, functions_of(model.proto)) for name in border)
    proto = copied(model.proto)
    present = {value.name for value in (*proto.graph.output, *proto.graph.input)}
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name and name not in present)
    return model.with_proto(proto)


def _asked(scope: Scope, known: Asked | None) -> Sequence[tuple[str, int]]:
    if known is not None:
        return known.get(scope.id, ())
    return [(name, -1) for node in scope.nodes if node.op_type != "Constant" for name in node.output if name]


def _end(asked: Sequence[tuple[str, int]], start: int, unsized: int) -> int:
    """How far the values from `start` on are asked for together, at most so many of unknown size; one at least."""
    total = 0
    for place in range(start, len(asked)):
        size = asked[place][1]
        total, unsized = total + max(size, 0), unsized - (size < 0)
        if place > start and (total > _MOST_BYTES or unsized < 0):
            return place
    return len(asked)


def captures(body: Scope) -> list[str]:
    """What a graph inside a node takes from outside, stored tensors and Constants not counted."""
    wanted = needed_inputs(body, range(len(body.nodes)), body.outputs)
    return [name for name in wanted if name not in body.inputs]


def alone(body: Scope, feeds: Feeds) -> Model:
    """A graph inside a node as a model that takes feeds of these types.  Raises CannotLoad.

    Of a sequence or an optional the type is the one that is known before running: an empty one tells none.
    """
    proto = part(body, range(len(body.nodes)), [], [])
    present = {tensor.name for tensor in proto.graph.initializer}
    proto.graph.initializer.extend(t for name, t in body.initializers.items() if name not in present)
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(body.outputs))
    known = {name: value_info(body, name) for name in feeds}
    proto.graph.input.extend(info for info in known.values() if info and _is_no_tensor(info))
    return with_inputs(body.model.with_proto(proto), feeds)


def with_inputs(model: Model, feeds: Feeds, *, sized: bool = False) -> Model:
    """The model with inputs of the types of these feeds, and of their sizes on request.  Raises CannotLoad.

    Inputs that are sequences or optionals already stay as they are.  The IR version is one that keeps inputs and
    weights apart.
    """
    proto = copied(model.proto)
    proto.ir_version = max(proto.ir_version, 4)
    kept = {value.name: value for value in model.proto.graph.input if _is_no_tensor(value)}
    del proto.graph.input[:]
    proto.graph.input.extend(kept.get(name) or _input(name, value, sized) for name, value in feeds.items())
    return model.with_proto(proto)


def _is_no_tensor(value: onnx.ValueInfoProto) -> bool:
    return value.type.WhichOneof("value") in ("sequence_type", "optional_type")


def _input(name: str, value: Any, sized: bool) -> onnx.ValueInfoProto:
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        element = onnx.helper.make_tensor_type_proto(_dtype(value[0]), None)
        return onnx.helper.make_value_info(name, onnx.helper.make_sequence_type_proto(element))
    if not isinstance(value, np.ndarray | np.generic):
        raise CannotLoad(f"the type of {name!r} is not known")
    return onnx.helper.make_tensor_value_info(name, _dtype(value), np.shape(value) if sized else None)


def _dtype(array: Any) -> int:
    text = array.dtype.kind in "OSU"
    return onnx.TensorProto.STRING if text else onnx.helper.np_dtype_to_tensor_dtype(array.dtype)


def _borders(scope: Scope, functions: Functions) -> Iterator[tuple[int, Sequence[str]]]:
    for index, node in enumerate(scope.nodes):
        bodies = [scope.inner[index, attribute, number] for attribute, number, _ in subgraphs(node)]
        if called(node) in functions or bodies:
            yield index, [*node.input, *(name for body in bodies for name in captures(body))]


def _are_small(found: Mapping[str, Any]) -> bool:
    """Whether twice as much could be asked for."""
    return sum(map(_size, found.values())) * 2 < _MOST_BYTES


def _size(value: Any) -> int:
    return sum(map(_size, value)) if isinstance(value, list) else getattr(value, "nbytes", 0)
