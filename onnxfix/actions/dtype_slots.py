"""What element types the ONNX schema allows at each input and output of a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import onnx
from onnx import defs

from onnxfix.model.once import once
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD

_FORMAL = defs.OpSchema.FormalParameterOption


@dataclass(frozen=True, slots=True)
class Slot:
    """All slots of one `group` of a node have one type; `allowed` are onnx.TensorProto.DataType numbers.

    A slot whose type the schema does not tie to anything has the group "" and allows nothing.
    """

    group: str
    allowed: frozenset[int]


UNTIED = Slot("", frozenset())


@dataclass(frozen=True, slots=True)
class Group:
    """The slots of one type variable of a node: `inputs` and `outputs` are positions, omitted ones included."""

    allowed: frozenset[int]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def read(self, names: Sequence[str]) -> list[tuple[int, str]]:
        """(position, name) of the given ones among a node's inputs."""
        return [(position, names[position]) for position in self.inputs if names[position]]

    def made(self, names: Sequence[str]) -> list[str]:
        """The given ones among a node's outputs."""
        return [names[position] for position in self.outputs if names[position]]


@dataclass(frozen=True)
class Signature:
    """One slot for each input and output of a node, omitted ones included."""

    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]

    def allowed(self, group: str) -> frozenset[int]:
        """The element types of a group."""
        return self.groups[group].allowed

    @cached_property
    def tensors_only(self) -> bool:
        """Whether the schema ties every slot and none holds a sequence or an optional."""
        return all(slot.group and slot.allowed for slot in (*self.inputs, *self.outputs))

    @cached_property
    def groups(self) -> dict[str, Group]:
        """The groups by name, in the order of the node's inputs and outputs."""
        allowed: dict[str, frozenset[int]] = {}
        places: dict[str, tuple[list[int], list[int]]] = {}
        for side, slots in enumerate((self.inputs, self.outputs)):
            for position, slot in enumerate(slots):
                if slot.group:
                    allowed.setdefault(slot.group, slot.allowed)
                    places.setdefault(slot.group, ([], []))[side].append(position)
        return {name: Group(allowed[name], tuple(given), tuple(made)) for name, (given, made) in places.items()}


@once
def signatures(scope: Scope) -> list[Signature | None]:
    """The slots of each node of a scope."""
    return [signature(scope, node) for node in scope.nodes]


def signature(scope: Scope, node: onnx.NodeProto) -> Signature | None:
    """The slots of a node, None for an operator that ONNX does not know at the scope's opset.

    None, too, for a node in a function whose caller gives an attribute, which may be a type.
    """
    if node.domain not in STANDARD or (node.attribute and any(item.ref_attr_name for item in node.attribute)):
        return None
    return _signature(node.op_type, scope.opset, len(node.input), len(node.output))


@cache
def _signature(op_type: str, opset: int, inputs: int, outputs: int) -> Signature | None:
    try:
        schema = defs.get_schema(op_type, opset, "")
    except defs.SchemaError:
        return None
    types = {
        constraint.type_param_str: frozenset(filter(None, map(_element, constraint.allowed_type_strs)))
        for constraint in schema.type_constraints
    }
    made = _slots(schema.outputs, outputs, types)
    given = _slots(schema.inputs, inputs, types)
    return Signature(given, made) if given is not None and made is not None else None


def _slots(
    formal: Sequence[defs.OpSchema.FormalParameter], count: int, types: dict[str, frozenset[int]]
) -> tuple[Slot, ...] | None:
    """One slot for each of `count` actual parameters, None when the operator has no place for so many."""
    slots = [_slot(parameter, types) for parameter in formal[:count]]
    if len(slots) < count:
        if not formal or formal[-1].option != _FORMAL.Variadic:
            return None
        slots += [slots[-1]] * (count - len(slots))
    return tuple(slots)


def _slot(parameter: defs.OpSchema.FormalParameter, types: dict[str, frozenset[int]]) -> Slot:
    if parameter.option == _FORMAL.Variadic and not parameter.is_homogeneous:
        return UNTIED
    name = parameter.type_str
    if name in types:
        return Slot(name, types[name])
    element = _element(name)
    return Slot(name, frozenset({element})) if element else UNTIED


def _element(name: str) -> int:
    """`tensor(int64)` as its number; 0 for what is no tensor."""
    inner = name.removeprefix("tensor(").removesuffix(")")
    if not name.startswith("tensor("):
        return 0
    return int(onnx.TensorProto.DataType.Value(inner.upper()))
