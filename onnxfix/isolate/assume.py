"""Types for what operators make that nobody knows, so that a model can be cut behind them too.

Without a type a value can be neither input nor output, and all nodes between an operator of your own and the failure
would have to stay.  Most such operators give what they take: that is assumed, and the check says whether it fits.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from onnxfix.model import Model
from onnxfix.model.inference import typed_scopes
from onnxfix.model.messages import copied
from onnxfix.model.part import value_info
from onnxfix.model.scope import Scope

_ROUNDS = 24
"""So many operators behind one another are got over."""


def with_assumed_types(model: Model) -> onnx.ModelProto | None:
    """The model with a declared type for what operators give that nobody knows: that of the node's first input.

    The sizes are left out when the operators behind do not fit them.  None when nothing is to be assumed, or the model
    is not valid with it.
    """
    scopes, complaint = typed_scopes(model)
    if not any(True for _ in _unknown(scopes[0])):
        return None
    found = []
    for sized in (True, False):
        proto = _declared(model, scopes[0], sized)
        typed, said = typed_scopes(model.with_proto(proto))
        if said == complaint:
            found.append((_untyped(typed[0]), proto))
    return min(found, key=lambda item: item[0])[1] if found else None


def _untyped(scope: Scope) -> int:
    """How many values have no type: what is behind sizes that do not fit has none."""
    return sum(value_info(scope, name) is None for name in scope.producer)


def _declared(model: Model, scope: Scope, sized: bool) -> onnx.ModelProto:
    proto = copied(model.proto)
    for _ in range(_ROUNDS):
        found = [_like(source, name, sized) for name, source in _unknown(scope)]
        if not found:
            break
        gone = {value.name for value in found}
        known = [copied(value) for value in proto.graph.value_info if value.name not in gone]
        del proto.graph.value_info[:]
        proto.graph.value_info.extend([*known, *found])
        scope = typed_scopes(model.with_proto(proto))[0][0]
    return proto


def _unknown(scope: Scope) -> Iterator[tuple[str, onnx.ValueInfoProto]]:
    """What operators give that nobody knows, where the types of all inputs are known, with that of the first."""
    for node in scope.nodes:
        if onnx.defs.has(node.op_type, node.domain):
            continue
        names = [name for name in node.output if name and value_info(scope, name) is None]
        inputs = [value_info(scope, name) for name in node.input if name] if names else []
        known = [value for value in inputs if value is not None and value.type.HasField("tensor_type")]
        if known and len(known) == len(inputs):
            yield from ((name, known[0]) for name in names)


def _like(source: onnx.ValueInfoProto, name: str, sized: bool) -> onnx.ValueInfoProto:
    value = onnx.ValueInfoProto(name=name)
    value.type.CopyFrom(source.type)
    if not sized:
        value.type.tensor_type.ClearField("shape")
    return value
