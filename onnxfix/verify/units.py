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
Parts = Mapping[ScopeId, Sequence[Sequence[str]]]
"""The values of a graph that are asked for together."""

_TOGETHER = 64
"""So many values of a graph are asked for together about whose sizes nothing is known."""

_MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Unit:
    """`path` says where the graph is, `borders` has the nodes that hold graphs or call functions, with what they read.

    `known` are the parts of the graphs inside too, None in a function.
    """

    place: Place
    path: str
    scope: Scope
    model: Model
    session: Session
    parts: Sequence[Sequence[str]]
    borders: Sequence[tuple[int, Sequence[str]]]
    functions: Functions
    known: Parts | None

    def values(self, feeds: Feeds, names: Iterable[str]) -> dict[str, Any]:
        """What these values are in a run, "" and inputs among them."""
        wanted = [name for name in dict.fromkeys(names) if name]
        asked = [name for name in wanted if name not in feeds]
        found = self.session.run(feeds, asked) if asked else {}
        return {name: feeds[name] if name in feeds else found[name] for name in wanted}

    def entered(self, feeds: Feeds) -> Iterator[tuple[int, dict[str, Any]]]:
        """The nodes of `borders`, each with the values it reads; of more nodes at once as long as these are small."""
        start, count = 0, 1
        while start < len(self.borders):
            some = self.borders[start : start + count]
            found = self.values(feeds, (name for _, names in some for name in names))
            yield from ((index, {name: found[name] for name in names if name}) for index, names in some)
            start += count
            if sum(_size(value) for value in found.values()) * 2 < _MOST_BYTES:
                count *= 2


def unit(place: Place, path: str, scope: Scope, model: Model, known: Parts | None, enter: bool, file: Path) -> Unit:
    """The unit of a graph, which `file` holds as `shown` gives it.  Raises CannotLoad as ONNX Runtime does."""
    functions = functions_of(model.proto)
    borders = list(_borders(scope, functions)) if enter else []
    return Unit(place, path, scope, model, Session(file), _parts(scope, known), borders, functions, known)


def shown(scope: Scope, model: Model, known: Parts | None, enter: bool) -> Model:
    """A graph, `model` being that graph alone, with all that is asked of it as outputs.

    These have no types: ONNX Runtime finds them.
    """
    names = dict.fromkeys([*(name for part in _parts(scope, known) for name in part), *scope.outputs])
    if enter:
        names |= dict.fromkeys(name for _, border in _borders(scope, functions_of(model.proto)) for name in border)
    proto = copied(model.proto)
    present = {value.name for value in (*proto.graph.output, *proto.graph.input)}
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name and name not in present)
    return model.with_proto(proto)


def _parts(scope: Scope, known: Parts | None) -> Sequence[Sequence[str]]:
    if known is not None:
        return known.get(scope.id, ())
    names = [name for node in scope.nodes if node.op_type != "Constant" for name in node.output if name]
    return [names[start : start + _TOGETHER] for start in range(0, len(names), _TOGETHER)]


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


def _size(value: Any) -> int:
    return sum(map(_size, value)) if isinstance(value, list) else getattr(value, "nbytes", 0)
