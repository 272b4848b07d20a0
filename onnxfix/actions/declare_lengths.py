"""Inputs that are vectors of free length where only one length is legal: they get it."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.fix_shapes import declared_values
from onnxfix.actions.lengths import length_of
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope


def declare_lengths(context: Context) -> Iterator[Proposal]:
    """One Proposal that writes the only legal length at every vector among the inputs that a node wants it of.

    The length is found by its name, as far as shape inference carries it, or where a node reads the input itself.
    """
    vectors = {value.name: value for value in context.model.proto.graph.input if _free_vector(value)}
    found: dict[str, int] = {}
    texts: dict[str, str] = {}
    first: tuple[Scope, int] | None = None
    for scope, index in context.every_node() if vectors else ():
        node = scope.nodes[index]
        for position, name in enumerate(node.input):
            length = length_of(scope, node, position) if name else None
            if not length:
                continue
            for vector in _behind(context.main, scope, name, vectors):
                if found.setdefault(vector, length) == length:
                    texts.setdefault(vector, f"{vector} has {length}, as {node.op_type} wants")
                    first = first or (scope, index)
    if first is not None:
        model = _declared(context.model.proto, found)
        message = f"vectors of free length get the only one that is legal: {', '.join(texts.values())}"
        yield Proposal(message, *first, edits=(Edit((), model=model),), exclusive=True)


def _free_vector(value: onnx.ValueInfoProto) -> bool:
    kind = value.type.tensor_type
    return kind.HasField("shape") and len(kind.shape.dim) == 1 and not kind.shape.dim[0].HasField("dim_value")


def _behind(main: Scope, scope: Scope, name: str, vectors: dict[str, onnx.ValueInfoProto]) -> list[str]:
    """The inputs whose length is that of a value: the input itself, and those that call their length as it does."""
    if name in vectors and not any(place.defines(name) for place in _inwards(main, scope)):
        return [name, *_called(vectors, _label(vectors[name]))]
    dims = scope.type_of(name).dims
    return _called(vectors, dims[0]) if dims is not None and len(dims) == 1 and isinstance(dims[0], str) else []


def _inwards(main: Scope, scope: Scope) -> Iterator[Scope]:
    """The graphs from this one outwards, without the main graph."""
    place: Scope | None = scope
    while place is not None and place.id != main.id:
        yield place
        place = place.parent


def _called(vectors: dict[str, onnx.ValueInfoProto], label: str) -> list[str]:
    return [name for name, value in vectors.items() if label and _label(value) == label]


def _label(value: onnx.ValueInfoProto) -> str:
    return value.type.tensor_type.shape.dim[0].dim_param


def _declared(proto: onnx.ModelProto, found: dict[str, int]) -> onnx.ModelProto:
    """The model with these lengths, and no more of their names but at inputs of other ranks, which stay free."""
    made = copied(proto)
    gone = {_label(value) for value in made.graph.input if value.name in found}
    inputs = {value.name for value in made.graph.input}
    for value in declared_values(made.graph):
        dims = value.type.tensor_type.shape.dim
        if value.name in found:
            dims[0].dim_value = found[value.name]
        for dim in dims if value.name not in inputs else ():
            if dim.dim_param in gone:
                dim.ClearField("dim_param")  # inference finds what it is
    return made
