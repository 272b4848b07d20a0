"""Element types from producer to reader, also behind nodes whose operands disagree, where shape inference stops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx

from onnxfix.actions.dtype_slots import Signature, members, signature
from onnxfix.model.attributes import attribute_of
from onnxfix.model.scope import Scope
from onnxfix.model.types import from_value_info

Kinds = dict[str, int]
"""The onnx.TensorProto.DataType of each value that is known."""


@dataclass(frozen=True)
class Mix:
    """The inputs (position, name) and outputs of one type variable of a node, and the type that all should have.

    Without inputs: an output of type `wanted` that the file declares otherwise.
    """

    node: int
    inputs: tuple[tuple[int, str], ...]
    outputs: tuple[str, ...]
    wanted: int


@dataclass(frozen=True)
class Ladder:
    """Element types from narrow to wide.  With `follow` a constant does not decide which one a node should have."""

    order: Sequence[int]
    follow: bool

    def wanted(self, scope: Scope, kinds: Mapping[str, int], names: Sequence[str], allowed: frozenset[int]) -> int:
        """The type that all of these operands should have, 0 when they have it or none of the ladder will do."""
        found = {name: kinds.get(name, 0) for name in names}
        if not found or not set(found.values()) <= set(self.order):
            return 0
        data = {kind for name, kind in found.items() if scope.constant(name) is None}
        deciding = data if self.follow and data else set(found.values())
        if deciding >= {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}:  # neither holds the other's numbers
            deciding = {*deciding, int(onnx.TensorProto.FLOAT)}
        widest = max(map(self.order.index, deciding))
        fitting = [kind for kind in self.order if kind in allowed]
        wide_enough = [kind for kind in fitting if self.order.index(kind) >= widest]
        best = (wide_enough or fitting[-1:] or [0])[0]
        return 0 if set(found.values()) == {best} else best


def flow(scope: Scope, ladder: Ladder, outer: Mapping[str, int]) -> tuple[Kinds, list[Mix]]:
    """The element types of all values that a scope sees, and the nodes whose operands or results do not agree.

    `outer` are the types of the enclosing scope.  A value with a declared type has that type: a repaired node casts
    its result to it.
    """
    kinds: Kinds = {**outer, **{name: kind for name in _given(scope) if (kind := scope.type_of(name).dtype)}}
    declared, found = declared_types(scope), []
    for index, node in enumerate(scope.nodes):
        slots = signature(scope, node)
        mixed = list(_mixes(scope, ladder, kinds, index, slots)) if slots else []
        found += mixed
        wanted = {name: mix.wanted for mix in mixed for name in mix.outputs}
        for position, name in enumerate(node.output):
            made = wanted.get(name) or (_made(scope, kinds, node, slots, position) if slots else 0)
            kinds[name] = declared.get(name) or made or scope.type_of(name).dtype
            if name not in wanted and made != kinds[name] and {made, kinds[name]} <= set(ladder.order):
                found.append(Mix(index, (), (name,), made))
    return kinds, found


def declared_types(scope: Scope) -> Kinds:
    """The element types that the file states for values of a scope."""
    outputs = [] if isinstance(scope.proto, onnx.FunctionProto) else scope.proto.output
    stated = {value.name: from_value_info(value).dtype for value in (*scope.proto.value_info, *outputs)}
    return {name: kind for name, kind in stated.items() if kind}


def _given(scope: Scope) -> Iterator[str]:
    yield from scope.inputs
    yield from scope.initializers


def _mixes(scope: Scope, ladder: Ladder, kinds: Mapping[str, int], index: int, slots: Signature) -> Iterator[Mix]:
    node = scope.nodes[index]
    for group in slots.groups:
        inputs = members(node.input, slots.inputs, group)
        wanted = ladder.wanted(scope, kinds, [name for _, name in inputs], slots.allowed(group))
        if wanted:
            outputs = tuple(name for _, name in members(node.output, slots.outputs, group))
            yield Mix(index, tuple(inputs), outputs, wanted)


def _made(scope: Scope, kinds: Mapping[str, int], node: onnx.NodeProto, slots: Signature, position: int) -> int:
    """The type of an output, from the inputs of its type variable or from an attribute; 0 when unknown."""
    slot = slots.outputs[position]
    if len(slot.allowed) == 1:
        return next(iter(slot.allowed))
    given = [kinds.get(name, 0) for _, name in members(node.input, slots.inputs, slot.group)] if slot.group else []
    if given:
        return given[0]
    tensor = scope.constant(node.output[position]) if node.op_type == "Constant" else None
    if tensor is not None:
        return tensor.data_type
    to = attribute_of(node, "to", 0) if node.op_type == "Cast" else 0
    return to if isinstance(to, int) else 0  # before opset 6 a text names the type
