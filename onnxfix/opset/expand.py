"""An operator written out as its definition says: the body in its schema, or the model-local function of its name.

Many operators (LayerNormalization, Gelu, HardSwish …) come with a definition in older operators.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import onnx

from onnxfix.model.edit import Edit
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope, subgraphs
from onnxfix.model.types import STANDARD, to_value_info
from onnxfix.opset.view import schema_at

INVALID_DEFINITIONS = frozenset({"AffineGrid"})
"""Operators whose definition breaks the rules of another one: AffineGrid-20 gives Range tensors that are no scalars."""

Attributes = Mapping[str, onnx.AttributeProto]

_OF_A_NAME = 200
"""So many characters of a node's names begin those of the nodes in its place, however deep definitions are nested."""


def expansion(scope: Scope, index: int, version: int, names: Names) -> Edit | None:
    """The Edit that puts an operator's definition in its place when `version` does not have the operator.

    None when `version` has it, or the schema holds no definition for the opset of the scope, or one that needs a
    type which is not known here.
    """
    if schema_at(scope.nodes[index].op_type, version) is not None or scope.nodes[index].op_type in INVALID_DEFINITIONS:
        return None
    return written_out(scope, index, names) if scope.nodes[index].domain in STANDARD else None


def written_out(scope: Scope, index: int, names: Names) -> Edit | None:
    """The Edit that puts an operator's definition in its place; None as for `expansion`."""
    node = scope.nodes[index]
    schema = _schema(node.op_type, node.domain, scope.opsets)
    if schema is None:
        return None
    for function in _definitions(scope, node, schema):
        if fits(function, scope.opsets):
            defaults = {name: a.default_value for name, a in schema.attributes.items() if a.default_value.name}
            new = {o.domain: o.version for o in function.opset_import if o.domain not in scope.opsets}
            insert = body_nodes(node, function, defaults, names)
            insert += _one_axis(insert, node.output[0], names) if node.op_type == "Range" else []
            return Edit(scope.id, remove=(index,), insert=tuple(insert), opsets=new)
    return None


def _one_axis(nodes: Iterable[onnx.NodeProto], output: str, names: Names) -> list[onnx.NodeProto]:
    """A Reshape that says what the Loop in the definition of Range does not: that its result has one axis."""
    listed, shape = names.fresh(f"{output}_listed"), names.fresh(f"{output}_shape")
    for node in nodes:
        node.output[:] = [listed if name == output else name for name in node.output]
    tensor = onnx.helper.make_tensor("", onnx.TensorProto.INT64, [1], [-1])
    return [
        onnx.helper.make_node("Constant", [], [shape], value=tensor),
        onnx.helper.make_node("Reshape", [listed, shape], [output]),
    ]


def obstacle(scope: Scope, index: int) -> str:
    """Why a definition that depends on its context is not used, as half a sentence; "" when there is none."""
    node = scope.nodes[index]
    schema: Any = _schema(node.op_type, node.domain, scope.opsets)
    if schema is None or not any(v <= scope.opset for v in schema.context_dependent_function_opset_versions):
        return ""
    unknown = [name for name in node.input if name and not scope.type_of(name).dtype]
    if unknown:
        return f"its definition depends on the type of {unknown[0]}, which is not known"
    return "its definition is not for these inputs and attributes"


def fits(function: onnx.FunctionProto, opsets: Mapping[str, int]) -> bool:
    """Whether every node of a definition, as it is written, is one of these versions of its domain too.

    An operator that got new optional inputs or attributes since fits; one whose attribute became an input does not.
    """
    own = {_spelt(o.domain): o.version for o in function.opset_import}
    there = {**own, **{_spelt(domain): version for domain, version in opsets.items()}}
    return all(
        own.get(_spelt(node.domain)) == there.get(_spelt(node.domain)) or _node_fits(node, there)
        for node in _every_node(function.node)
    )


def _spelt(domain: str) -> str:
    return "" if domain in STANDARD else domain


def _node_fits(node: onnx.NodeProto, opsets: Mapping[str, int]) -> bool:
    schema = _schema(node.op_type, node.domain, opsets)
    if schema is None:
        return False
    return schema.min_input <= len(node.input) <= schema.max_input and all(
        attribute.name in schema.attributes for attribute in node.attribute
    )


def _every_node(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for _, _, graph in subgraphs(node):
            yield from _every_node(graph.node)


def _schema(op_type: str, domain: str, opsets: Mapping[str, int]) -> onnx.defs.OpSchema | None:
    if domain in STANDARD:
        return schema_at(op_type, opsets.get("", 1))
    try:
        return onnx.defs.get_schema(op_type, opsets.get(domain, 0), domain)
    except onnx.defs.SchemaError:
        return None


def _definitions(scope: Scope, node: onnx.NodeProto, schema: Any) -> Iterator[onnx.FunctionProto]:
    """The definitions written for the opset of the scope or an older one, the newest first.

    One that depends on its context is told the attributes and the types of the inputs, which must be known.
    """
    version = scope.opset if node.domain in STANDARD else scope.opsets[node.domain]
    for plain in sorted(schema.function_opset_versions, reverse=True):
        if plain <= version:
            yield onnx.FunctionProto.FromString(schema.get_function_with_opset_version(plain))
    kinds = [_type(scope, name) for name in node.input]
    known = all(kind.WhichOneof("value") for kind, name in zip(kinds, node.input, strict=True) if name)
    if not known or any(attribute.ref_attr_name for attribute in node.attribute):
        return
    types = [kind.SerializeToString() for kind in kinds]
    for typed in sorted(schema.context_dependent_function_opset_versions, reverse=True):
        if typed <= version:
            try:
                data = schema.get_context_dependent_function_with_opset_version(typed, node.SerializeToString(), types)
            except (RuntimeError, ValueError):  # an attribute or an input that the definition cannot do without
                continue
            function = onnx.FunctionProto.FromString(data)
            if function.node:
                yield function


def _type(scope: Scope, name: str) -> onnx.TypeProto:
    kind = scope.type_of(name)
    whole = scope.type_proto(name) if kind.kind != "tensor" else None
    return whole or to_value_info(name, kind).type


def body_nodes(
    node: onnx.NodeProto, function: onnx.FunctionProto, defaults: Attributes, names: Names
) -> list[onnx.NodeProto]:
    """The nodes of a definition in place of `node`: with its inputs, outputs and attributes, all other names new."""
    writer = _Writer(node, function.output, {**defaults, **{a.name: a for a in node.attribute}}, names)
    values = {"": "", **dict.fromkeys(function.input, ""), **dict(zip(function.input, node.input, strict=False))}
    nodes = writer.nodes(function.node, values)
    handed_on = [onnx.helper.make_node("Identity", [values[own]], [name]) for own, name in writer.outputs.items()]
    return nodes + handed_on


class _Writer:
    """Copies nodes of a definition, with the names of the model and the attributes of the node they stand for.

    `outputs` holds the node's outputs, by their names in the definition, that are not made yet.
    """

    def __init__(self, node: onnx.NodeProto, outputs: Iterable[str], attributes: Attributes, names: Names) -> None:
        self.node, self.attributes, self.names = node, attributes, names
        self.outputs = {own: name for own, name in zip(outputs, node.output, strict=False) if name}
        self.base = next((name for name in node.output if name), "value")[:_OF_A_NAME]

    def nodes(self, nodes: Iterable[onnx.NodeProto], values: dict[str, str]) -> list[onnx.NodeProto]:
        """The nodes, where `values` holds the new names of what they read; what they make is added to it."""
        return [self._copy(node, values) for node in nodes]

    def _copy(self, inner: onnx.NodeProto, values: dict[str, str]) -> onnx.NodeProto:
        copy = onnx.NodeProto(op_type=inner.op_type, domain=inner.domain, overload=inner.overload)
        copy.input.extend(values[name] for name in inner.input)
        while copy.input and not copy.input[-1]:
            copy.input.pop()
        for attribute in inner.attribute:
            self._attribute(copy, attribute, values)
        for name in inner.output:
            if name:
                values[name] = self.outputs.pop(name, "") or self._fresh(name)
            copy.output.append(values[name])
        if self.node.name:
            copy.name = self.names.fresh(f"{self.node.name[:_OF_A_NAME]}_{inner.op_type}")
        copy.metadata_props.extend(self.node.metadata_props)
        return copy

    def _fresh(self, name: str) -> str:
        return self.names.fresh(f"{self.base}_{name}")

    def _attribute(self, copy: onnx.NodeProto, wanted: onnx.AttributeProto, values: Mapping[str, str]) -> None:
        """Copy an attribute; one that refers to the node's own is taken from there, if it is given."""
        given = self.attributes.get(wanted.ref_attr_name) if wanted.ref_attr_name else wanted
        if given is None:
            return
        copy.attribute.append(given)
        attribute = copy.attribute[-1]
        attribute.name = wanted.name
        if wanted.type == onnx.AttributeProto.GRAPH and not wanted.ref_attr_name:
            attribute.g.CopyFrom(self._graph(wanted.g, values))
        elif wanted.type == onnx.AttributeProto.GRAPHS and not wanted.ref_attr_name:
            del attribute.graphs[:]
            attribute.graphs.extend(self._graph(graph, values) for graph in wanted.graphs)

    def _graph(self, graph: onnx.GraphProto, outer: Mapping[str, str]) -> onnx.GraphProto:
        """A subgraph with all its own values renamed, so that none hides a value of the model."""
        values = dict(outer)
        copy = onnx.GraphProto(name=graph.name, input=graph.input, output=graph.output, initializer=graph.initializer)
        copy.sparse_initializer.extend(graph.sparse_initializer)
        own: list[Any] = [*copy.input, *copy.initializer, *(sparse.values for sparse in copy.sparse_initializer)]
        values.update({name: self._fresh(name) for name in dict.fromkeys(value.name for value in own)})
        for value in own:
            value.name = values[value.name]
        copy.node.extend(self.nodes(graph.node, values))
        for output in copy.output:
            output.name = values[output.name]
        return copy
