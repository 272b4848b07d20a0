"""What is left of a small model made smaller: outputs, inputs, attributes, weights and sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import onnx

from onnxfix.isolate.minimal import thinned
from onnxfix.isolate.search import Search
from onnxfix.isolate.weights import fill, is_float_weight, randomized, weights_of
from onnxfix.model import Model
from onnxfix.model.attributes import constant_tensor
from onnxfix.model.inference import typed_scopes
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope, scopes_of, subgraphs

_SIZES = (1, 2, 3, 4)
Change = Callable[[onnx.ModelProto], None]


def shrink(search: Search) -> None:
    """Try each way to make less of the model once, the largest gain first; a valid model stays valid."""
    search.strict = not typed_scopes(search.model)[1]
    _try(search, _drop_declared_types)
    _try(search, _store_constants)
    _without_outputs(search)
    _random_weights(search)
    _smaller_sizes(search)
    _without_attributes(search)
    _without_optional_inputs(search)


def _try(search: Search, change: Change) -> bool:
    proto = copied(search.model.proto)
    change(proto)
    return proto != search.model.proto and search.fails(proto)


def _drop_declared_types(proto: onnx.ModelProto) -> None:
    del proto.graph.value_info[:]


def _store_constants(proto: onnx.ModelProto) -> None:
    """Constant nodes of the main graph become initializers."""
    graph = proto.graph
    outputs = {value.name for value in graph.output}
    nodes = []
    for node in graph.node:
        tensor = constant_tensor(node) if node.op_type == "Constant" and not node.domain else None
        if tensor is None or node.output[0] in outputs:
            nodes.append(copied(node))
        else:
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = node.output[0]
            if proto.ir_version < 4:
                graph.input.append(
                    onnx.helper.make_tensor_value_info(node.output[0], tensor.data_type, list(tensor.dims))
                )
    del graph.node[:]
    graph.node.extend(nodes)


def _without_outputs(search: Search) -> None:
    names = [value.name for value in search.model.proto.graph.output]
    start = search.model.proto

    def fails(chosen: Sequence[str]) -> bool:
        proto = copied(start)
        kept = [value for value in start.graph.output if value.name in chosen]
        del proto.graph.output[:]
        proto.graph.output.extend(kept)
        return search.fails(proto)

    if len(names) > 1:
        thinned(names, fails)


def _random_weights(search: Search) -> None:
    """Weights get seeded values, all of them or else as many as possible."""
    start = search.model
    places = range(len(weights_of(start.proto)))

    def fails(real: Sequence[int]) -> bool:
        return search.fails(randomized(start, set(places) - set(real)))

    if places and not fails([]):
        thinned(places, fails)


def _smaller_sizes(search: Search) -> None:
    """Each size that inputs and weights have becomes as small as it may be; all places of a size change together."""
    if search.values:
        return
    for size in sorted(_sizes(search.model.proto), reverse=True):
        for smaller in (number for number in _SIZES if number < size):
            if search.fails(_resized(search.model, size, smaller)):
                break


def _sizes(proto: onnx.ModelProto) -> set[int]:
    inputs = {dim.dim_value for value in proto.graph.input for dim in value.type.tensor_type.shape.dim}
    return {
        size for size in inputs | {d for t in proto.graph.initializer if is_float_weight(t) for d in t.dims} if size > 1
    }


def _resized(model: Model, size: int, smaller: int) -> onnx.ModelProto:
    proto = copied(model.proto)
    random = np.random.default_rng(0)
    for value in proto.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value == size:
                dim.dim_value = smaller
    for tensor in proto.graph.initializer:
        if is_float_weight(tensor) and size in tensor.dims:
            fill(tensor, tuple(smaller if dim == size else dim for dim in tensor.dims), random)
    for value in proto.graph.output:  # inference will say; a declared size could be wrong now
        for dim in value.type.tensor_type.shape.dim:
            dim.Clear()
    del proto.graph.value_info[:]
    return proto


def _without_attributes(search: Search) -> None:
    places = [(n, a.name) for n, node in enumerate(search.model.proto.graph.node) for a in _plain(node)]
    start = search.model.proto

    def fails(chosen: Sequence[tuple[int, str]]) -> bool:
        proto = copied(start)
        for number, node in enumerate(proto.graph.node):
            gone = {a.name for a in _plain(node)} - {name for place, name in chosen if place == number}
            kept = [copied(a) for a in node.attribute if a.name not in gone]
            del node.attribute[:]
            node.attribute.extend(kept)
        return search.fails(proto)

    if places and not fails([]):
        thinned(places, fails)


def _plain(node: onnx.NodeProto) -> Iterator[onnx.AttributeProto]:
    """The attributes that are no graphs and no values of a Constant."""
    graphs = {name for name, _, _ in subgraphs(node)}
    return (a for a in node.attribute if a.name not in graphs and node.op_type != "Constant")


def _without_optional_inputs(search: Search) -> None:
    for number, node in enumerate(search.model.proto.graph.node):
        for place in reversed(range(1, len(node.input))):
            if node.input[place] and _optional(node, place, search.model):
                _try(search, lambda proto, n=number, p=place: _drop_input(proto, n, p))  # type: ignore[misc]


def _optional(node: onnx.NodeProto, place: int, model: Model) -> bool:
    scope: Scope = scopes_of(model)[0]
    try:
        schema = onnx.defs.get_schema(node.op_type, scope.opsets.get(node.domain, 1), node.domain)
    except onnx.defs.SchemaError:
        return False
    return (
        place < len(schema.inputs) and schema.inputs[place].option == onnx.defs.OpSchema.FormalParameterOption.Optional
    )


def _drop_input(proto: onnx.ModelProto, number: int, place: int) -> None:
    """Leave an input out, and the graph inputs and stored tensors that nobody reads any more."""
    node = proto.graph.node[number]
    node.input[place] = ""
    while node.input and not node.input[-1]:
        del node.input[-1]
    read = {name for scope in scopes_of(Model(proto)) for other in scope.nodes for name in other.input}
    read |= {name for scope in scopes_of(Model(proto)) for name in scope.outputs}
    inputs = [copied(value) for value in proto.graph.input if value.name in read]
    stored = [copied(tensor) for tensor in proto.graph.initializer if tensor.name in read]
    del proto.graph.input[:], proto.graph.initializer[:]
    proto.graph.input.extend(inputs)
    proto.graph.initializer.extend(stored)
