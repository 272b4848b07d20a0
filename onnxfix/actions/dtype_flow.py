"""Element types from producer to reader, also behind nodes whose operands disagree, where shape inference stops."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import onnx

from onnxfix.actions.dtype_slots import Signature, signatures
from onnxfix.model.attributes import attribute_of
from onnxfix.model.once import once
from onnxfix.model.scope import Scope

Kinds = MutableMapping[str, int]
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

    @cached_property
    def rungs(self) -> frozenset[int]:
        """The types as a set."""
        return frozenset(self.order)

    def wanted(self, scope: Scope, kinds: Mapping[str, int], names: Sequence[str], allowed: frozenset[int]) -> int:
        """The type that all of these operands should have, 0 when they have it or none of the ladder will do."""
        given = {kinds.get(name, 0) for name in names}
        if (len(given) == 1 and given <= allowed) or not given <= self.rungs or not given:
            return 0
        data = {kinds.get(name, 0) for name in names if scope.constant(name) is None}
        deciding = data if self.follow and data else given
        if deciding >= {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}:  # neither holds the other's numbers
            deciding = {*deciding, int(onnx.TensorProto.FLOAT)}
        widest = max(map(self.order.index, deciding))
        fitting = [kind for kind in self.order if kind in allowed]
        wide_enough = [kind for kind in fitting if self.order.index(kind) >= widest]
        best = (wide_enough or fitting[-1:] or [0])[0]
        return 0 if given == {best} else best


def flow(scope: Scope, ladder: Ladder, outer: Kinds) -> tuple[Kinds, list[Mix]]:
    """The element types of all values that a scope sees, and the nodes whose operands or results do not agree.

    `outer` are the types of the enclosing scope.  A value with a declared type has that type: a repaired node casts
    its result to it.
    """
    kinds: Kinds = {name: kind for name in _given(scope) if (kind := scope.type_of(name).dtype)}
    if outer:  # looked through, not copied: a graph may hold thousands of others
        kinds = ChainMap(kinds, *(outer.maps if isinstance(outer, ChainMap) else (outer,)))
    declared = declared_types(scope)
    found: list[Mix] = []
    for index, slots in enumerate(signatures(scope)):
        mixed = list(_mixes(scope, ladder, kinds, index, slots)) if slots else []
        found += mixed
        wanted = {name: mix.wanted for mix in mixed for name in mix.outputs}
        for position, name in enumerate(scope.makes[index]):
            made = wanted.get(name) or (_made(scope, kinds, index, slots, position) if slots else 0)
            kind = kinds[name] = declared.get(name) or made or scope.type_of(name).dtype
            if made != kind and name not in wanted and made in ladder.rungs and kind in ladder.rungs:
                found.append(Mix(index, (), (name,), made))
    return kinds, found


@once
def declared_types(scope: Scope) -> Mapping[str, int]:
    """The element types that the file states for values of a scope."""
    outputs = [] if isinstance(scope.proto, onnx.FunctionProto) else scope.proto.output
    stated = {value.name: value.type.tensor_type.elem_type for value in (*scope.proto.value_info, *outputs)}
    return {name: kind for name, kind in stated.items() if kind}


def _given(scope: Scope) -> Iterator[str]:
    yield from scope.inputs
    yield from scope.initializers


def _mixes(scope: Scope, ladder: Ladder, kinds: Mapping[str, int], index: int, slots: Signature) -> Iterator[Mix]:
    names = scope.reads[index]
    for group in slots.groups.values():
        types = {kinds.get(names[place], 0) for place in group.inputs if names[place]}
        if len(types) == 1 and types <= group.allowed:
            continue
        given = group.read(names)
        wanted = ladder.wanted(scope, kinds, [name for _, name in given], group.allowed)
        if wanted:
            yield Mix(index, tuple(given), tuple(group.made(scope.makes[index])), wanted)


def _made(scope: Scope, kinds: Mapping[str, int], index: int, slots: Signature, position: int) -> int:
    """The type of an output, from the inputs of its type variable or from an attribute; 0 when unknown."""
    slot = slots.outputs[position]
    if len(slot.allowed) == 1:
        return next(iter(slot.allowed))
    for place in slots.groups[slot.group].inputs if slot.group else ():
        if name := scope.reads[index][place]:
            return kinds.get(name, 0)
    node = scope.nodes[index]
    tensor = scope.constant(node.output[position]) if node.op_type == "Constant" else None
    if tensor is not None:
        return tensor.data_type
    to = attribute_of(node, "to", 0) if node.op_type == "Cast" else 0
    return to if isinstance(to, int) else 0  # before opset 6 a text names the type
