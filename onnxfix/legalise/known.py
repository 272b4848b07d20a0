"""What the fact base knows to be refused, where the target itself cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

from onnxfix.actions.refusals import NOTHING, Refusals, forms
from onnxfix.legalise.known_inputs import graph_refusal
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD
from onnxfix.opset.view import schema_at
from onnxfix.targets import Target, supports

_FOREIGN = ("com.microsoft", "com.microsoft.nchwc", "ai.onnx.ml", "ai.onnx.preview.training", "ai.onnx.preview")
"""Domains of which TensorRT has importers for single operators only, and those are in the fact base."""

_KNOWN_TYPES = frozenset(onnx.TensorProto.DataType.values()) - {onnx.TensorProto.UNDEFINED}


def known_refusals(scopes: Sequence[Scope], target: Target | None) -> Refusals:
    """The nodes whose operator or attributes a source says the target refuses.

    What no source says is not refused, except in the domains of which a parser knows next to nothing.
    """
    if target is None:
        return NOTHING
    found = list(_refused(scopes, target))
    return NOTHING.with_nodes(forms(found, exact=False), {}) if found else NOTHING


def _refused(scopes: Sequence[Scope], target: Target) -> Iterator[tuple[Scope, int, str]]:
    """Nodes of one operator, types and attributes are asked about once."""
    answers: dict[tuple[object, ...], str] = {}
    for scope in scopes:
        for index, node in enumerate(scope.nodes):
            own = node.domain in _FOREIGN or (node.domain in STANDARD and not onnx.defs.has(node.op_type))
            if own and _unheard_of(target, node.op_type):
                yield scope, index, f"{target.title} has no importer for {node.op_type} {node.domain}".strip()
            if node.domain not in STANDARD:
                continue
            dtypes = () if _split_anyway(scope, node) else _data_types(scope, node)
            key = node.op_type, scope.opset, dtypes, tuple(a.SerializeToString() for a in _plain(node))
            if key not in answers:
                answers[key] = _refusal(target, node, scope.opset, dtypes)
            if said := answers[key] or graph_refusal(target, scope, node):
                yield scope, index, said


def _split_anyway(scope: Scope, node: onnx.NodeProto) -> bool:
    """Plain Attention of rank 3 is taken apart by the parser and builds in every type (operators.yaml, Attention).

    Plain: three inputs, as many heads and as wide ones for the values as for the query, no mask and no window.
    """
    if node.op_type != "Attention" or len(node.input) != 3 or scope.type_of(node.input[0]).rank != 3:
        return False
    given = {a.name: onnx.helper.get_attribute_value(a) for a in _plain(node)}
    widths = {(scope.type_of(name).dims or (None,))[-1] for name in node.input}
    heads = given.get("q_num_heads") == given.get("kv_num_heads")
    return heads and len(widths) == 1 and given.keys() <= {"q_num_heads", "kv_num_heads", "scale"}


def _unheard_of(target: Target, op_type: str) -> bool:
    """Whether the target is known to lack an operator of the name, or no source mentions one."""
    support = supports(target, op_type)
    return support.answer == "no" or (support.answer == "unknown" and not support.source)


def _refusal(target: Target, node: onnx.NodeProto, opset: int, dtypes: tuple[int, ...]) -> str:
    attributes = {a.name: _text(onnx.helper.get_attribute_value(a)) for a in _plain(node)}
    support = supports(target, node.op_type, opset=opset, dtypes=dtypes, attributes=attributes)
    return support.reason if support.answer == "no" and support.level != "silent_wrong" else ""


def _data_types(scope: Scope, node: onnx.NodeProto) -> tuple[int, ...]:
    """The known element types of the data: of the first input, and of those that share its type variable."""
    schema = schema_at(node.op_type, scope.opset)
    if schema is None or not schema.inputs or node.op_type.endswith("Window"):  # which read a size only
        return ()
    variable = schema.inputs[node.op_type == "Where"].type_str  # its first input is the condition
    formals = [schema.inputs[min(place, len(schema.inputs) - 1)] for place in range(len(node.input))]
    names = (name for name, formal in zip(node.input, formals, strict=True) if name and formal.type_str == variable)
    kinds = (scope.type_of(name) for name in names)
    return tuple(dict.fromkeys(kind.dtype for kind in kinds if kind.dtype in _KNOWN_TYPES and kind.kind == "tensor"))


def _plain(node: onnx.NodeProto) -> list[onnx.AttributeProto]:
    graphs = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return [a for a in node.attribute if a.type not in graphs and not a.ref_attr_name]


def _text(value: object) -> object:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
