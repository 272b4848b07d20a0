"""Stored tensors that a graph has twice under one name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from operator import eq

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import count, some
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.model import Model


def unique_tensors(context: Context) -> Iterable[Proposal]:
    """Keep one of several stored tensors that are equal, name included; others are only told."""
    for scope in context.scopes:
        if isinstance(scope.proto, onnx.FunctionProto):
            continue
        times = Counter(tensor.name for tensor in scope.proto.initializer)
        if max(times.values(), default=1) == 1:
            continue
        stored, model = scope.initializers, context.model
        again = [tensor for tensor in scope.proto.initializer if times[tensor.name] > 1]
        differing = {tensor.name for tensor in again if not _equal(model, tensor, stored[tensor.name])}
        equal = [name for name, number in times.items() if number > 1 and name not in differing]
        if differing:
            message = f"{count(sorted(differing), 'name')} of different stored tensors: {some(sorted(differing))}"
            yield Proposal(message, scope, value=min(differing))
        if equal:
            kept = tuple(stored[name] for name in equal)
            edit = Edit(scope.id, initializers=kept, drop_initializers=tuple(equal))
            message = f"{count(equal, 'stored tensor')} stored more than once: {some(equal)}"
            yield Proposal(message, scope, value=equal[0], edits=(edit,))


def _equal(model: Model, one: onnx.TensorProto, other: onnx.TensorProto) -> bool:
    """Whether two tensors have the same type, shape and bytes, wherever their bytes are."""
    if one == other:
        return True
    if (one.data_type, *one.dims) != (other.data_type, *other.dims) or one.data_type == onnx.TensorProto.STRING:
        return False
    first, second = model.extent(one), model.extent(other)
    return first.length == second.length and all(map(eq, first.chunks(), second.chunks()))
