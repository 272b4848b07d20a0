"""Sequences and optionals at the interface of the main graph: tensors instead."""

from __future__ import annotations

import re
from collections.abc import Iterator

import onnx

from onnxfix.actions.context import Context
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope
from onnxfix.model.sequences import Unknown, content, elements
from onnxfix.model.types import to_value_info


def tensor_interface(context: Context) -> Iterator[Proposal]:
    """A Proposal for each input and output that is a sequence or an optional.

    An input sequence gets as many tensors as were recorded (`x[0]`, `x[1]` …), of the recorded shapes; an optional is
    there or absent as it was recorded.  An output sequence whose elements are known gives each of them.
    """
    for value in context.model.proto.graph.input:
        if value.type.HasField("sequence_type") or value.type.HasField("optional_type"):
            yield _input(context, value)
    for value in context.model.proto.graph.output:
        if value.type.HasField("sequence_type") or value.type.HasField("optional_type"):
            yield _output(context, value)


def _input(context: Context, value: onnx.ValueInfoProto) -> Proposal:
    scope, name, recorded = context.main, value.name, context.request.recorded
    optional = value.type.HasField("optional_type")
    inner = value.type.optional_type.elem_type if optional else value.type
    items = sorted(
        (n for n in recorded if re.fullmatch(re.escape(name) + r"\[\d+\]", n)), key=lambda n: int(n[len(name) + 1 : -1])
    )
    kind = "optional" if optional else "sequence"
    if not context.request.has_recording:
        what = f"input {name} is no tensor but a {kind}: how it is filled is read off recorded inputs (--inputs)"
        return Proposal(what, scope, value=name)
    if inner.HasField("sequence_type") and (items or not optional):
        made = _constructed(name, items, inner.sequence_type.elem_type.tensor_type.elem_type)
        edit = Edit((), insert=(made,), drop_inputs=(name,), inputs=tuple(_typed(n, recorded[n]) for n in items))
        return Proposal(f"{kind} {name} becomes {len(items)} tensors", scope, value=name, edits=(edit,), interface=True)
    if name in recorded:
        edit = Edit((), inputs=(_like(name, inner, recorded[name]),))
        return Proposal(f"optional {name} becomes a tensor", scope, value=name, edits=(edit,), interface=True)
    empty = onnx.helper.make_node("Optional", [], [name], type=inner)
    edit = Edit((), insert=(empty,), drop_inputs=(name,))
    return Proposal(f"optional {name} is always empty", scope, value=name, edits=(edit,), interface=True)


def _constructed(name: str, items: list[str], dtype: int) -> onnx.NodeProto:
    if items:
        return onnx.helper.make_node("SequenceConstruct", items, [name])
    return onnx.helper.make_node("SequenceEmpty", [], [name], dtype=dtype)


def _typed(name: str, array: Array) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _like(name: str, kind: onnx.TypeProto, array: Array) -> onnx.ValueInfoProto:
    """The declared type; the recorded shape where none is declared."""
    if kind.tensor_type.HasField("shape"):
        return onnx.helper.make_value_info(name, kind)
    return _typed(name, array)


def _output(context: Context, value: onnx.ValueInfoProto) -> Proposal:
    scope, name = context.main, value.name
    try:
        held = content(scope, name) if value.type.HasField("optional_type") else name
        if held is None:
            return Proposal(f"output {name} is an optional that is always empty", scope, value=name)
        single = scope.type_of(held).kind == "tensor" and bool(scope.type_of(held).dtype)
        items = [held] if single else elements(scope, held)
    except Unknown as reason:
        return Proposal(f"output {name} is no tensor: {reason}", scope, value=name)
    untyped = [item for item in items if not scope.type_of(item).dtype]
    if untyped or not items:
        why = f"the type of {untyped[0]} is not known" if untyped else "it is empty"
        return Proposal(f"output {name} is no tensor: {why}", scope, value=name)
    if single:
        return _single(scope, name, held)
    names = [f"{name}[{place}]" for place in range(len(items))]
    nodes = tuple(onnx.helper.make_node("Identity", [item], [new]) for item, new in zip(items, names, strict=True))
    outputs = tuple(to_value_info(new, scope.type_of(item)) for item, new in zip(items, names, strict=True))
    edit = Edit((), insert=nodes, outputs=outputs, drop_outputs=(name,))
    return Proposal(f"sequence {name} becomes {len(items)} outputs", scope, value=name, edits=(edit,), interface=True)


def _single(scope: Scope, name: str, held: str) -> Proposal:
    """An optional output becomes the tensor that it holds; its maker goes."""
    index, _ = scope.producer[name]
    output = to_value_info(name, scope.type_of(held))
    made = onnx.helper.make_node("Identity", [held], [name])
    if name in scope.users:
        return Proposal(f"output {name} is an optional that is also read inside", scope, value=name)
    edit = Edit((), remove=(index,), insert=(made,), outputs=(output,))
    return Proposal(f"optional {name} becomes a tensor", scope, value=name, edits=(edit,), interface=True)
