"""A whole model as text, one line for each thing in it, so that a line-by-line diff makes sense.

The same model gives the same text wherever it lies: stored tensors are told by type, shape and a digest of their
values, and weights in files beside the model by their place, because git hands out a model without those files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import onnx

from onnxfix.changes.contents import tensor_digest
from onnxfix.model.model import Model, place_of
from onnxfix.model.scope import Scope, scopes_of, subgraphs
from onnxfix.model.types import from_tensor, from_value_info, type_text
from onnxfix.model.wire import SELF
from onnxfix.report.text import visible

_LIMIT, _DIGITS, _INDENT = 200, 16, "  "


def model_text(model: Model) -> Iterator[str]:
    """The lines, without line ends; every text in them is visible, and one that is cut ends in its digest."""
    proto = model.proto
    yield f"ir_version {proto.ir_version}"
    yield from (f"opset {_text(entry.domain or 'ai.onnx')} {entry.version}" for entry in proto.opset_import)
    yield from (
        f"{name} {_text(value)}"
        for name, value in (
            ("producer", f"{proto.producer_name} {proto.producer_version}".strip()),
            ("domain", proto.domain),
            ("model_version", str(proto.model_version or "")),
            ("doc", proto.doc_string),
        )
        if value
    )
    yield from (f"metadata {_text(entry.key)} = {_text(entry.value)}" for entry in proto.metadata_props)
    for scope in scopes_of(model):
        if not scope.parent:
            yield from _scope(scope, f"{scope.label or 'graph'} {proto.graph.name * (not scope.id)}", "")


def _scope(scope: Scope, title: str, indent: str) -> Iterator[str]:
    yield f"{indent}{_text(title.strip())} {{"
    inside = indent + _INDENT
    for name, value in scope.inputs.items():
        yield f"{inside}input {_typed(value, name)}"
    for tensor in scope.initializers.values():
        yield f"{inside}weight {_tensor(scope.model, tensor)} {_text(tensor.name)}"
    if isinstance(scope.proto, onnx.GraphProto):
        for sparse in scope.proto.sparse_initializer:
            yield f"{inside}sparse weight {_digest(sparse)} {_text(sparse.values.name)}"
    for index, node in enumerate(scope.nodes):
        yield inside + _node(scope.model, node)
        for (place, name, number), inner in scope.inner.items():
            if place == index:
                yield from _scope(inner, name + (str(number) if number else ""), inside)
    declared = {value.name: value for value in scope.proto.output} if isinstance(scope.proto, onnx.GraphProto) else {}
    for name in scope.outputs:
        yield f"{inside}output {_typed(declared.get(name), name)}"
    yield f"{indent}}}"


def _node(model: Model, node: onnx.NodeProto) -> str:
    graphs = {name for name, _, _ in subgraphs(node)}
    attributes = [
        f"{_text(attribute.name)} = {_attribute(model, attribute)}"
        for attribute in sorted(node.attribute, key=lambda attribute: attribute.name)
        if attribute.name not in graphs
    ]
    inputs, outputs = (", ".join(_text(name) or '""' for name in names) for names in (node.input, node.output))
    name = f"[{_text(node.name)}] " if node.name else ""
    operator = _text(f"{node.domain}.{node.op_type}" if node.domain else node.op_type)
    kind = f" <{', '.join(attributes)}>" if attributes else ""
    doc = f"  # {_text(node.doc_string)}" if node.doc_string else ""
    return f"{name}{outputs} = {operator}{kind} ({inputs}){doc}"


def _attribute(model: Model, attribute: onnx.AttributeProto) -> str:
    if attribute.ref_attr_name:
        return f"@{_text(attribute.ref_attr_name)}"
    if attribute.type == onnx.AttributeProto.TENSOR:
        return _tensor(model, attribute.t)
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return _text(value.decode("utf-8", "backslashreplace"))
    if attribute.type in (onnx.AttributeProto.FLOAT, onnx.AttributeProto.FLOATS):
        values = [value] if isinstance(value, float) else value
        return _text(", ".join(f"{number:.9g}" for number in values))
    return _text(str(value)) if attribute.type in _PLAIN else _digest(attribute)


_PLAIN = (onnx.AttributeProto.INT, onnx.AttributeProto.INTS, onnx.AttributeProto.STRINGS)


def _tensor(model: Model, tensor: onnx.TensorProto) -> str:
    kind = type_text(from_tensor(tensor))
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        place, offset, length = place_of(tensor, model.label)
        if place != SELF:
            return f"{kind} {_text(place)}@{offset}+{'' if length is None else length}"
    return f"{kind} #{tensor_digest(model, tensor).hex()[:_DIGITS]}"


def _typed(value: onnx.ValueInfoProto | None, name: str) -> str:
    return f"{_text(type_text(from_value_info(value)))} {_text(name)}".strip()


def _text(text: str) -> str:
    """Visible, and short; what is cut is told by its digest, so that a change of it is seen."""
    shown = visible(text, _LIMIT)
    if len(text) <= _LIMIT and not (shown.endswith("…") and not text.endswith("…")):
        return shown
    return f"{shown}#{hashlib.blake2b(text.encode(), digest_size=_DIGITS // 2).hexdigest()}"


def _digest(message: onnx.SparseTensorProto | onnx.AttributeProto) -> str:
    data = message.SerializeToString(deterministic=True)
    return f"#{hashlib.blake2b(data, digest_size=_DIGITS // 2).hexdigest()}"
