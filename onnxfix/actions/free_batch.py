"""A batch size that the exporter burnt in, made free again: at the inputs, and in the Reshapes that hold it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.free_constants import free_constant
from onnxfix.actions.request import BATCH, Request
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.inference import typed_scopes
from onnxfix.model.messages import copied
from onnxfix.model.model import Model
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope, captured, scopes_of
from onnxfix.model.types import STANDARD, Dim, ValueType, from_value_info, to_value_info

_MOST = 1000
"""So many times shapes are inferred anew; each time frees at least one Reshape."""


def free_batch(context: Context) -> Iterator[Proposal]:
    """One Proposal that gives axis 0 of the inputs that the user names (or of all of one size) a name or a multiple.

    The target of a Reshape that holds the old size gets -1 there (or 0, where another element is -1), and constants
    that hold one row for each sample follow (onnxfix.actions.free_constants).  That the
    result computes every sample as the original does is proven by running both, at one batch and at two.
    """
    graph = context.model.proto.graph
    stored = context.main.initializers
    values = {value.name: from_value_info(value) for value in graph.input if value.name not in stored}
    batch, sizes = freed(context.request, values)
    burnt = any(isinstance((values[name].dims or (None,))[0], int) for name in sizes)
    old = _sized(context.model, sizes, batch)
    made = _freed(context.model, sizes, old, batch, burnt) if sizes else context.model
    if not sizes or not (burnt or made.proto.graph.node != graph.node):
        return
    old_nodes = {node.SerializeToString(deterministic=True) for node in graph.node}
    count = sum(node.SerializeToString(deterministic=True) not in old_nodes for node in made.proto.graph.node)
    message = f"the batch of {', '.join(sizes)} is {batch} and becomes {next(iter(sizes.values()))}"
    if count:
        message += f"; {count} {'node' if count == 1 else 'nodes'} in which it is burnt in follow"
    yield Proposal(message, context.main, value=next(iter(sizes)), edits=(Edit((), model=made.proto),), exclusive=True)


def freed(request: Request, values: dict[str, ValueType]) -> tuple[int, dict[str, int | str]]:
    """(the old batch size, the new size or name by input): what the user asks for, none when nothing."""
    asked = {
        name: sizes[0]
        for name, sizes in request.shapes.items()
        if name in values and sizes and _changes(values[name], sizes[0])
    }
    batches = [kind.dims[0] for name, kind in values.items() if name in asked and kind.dims]
    if request.dynamic_batch:
        batches = [kind.dims[0] for kind in values.values() if kind.dims] or batches
    fixed = next((size for size in batches if isinstance(size, int)), 1)
    if request.dynamic_batch:
        same = {name: _name(kind) for name, kind in values.items() if kind.dims and kind.dims[0] in (fixed, BATCH)}
        free = {n: str(k.dims[0]) for n, k in values.items() if k.dims and isinstance(k.dims[0], str)}
        asked = {**same, **free, **asked}
    return fixed, asked


def _changes(kind: ValueType, size: int | str) -> bool:
    """Whether a size asked for axis 0 is more than a number for a free dimension."""
    if not kind.dims:
        return False
    return isinstance(size, str) or (isinstance(kind.dims[0], int) and kind.dims[0] != size)


def _name(kind: ValueType) -> str:
    assert kind.dims
    return kind.dims[0] if isinstance(kind.dims[0], str) else BATCH


def _sized(model: Model, sizes: Iterable[str], batch: int | str) -> Model:
    """The model with this batch at its inputs, and no shapes anywhere else."""
    proto = copied(model.proto)
    del proto.graph.value_info[:]
    for value in proto.graph.input:
        if value.name in sizes:
            _set(value.type.tensor_type.shape.dim[0], batch)
    for value in proto.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    return model.with_proto(proto)


def _set(dim: onnx.TensorShapeProto.Dimension, size: int | str) -> None:
    dim.Clear()
    if isinstance(size, int):
        dim.dim_value = size
    else:
        dim.dim_param = size


def _freed(model: Model, sizes: dict[str, int | str], old: Model, batch: int, burnt: bool) -> Model:
    """The model with its Reshapes freed one after the other, the new sizes, and its outputs' shapes inferred."""
    before = typed_scopes(old)[0][0]
    name = next((size for size in sizes.values() if isinstance(size, str)), BATCH)
    free = _sized(model, sizes, name)
    for _ in range(_MOST):
        scope = typed_scopes(free)[0][0]
        proto = copied(free.proto)
        names = Names(scopes_of(free))
        changed = _free_reshapes(proto, scope, before, names, burnt)
        if not changed and not free_constant(proto.graph, scope, batch, names):
            break
        free = free.with_proto(proto)
    for value in proto.graph.input:
        if value.name in sizes:
            _set(value.type.tensor_type.shape.dim[0], sizes[value.name])
    scope = typed_scopes(free.with_proto(proto))[0][0]
    for value in proto.graph.output:
        kind, was = scope.type_of(value.name), before.type_of(value.name)
        if kind.dtype and kind.dims is not None:
            value.CopyFrom(to_value_info(value.name, _labelled(kind, was, batch, name)))
    return free.with_proto(proto)


def _labelled(kind: ValueType, was: ValueType, batch: int, name: str) -> ValueType:
    """The type of an output, with the name of the batch where its size was the batch's and is free now."""
    old = was.dims if was.dims is not None and was.rank == kind.rank else (None,) * (kind.rank or 0)
    pairs = zip(kind.dims or (), old, strict=True)
    return ValueType(
        kind.dtype, tuple(name if not isinstance(dim, int) and size == batch else dim for dim, size in pairs)
    )


def _free_reshapes(proto: onnx.ModelProto, scope: Scope, before: Scope, names: Names, burnt: bool) -> bool:
    """Free the Reshapes whose input has the new batch by now; whether there was one.

    Where no input had a burnt-in batch, a target with -1 fits every batch already and means what it says.
    """
    changed = False
    for index, node in enumerate(scope.nodes):
        if node.op_type != "Reshape" or node.domain not in STANDARD or len(node.input) < 2:
            continue
        target = scope.array(node.input[1])
        dims, was = scope.type_of(node.input[0]).dims, before.type_of(node.input[0]).dims
        made = before.type_of(node.output[0]).dims
        if target is None or dims is None or was is None or any(a.name == "allowzero" and a.i for a in node.attribute):
            continue
        shape = free_target([int(size) for size in target], dims, was, made)
        if shape is not None and shape != target.tolist() and (burnt or -1 not in target):
            _retarget(proto.graph, index, names.fresh(f"{node.output[0]}_shape"), shape)
            changed = True
    return changed


def _retarget(graph: onnx.GraphProto, index: int, name: str, shape: Sequence[int]) -> None:
    """Give a Reshape another target; the old one goes when nobody else reads it."""
    old = graph.node[index].input[1]
    graph.node[index].input[1] = name
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(shape, np.int64), name))
    read = {given for node in graph.node for given in (*node.input, *captured(node))}
    unread = [tensor for tensor in graph.initializer if tensor.name == old and old not in read]
    for tensor in unread:
        graph.initializer.remove(tensor)


def free_target(
    target: Sequence[int], dims: Sequence[Dim], was: Sequence[Dim], made: Sequence[Dim] | None
) -> list[int] | None:
    """The target of a Reshape without the burnt-in batch; None when none is burnt in, or where it is cannot be told.

    `dims` are the input's dimensions now, `was` and `made` those of input and output with the old batch.
    """
    free = [place for place, dim in enumerate(dims) if not isinstance(dim, int)]
    if not free:
        return None
    if -1 in target:
        return [0, *target[1:]] if _leading(target, dims, was) else None
    numbers = [size for size in was if isinstance(size, int)]
    if len(free) > 1 or len(numbers) < len(was) or 0 in numbers or 0 in target[free[0] : free[0] + 1]:
        return None
    if made is None or not all(isinstance(size, int) and size > 0 for size in made):
        return None
    place = _place(
        [int(size) for size in made if isinstance(size, int)], math.prod(numbers[: free[0]]), numbers[free[0]]
    )
    if place is None:
        return None
    return [*made[:place], -1, *made[place + 1 :]]  # type: ignore[list-item]  # all are numbers


def _leading(target: Sequence[int], dims: Sequence[Dim], was: Sequence[Dim]) -> bool:
    """Whether the target repeats, as a number, the batch in front."""
    return bool(target and dims) and not isinstance(dims[0], int) and target[0] == was[0] and target[0] > 0


def _place(made: Sequence[int], before: int, batch: int) -> int | None:
    """Which output element holds the batch, when `before` elements lie before it in memory.

    An element that is the batch itself is preferred to one that it is merged into.
    """
    fitting = []
    for place, size in enumerate(made):
        prefix = math.prod(made[:place])
        if prefix == before and size == batch:
            return place
        if before % prefix == 0 and size % (before // prefix * batch) == 0:
            fitting.append(place)
    return fitting[0] if fitting else None
