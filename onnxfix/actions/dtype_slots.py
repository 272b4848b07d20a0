"""What element types the ONNX schema allows at each input and output of a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import onnx
from onnx import defs

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
class Signature:
    """One slot for each input and output of a node, omitted ones included."""

    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]

    def allowed(self, group: str) -> frozenset[int]:
        """The element types of a group."""
        return next(slot.allowed for slot in (*self.inputs, *self.outputs) if slot.group == group)

    @property
    def tensors_only(self) -> bool:
        """Whether the schema ties every slot and none holds a sequence or an optional."""
        return all(slot.group and slot.allowed for slot in (*self.inputs, *self.outputs))

    @property
    def groups(self) -> list[str]:
        """The groups, in the order of the node's inputs and outputs."""
        return list(dict.fromkeys(slot.group for slot in (*self.inputs, *self.outputs) if slot.group))


def signature(scope: Scope, node: onnx.NodeProto) -> Signature | None:
    """The slots of a node, None for an operator that ONNX does not know at the scope's opset.

    None, too, for a node in a function whose caller gives an attribute, which may be a type.
    """
    if node.domain not in STANDARD or any(attribute.ref_attr_name for attribute in node.attribute):
        return None
    return _signature(node.op_type, scope.opset, len(node.input), len(node.output))


def members(names: Sequence[str], slots: Sequence[Slot], group: str) -> list[tuple[int, str]]:
    """(position, name) of the values of a group among a node's inputs, or outputs."""
    pairs = enumerate(zip(names, slots, strict=True))
    return [(position, name) for position, (name, slot) in pairs if name and slot.group == group]


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
