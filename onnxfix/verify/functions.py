"""A call of a model-local function as a model of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import onnx

from onnxfix.model.edit import rename_uses
from onnxfix.model.messages import copied
from onnxfix.model.scope import subgraphs


def bound(model: onnx.ModelProto, function: onnx.FunctionProto, call: onnx.NodeProto) -> onnx.ModelProto:
    """The body of a function with the attributes of a call of it, under the function's own names.

    Its inputs and outputs have no types.  What the call leaves out is left out inside too.
    """
    given = {attribute.name: attribute for attribute in (*function.attribute_proto, *call.attribute)}
    absent = dict.fromkeys(function.input[len(call.input) :], "")
    absent |= {own: "" for own, name in zip(function.input, call.input, strict=False) if not name}
    proto = onnx.ModelProto(ir_version=model.ir_version, functions=model.functions, opset_import=function.opset_import)
    proto.graph.name = function.name
    proto.graph.input.extend(onnx.ValueInfoProto(name=name) for name in function.input if name not in absent)
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in function.output)
    for node in _bound(function.node, given):
        rename_uses(node, absent)
        proto.graph.node.append(node)
    return proto


def _bound(nodes: Iterable[onnx.NodeProto], given: Mapping[str, onnx.AttributeProto]) -> Iterator[onnx.NodeProto]:
    """Copies of the nodes, whose references to attributes of the function are replaced by what is given."""
    for node in nodes:
        copy = copied(node)
        del copy.attribute[:]
        for attribute in node.attribute:
            value = given.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
            if value is not None:
                copy.attribute.append(value)
                copy.attribute[-1].name = attribute.name
        for _, _, graph in subgraphs(copy):
            inner = list(_bound(graph.node, given))
            del graph.node[:]
            graph.node.extend(inner)
        yield copy
