"""What the page tells of a part: name, operator, attributes, inputs with their weights, outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx

from onnxfix.changes.graph import is_constant
from onnxfix.model.attributes import constant_tensor
from onnxfix.model.facts import operator
from onnxfix.model.scope import Scope, ScopeId, subgraphs
from onnxfix.model.types import from_tensor, type_text
from onnxfix.report.page.picture import Part, Picture
from onnxfix.report.page.weights import weight_figures
from onnxfix.report.text import sentence, visible

NAME, _TEXT, _ITEMS = 200, 300, 40


@dataclass
class Teller:
    """Tells of the parts of one model; `typed` are its scopes with all inferred types."""

    typed: Mapping[ScopeId, Scope]
    _types: dict[tuple[ScopeId, str], str] = field(default_factory=dict)
    _figures: dict[tuple[ScopeId, str], dict[str, Any]] = field(default_factory=dict)

    def facts(self, scope: Scope, part: Part, side: int, *, weights: bool) -> dict[str, Any]:
        """JSON types only; every text is visible."""
        place = part.first if side == 0 else part.second
        if part.kind != "node":
            return {"name": visible(str(place), NAME), "out": [self._value(scope, str(place))]}
        node = scope.nodes[int(place or 0)]
        found = {
            "name": visible(node.name, NAME),
            "op": visible(operator(node), NAME),
            "attrs": [[visible(a.name), attribute_text(a)] for a in node.attribute],
            "in": [self._read(scope, name, weights) for name in node.input[:_ITEMS]],
            "out": [self._value(scope, name) for name in node.output[:_ITEMS]],
            "doc": sentence(node.doc_string, _TEXT),
            "inner": [visible(inner.label, NAME) for inner in self._inside(scope, int(place or 0))],
        }
        return {key: value for key, value in found.items() if value}

    def type(self, scope: Scope, name: str) -> str:
        """The type of a value as ONNX text, "" when it is not known."""
        key = scope.id, name
        if key not in self._types:
            self._types[key] = visible(type_text(self.typed.get(scope.id, scope).type_of(name)), NAME)
        return self._types[key]

    def _value(self, scope: Scope, name: str) -> list[Any]:
        return [visible(name, NAME), self.type(scope, name)]

    def _read(self, scope: Scope, name: str, weights: bool) -> list[Any]:
        tensor, home = stored(scope, name)
        if tensor is None or home is None or not name:
            return self._value(scope, name)
        if not weights:
            return [visible(name, NAME), type_text(from_tensor(tensor)), {}]
        key = home.id, name
        if key not in self._figures:
            self._figures[key] = weight_figures(home.model, tensor)
        return [visible(name, NAME), self._figures[key]["type"], self._figures[key]]

    def _inside(self, scope: Scope, index: int) -> Iterator[Scope]:
        typed = self.typed.get(scope.id, scope)
        return (typed.inner[index, name, number] for name, number, _ in subgraphs(typed.nodes[index]))


def facts_of(picture: Picture, part: Part, tellers: tuple[Teller, Teller]) -> list[dict[str, Any] | None]:
    """The facts of both models, or of the only one when they say the same."""
    places = (part.first, part.second)
    plain = [
        None if place is None else tellers[side].facts(picture.scope(side), part, side, weights=False)
        for side, place in enumerate(places)
    ]
    alike = plain[0] and plain[1] and part.status == "same" and _alike(plain[0], plain[1])
    return [
        None if place is None else tellers[side].facts(picture.scope(side), part, side, weights=True)
        for side, place in enumerate(places)
        if side == 1 or not alike
    ]


def _alike(one: dict[str, Any], two: dict[str, Any]) -> bool:
    """Whether two facts are the same, besides types that only one of them knows."""
    if len(one) != len(two) or any(one[key] != two.get(key) for key in one if key not in ("in", "out")):
        return False
    values = [(*facts.get("in", ()), *facts.get("out", ())) for facts in (one, two)]
    return len(values[0]) == len(values[1]) and all(
        a[0] == b[0] and a[2:] == b[2:] and ("" in (a[1], b[1]) or a[1] == b[1]) for a, b in zip(*values, strict=True)
    )


def stored(scope: Scope, name: str) -> tuple[onnx.TensorProto | None, Scope | None]:
    """The tensor behind a value, when it is a stored one, and the scope that has it."""
    here: Scope | None = scope
    while here is not None:
        if name in here.initializers:
            return here.initializers[name], here
        if name in here.producer:
            node = here.nodes[here.producer[name][0]]
            return (constant_tensor(node), here) if is_constant(node) else (None, None)
        here = None if name in here.inputs else here.parent
    return None, None


def attribute_text(attribute: onnx.AttributeProto) -> str:
    """The value of an attribute in a few words."""
    if attribute.ref_attr_name:
        return sentence(f"@{attribute.ref_attr_name}", _TEXT)
    if attribute.type == onnx.AttributeProto.TENSOR:
        return type_text(from_tensor(attribute.t))
    graphs = list(subgraphs(onnx.NodeProto(attribute=[attribute])))
    if graphs:
        return ", ".join(f"a graph of {len(graph.node)} nodes" for _, _, graph in graphs)
    return sentence(_plain(onnx.helper.get_attribute_value(attribute)), _TEXT)


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value[: 2 * _TEXT].decode("utf-8", "backslashreplace")
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, onnx.TensorProto | onnx.SparseTensorProto | onnx.TypeProto):
        return type(value).__name__
    items = list(value[:_ITEMS])
    return f"[{', '.join(map(_plain, items))}{', …' if len(value) > len(items) else ''}]"
