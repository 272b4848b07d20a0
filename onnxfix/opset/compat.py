"""Does a node mean the same in the next opset version?  Answered from the operators' schemas.

What schemas cannot tell is in onnxfix.opset.meaning.  When in doubt the answer is no.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import onnx
from onnx.defs import OpSchema

from onnxfix.model.attributes import constant_tensor
from onnxfix.model.messages import copied
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD, dtype_name, schema_type
from onnxfix.opset.meaning import HINTS, MEANING, NEGATIVE_AXES, NEW_VALUES, OLD_VALUES, SAME_ABSENT
from onnxfix.opset.view import Formal, View, schema_at, signature
from onnxfix.rewrite.attributes import same_attribute


def judge(scope: Scope, node: onnx.NodeProto, version: int) -> onnx.NodeProto | str:
    """What a node of `scope` has to be at `version`, one above or below the opset of its scope.

    The node itself when it can stay; a new node when some attributes must be dropped or written out; else the
    reason (a text) why neither keeps its meaning.
    """
    if node.domain not in STANDARD:
        return node
    old, new = schema_at(node.op_type, scope.opset), schema_at(node.op_type, version)
    if old is None:
        return f"opset {scope.opset} has no operator {node.op_type}"
    if new is None:
        return f"opset {version} has no operator {node.op_type}"
    if old.since_version == new.since_version:
        return node
    view = View(scope, node, old)
    return _meaning(view, new) or _inputs(view, new) or _types(view, new) or _node(view, new)


def _meaning(view: View, new: OpSchema) -> str:
    op, up = view.node.op_type, new.since_version > view.schema.since_version
    changed = max(new.since_version, view.schema.since_version)
    guard = MEANING.get((op, changed))
    if guard and any(attribute.ref_attr_name for attribute in view.node.attribute):
        return "its attributes are given by the caller of the function"
    reason = guard(view, up) if guard else ""
    for table in (OLD_VALUES,) if up else (NEW_VALUES,):
        for (name, attribute, version), values in table.items():
            if (name, version) == (op, changed) and view.attribute(attribute) in values:
                reason = reason or f"{attribute} = {view.attribute(attribute)} does not exist there"
    return reason


def _inputs(view: View, new: OpSchema) -> str:
    """Whether the inputs and outputs that are given, and only these, exist in the other version."""
    inputs = _given(view.node)
    if not new.min_input <= len(inputs) <= new.max_input:
        return f"it has {len(inputs)} inputs, and there it takes {_amount(new.min_input, new.max_input)}"
    for name, formal in zip(inputs, signature(new).inputs, strict=False):
        if not name and formal.required:
            return f"its input {formal.name} is absent, and there it is required"
    outputs = len(view.node.output)
    if not new.min_output <= outputs <= new.max_output:
        return f"it has {outputs} outputs, and there it gives {_amount(new.min_output, new.max_output)}"
    return ""


def _given(node: onnx.NodeProto) -> list[str]:
    """The inputs without absent ones at the end."""
    inputs = list(node.input)
    while inputs and not inputs[-1]:
        inputs.pop()
    return inputs


def _amount(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}" if high < 1000 else f"at least {low}"


def _types(view: View, new: OpSchema) -> str:
    """Whether the element types, as far as they matter, are allowed in the other version."""
    seen: dict[str, int] = {}
    known, wanted = signature(view.schema), signature(new)
    for values, before, after in (
        (view.node.input, known.inputs, wanted.inputs),
        (view.node.output, known.outputs, wanted.outputs),
    ):
        for position, name in enumerate(values):
            old_formal, formal = _formal(before, position), _formal(after, position)
            if not name or old_formal is None or formal is None:
                continue
            kind = view.scope.type_of(name)
            if not kind.dtype:
                told = schema_type(view.scope.type_proto(name))
                if told and told not in formal.allowed:
                    return f"{name!r} is of type {told}, which is not allowed there"
                if not told and not old_formal.allowed <= formal.allowed:
                    return f"the type of {name!r} is not known, and not all types are allowed there"
                continue
            if _tensor_of(kind.dtype) not in formal.allowed:
                return f"{name!r} is of type {dtype_name(kind.dtype)}, which is not allowed there"
            if formal.shared and seen.setdefault(formal.group, kind.dtype) != kind.dtype:
                return f"{name!r} is of type {dtype_name(kind.dtype)}, and there it shares its type with another value"
    return ""


def _formal(formals: Sequence[Formal], position: int) -> Formal | None:
    if position < len(formals):
        return formals[position]
    return formals[-1] if formals and formals[-1].variadic else None


@cache
def _tensor_of(dtype: int) -> str:
    return f"tensor({dtype_name(dtype)})"


def _node(view: View, new: OpSchema) -> onnx.NodeProto | str:
    """The node with the attributes of the other version, or why there are none."""
    attributes: list[onnx.AttributeProto] = []
    changed = False
    for attribute in view.node.attribute:
        kept = _attribute(view, new, attribute)
        if isinstance(kept, str):
            return kept
        attributes += kept
        changed |= len(kept) != 1 or kept[0] is not attribute
    written = _defaults(view, new, {attribute.name for attribute in (*view.node.attribute, *attributes)})
    if isinstance(written, str):
        return written
    if not changed and not written and len(view.node.input) <= new.max_input:
        return view.node
    node = copied(view.node)
    del node.input[len(_given(node)) :]
    del node.attribute[:]
    node.attribute.extend([*attributes, *written])
    return node


def _defaults(view: View, new: OpSchema, given: set[str]) -> list[onnx.AttributeProto] | str:
    """The defaults that must be written out because the other version has another one, or the reason for no."""
    written: list[onnx.AttributeProto] = []
    for name, default in _other_defaults(view.schema, new):
        if name in given:
            continue
        if default is None:
            required = signature(new).attributes[name][0]
            there = "it is required" if required else "absence means another value"
            return f"its attribute {name} is absent, and there {there}"
        written.append(default)
    return written


@cache
def _other_defaults(old: OpSchema, new: OpSchema) -> tuple[tuple[str, onnx.AttributeProto | None], ...]:
    """The attributes whose absence means something else, or nothing, in the other version: name and old default."""
    found = []
    known = signature(old).attributes
    for name, (required, now) in signature(new).attributes.items():
        default = known[name][1] if name in known else None
        missing = required and default is None
        changed = name in known and not same_attribute(default, now)
        if missing or (changed and (default is not None or (new.name, name) not in SAME_ABSENT)):
            found.append((name, default))
    return tuple(found)


def _attribute(view: View, new: OpSchema, attribute: onnx.AttributeProto) -> list[onnx.AttributeProto] | str:
    """What becomes of one attribute of the node: kept, rewritten, dropped, or the reason why none is right."""
    name, known, wanted = attribute.name, signature(view.schema), signature(new)
    if name not in known.attributes:
        return f"its attribute {name} does not belong to {view.node.op_type} of opset {view.scope.opset}"
    default = known.attributes[name][1]
    if name not in wanted.attributes:
        if name in HINTS or (default is not None and same_attribute(attribute, default)):
            return []
        if view.node.op_type == "Constant" and (tensor := constant_tensor(view.node)) is not None:
            return [onnx.helper.make_attribute("value", tensor)]
        return f"its attribute {name} does not exist there"
    if known.types[name] != wanted.types[name]:
        return f"its attribute {name} has another type there"
    downwards = new.since_version < 11 <= view.schema.since_version
    if downwards and name in ("axis", "axes") and view.node.op_type in NEGATIVE_AXES:
        return _counted_from_front(view, attribute)
    return [attribute]


def _counted_from_front(view: View, attribute: onnx.AttributeProto) -> list[onnx.AttributeProto] | str:
    value = view.attribute(attribute.name)
    if value is None:
        return f"its attribute {attribute.name} is not known, and may not be negative there"
    axes = value if isinstance(value, list) else [value]
    if all(axis >= 0 for axis in axes):
        return [attribute]
    rank = view.kind(0).rank
    if rank is None:
        return f"its attribute {attribute.name} is negative, and the rank of its input is not known"
    rank += {"Unsqueeze": len(axes), "OneHot": 1}.get(view.node.op_type, 0)
    counted = [axis % rank for axis in axes]
    return [onnx.helper.make_attribute(attribute.name, counted if isinstance(value, list) else counted[0])]
