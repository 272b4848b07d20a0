"""Names that are longer than TensorRT takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import count, made_twice, renamed_outputs, some
from onnxfix.actions.fix_shapes import declared_values
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope

_KEPT, _DIGEST = 47, 16


def shorten_names(context: Context, limit: int) -> Iterable[Proposal]:
    """Give nodes, values and stored tensors with more than `limit` characters a name of 64: the start and a hash.

    One proposal per scope, and one for the names of dimensions.  Names of the interface (inputs, and outputs but for
    those of subgraphs) are only told.
    """
    yield from _dimensions(context, limit)
    for scope in context.scopes:
        values = {} if made_twice(scope) else _values(context, scope, limit)
        nodes = [index for index, node in enumerate(scope.nodes) if len(node.name) > limit]
        if values:
            renamed = {scope.producer[name][0] for name in values if name in scope.producer}
            nodes = sorted(renamed.union(nodes))
        old = [*values, *(scope.nodes[index].name for index in nodes if len(scope.nodes[index].name) > limit)]
        if old:
            message = f"{count(old, 'name')} of more than {limit} characters: {some(old)}"
            edits = [Edit(scope.id, (index,), (_node(context, scope.nodes[index], values, limit),)) for index in nodes]
            yield Proposal(message, scope, next(iter(nodes), None), edits=(*edits, _rest(scope, values)))
        fixed = [name for name in _interface(scope) if len(name) > limit]
        if fixed:
            message = f"{count(fixed, 'name')} of the interface with more than {limit} characters: {some(fixed)}"
            yield Proposal(message, scope, value=fixed[0])


def _dimensions(context: Context, limit: int) -> Iterable[Proposal]:
    """Names of dimensions: the same short name wherever a long one stands."""
    proto = context.model.proto
    dims = (dim for value in declared_values(proto.graph) for dim in value.type.tensor_type.shape.dim)
    long = dict.fromkeys(dim.dim_param for dim in dims if len(dim.dim_param) > limit)
    if not long:
        return
    made = copied(proto)
    for value in declared_values(made.graph):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in long:
                dim.dim_param = _short(dim.dim_param)
    message = f"{count(list(long), 'dimension')} with a name of more than {limit} characters: {some(list(long))}"
    yield Proposal(message, context.main, edits=(Edit((), model=made),), exclusive=True)


def _interface(scope: Scope) -> list[str]:
    """The names that callers know; a subgraph's inputs and outputs are bound by position."""
    return [*scope.inputs, *scope.outputs] if scope.parent is None else []


def _values(context: Context, scope: Scope, limit: int) -> dict[str, str]:
    """The new name of every value that may get one."""
    fixed = set(_interface(scope))
    own = (*scope.producer, *scope.initializers, *scope.inputs)
    names = [name for name in dict.fromkeys(own) if len(name) > limit and name not in fixed]
    return {name: context.names.fresh(_short(name)) for name in names}


def _short(name: str) -> str:
    return f"{name[:_KEPT]}_{hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]}"


def _node(context: Context, node: onnx.NodeProto, values: dict[str, str], limit: int) -> onnx.NodeProto:
    copy = copied(node)
    if len(copy.name) > limit:
        copy.name = context.names.fresh(_short(copy.name))
    for position, name in enumerate(node.output):
        copy.output[position] = values.get(name, name)
    return copy


def _rest(scope: Scope, values: dict[str, str]) -> Edit:
    """What is not a node: the readers, the stored tensors, and the outputs of a subgraph."""
    moved = not values.keys().isdisjoint(scope.outputs)
    taken = not values.keys().isdisjoint(scope.inputs)
    stored = [name for name in scope.initializers if name in values]
    return Edit(
        scope.id,
        initializers=tuple(_tensor(scope.initializers[name], values[name]) for name in stored),
        drop_initializers=tuple(stored),
        inputs=_renamed_inputs(scope, values) if taken else (),
        drop_inputs=tuple(scope.inputs) if taken else (),
        outputs=renamed_outputs(scope, values) if moved else (),
        drop_outputs=tuple(scope.outputs) if moved else (),
        rename=values,
    )


def _renamed_inputs(scope: Scope, values: dict[str, str]) -> tuple[onnx.ValueInfoProto, ...]:
    inputs = [copied(value) for value in scope.inputs.values() if value is not None]
    for value in inputs:
        value.name = values.get(value.name, value.name)
    return tuple(inputs)


def _tensor(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    copy = copied(tensor)
    copy.name = name
    return copy
