"""What the fact base knows to be refused, where the target itself cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

from onnxfix.actions.refusals import NOTHING, Refusals, forms
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD
from onnxfix.targets import Target, supports


def known_refusals(scopes: Sequence[Scope], target: Target | None) -> Refusals:
    """The nodes whose operator or attributes a source says the target refuses; what no source says is not refused."""
    if target is None:
        return NOTHING
    found = list(_refused(scopes, target))
    return NOTHING.with_nodes(forms(found, exact=False), {}) if found else NOTHING


def _refused(scopes: Sequence[Scope], target: Target) -> Iterator[tuple[Scope, int, str]]:
    for scope in scopes:
        for index, node in enumerate(scope.nodes):
            if node.domain in STANDARD:
                support = supports(target, node.op_type, opset=scope.opset, attributes=_attributes(node))
                if support.answer == "no":
                    yield scope, index, support.reason


def _attributes(node: onnx.NodeProto) -> dict[str, object]:
    graphs = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    plain = (a for a in node.attribute if a.type not in graphs and not a.ref_attr_name)
    return {a.name: _text(onnx.helper.get_attribute_value(a)) for a in plain}


def _text(value: object) -> object:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
