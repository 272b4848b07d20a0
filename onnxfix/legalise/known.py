"""What the fact base knows to be refused, where the target itself cannot be asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import cache

import onnx

from onnxfix.actions.refusals import NOTHING, Refusals, forms
from onnxfix.legalise.known_inputs import graph_refusal
from onnxfix.legalise.known_rules import behind_identity
from onnxfix.legalise.known_sizes import made_by_node, never_run, size_refusal
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD
from onnxfix.opset.view import schema_at, signature
from onnxfix.targets import Target, judged_by_shapes, supports

_FOREIGN = ("com.microsoft", "com.microsoft.nchwc", "ai.onnx.ml", "ai.onnx.preview.training", "ai.onnx.preview")
"""Domains of which TensorRT has importers for single operators only, and those are in the fact base."""

_KNOWN_TYPES = frozenset(onnx.TensorProto.DataType.values()) - {onnx.TensorProto.UNDEFINED}


_DATA = {"Where": 1, "OneHot": 2}
"""The input that has the data, where it is not the first: a condition or indices are."""
_FILLED = ("ConstantOfShape", "EyeLike")
"""Operators whose data is made up: their output has its type."""
_INT8, _UINT8 = onnx.TensorProto.INT8, onnx.TensorProto.UINT8

Shapes = tuple[tuple[int | None, ...] | None, ...]
Found = tuple[Scope, int, str]


def known_refusals(scopes: Sequence[Scope], target: Target | None) -> Refusals:
    """The nodes whose operator, attributes, types, inputs or sizes a source says the target refuses.

    What no source says is not refused, except in the domains of which a parser knows next to nothing.
    """
    if target is None:
        return NOTHING
    whole, sized = list(_refused(scopes, target)), list(_refused_by_sizes(scopes, target))
    found = Refusals(forms(whole, exact=False), forms(sized, exact=True), model=_model_refusal(scopes[0], target))
    return found or NOTHING


def _model_refusal(main: Scope, target: Target) -> str:
    """Why the graph itself is refused (operators.yaml, engine_wide), whatever its nodes are."""
    if not main.outputs:
        return "the network has no output: the graph marks no value as one"
    if target.track != "rtx":
        return ""
    untyped = [value.name for value in main.model.proto.graph.output if not _typed(value)]
    if untyped:
        return f"the output {untyped[0]} declares no element type"
    made = Counter(name for node in main.nodes for name in node.output if name)
    twice = next((name for name, times in made.items() if times > 1), "")
    return f"the value {twice} is made twice" if twice else ""


def _typed(value: onnx.ValueInfoProto) -> bool:
    kind = value.type.WhichOneof("value")
    return kind is not None and (kind != "tensor_type" or value.type.tensor_type.elem_type != 0)


def _refused(scopes: Sequence[Scope], target: Target) -> Iterator[Found]:
    """Nodes of one operator, types and attributes are asked about once."""
    answers: dict[tuple[object, ...], str] = {}
    for scope, index, node in _nodes(scopes):
        own = node.domain in _FOREIGN or (node.domain in STANDARD and not _has_schema(node.op_type))
        if own and _unheard_of(target, node.op_type):
            yield scope, index, f"{target.title} has no importer for {node.op_type} {node.domain}".strip()
        if node.domain not in STANDARD:
            continue
        dtypes = _data_types(scope, node)
        key = node.op_type, scope.opset, dtypes, tuple(a.SerializeToString() for a in _plain(node))
        if key not in answers:
            answers[key] = _refusal(target, node, scope.opset, dtypes)
        if said := answers[key] or graph_refusal(target, scope, node):
            yield scope, index, said


def _refused_by_sizes(scopes: Sequence[Scope], target: Target) -> Iterator[Found]:
    for scope, index, node in _nodes(scopes):
        if node.domain not in STANDARD:
            continue
        asked = judged_by_shapes(target, node.op_type)
        said = _by_sizes(target, scope, node) if asked else ""
        if said := said or size_refusal(target, scope, node):
            yield scope, index, said


def _nodes(scopes: Sequence[Scope]) -> Iterator[tuple[Scope, int, onnx.NodeProto]]:
    """Every node that a parser reads."""
    for scope in scopes:
        if not never_run(scope):
            yield from ((scope, index, node) for index, node in enumerate(scope.nodes))


@cache
def _has_schema(op_type: str) -> bool:
    return bool(onnx.defs.has(op_type))


def _unheard_of(target: Target, op_type: str) -> bool:
    """Whether the target is known to lack an operator of the name, or no source mentions one."""
    support = supports(target, op_type)
    return support.answer == "no" or (support.answer == "unknown" and not support.source)


def _by_sizes(target: Target, scope: Scope, node: onnx.NodeProto) -> str:
    stored = {
        place for place, name in enumerate(node.input) if scope.constant(behind_identity(scope, name)) is not None
    }
    return _refusal(target, node, scope.opset, _data_types(scope, node), _shapes(scope, node), stored)


def _refusal(
    target: Target,
    node: onnx.NodeProto,
    opset: int,
    dtypes: tuple[int, ...],
    shapes: Shapes = (),
    stored: Collection[int] = (),
) -> str:
    given = {a.name: _text(onnx.helper.get_attribute_value(a)) for a in _plain(node)}
    support = supports(target, node.op_type, opset=opset, dtypes=dtypes, attributes=given, shapes=shapes, stored=stored)
    return support.reason if support.answer == "no" and support.level != "silent_wrong" else ""


def _data_types(scope: Scope, node: onnx.NodeProto) -> tuple[int, ...]:
    """The known element types of the data: of the first input, and of those that share its type variable.

    An input that is read for its size only, as by windows and by random numbers with a type of their own, has none.
    uint8 that a node makes is int8 to TensorRT (operators.yaml, engine_wide).
    """
    schema = schema_at(node.op_type, scope.opset)
    sized = node.op_type.endswith("Window") or (node.op_type.startswith("Random") and _has(node, "dtype"))
    formals = signature(schema).inputs if schema is not None and not sized else ()
    if not formals:
        return ()
    variable, last = formals[_DATA.get(node.op_type, 0)].group, len(formals) - 1
    given = enumerate(node.input)
    names = [name for place, name in given if name and formals[min(place, last)].group == variable]
    kinds = [scope.type_of(name) for name in (node.output[:1] if node.op_type in _FILLED else names)]
    known = dict.fromkeys(kind.dtype for kind in kinds if kind.dtype in _KNOWN_TYPES and kind.kind == "tensor")
    if _UINT8 in known and names and node.op_type not in _FILLED and made_by_node(scope, names[0]):
        known = dict.fromkeys(_INT8 if dtype == _UINT8 else dtype for dtype in known)
    return tuple(known)


def _shapes(scope: Scope, node: onnx.NodeProto) -> Shapes:
    kinds = (scope.type_of(name) if name else None for name in node.input)
    return tuple(
        None if kind is None or kind.dims is None else tuple(d if isinstance(d, int) else None for d in kind.dims)
        for kind in kinds
    )


def _has(node: onnx.NodeProto, attribute: str) -> bool:
    return any(item.name == attribute for item in node.attribute)


def _plain(node: onnx.NodeProto) -> list[onnx.AttributeProto]:
    graphs = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return [a for a in node.attribute if a.type not in graphs and not a.ref_attr_name]


def _text(value: object) -> object:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
