"""Checker verdict and types of a whole model.

The work is done by onnx in the sandbox, because its C++ code can crash or hang on hostile models; `inspect` is the
function that runs there.  Where inference of the whole model stops at an invalid node, the nodes are inferred one
by one, so that the types around a defect are known all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

import onnx
from onnx import checker, defs, shape_inference

from onnxfix import sandbox
from onnxfix.model.light import light_proto
from onnxfix.model.model import Model
from onnxfix.model.scope import Scope, Types, scopes_of, subgraphs

_INT32_MAX = 2**31 - 1
_MEMORY = 1 << 32
Typed = list[tuple[tuple[int | str, ...], bytes]]


def typed_scopes(model: Model, *, timeout: float = 120.0) -> tuple[list[Scope], str]:
    """The scopes of a model with all types that onnx can infer, and the checker's complaint ("" when valid).

    A checker that crashes or runs over `timeout` seconds is a complaint too; the types are then the declared ones.
    """
    light = light_proto(model)
    try:
        complaint, typed = sandbox.default().call(
            "onnxfix.model.inference:inspect", light.SerializeToString(), timeout=timeout
        )
    except sandbox.SandboxFailure as error:
        return scopes_of(model), str(error)
    types: Types = {}
    for identity, data in typed:
        graph = onnx.GraphProto.FromString(data)
        declared = (v for values in (graph.value_info, graph.output, graph.input) for v in values)
        types[identity] = {v.name: v for v in declared if v.HasField("type")}
    return scopes_of(model, types), complaint


def inspect(data: bytes) -> tuple[str, Typed]:
    """(what the ONNX checker says with full_check, the inferred value types of each scope); runs in the sandbox."""
    model = onnx.ModelProto.FromString(data)
    with sandbox.limited_memory(_MEMORY):
        complaint = _complaint(model)
        return complaint, list(_typed(_inferred(model).graph, ()))


def _complaint(model: onnx.ModelProto) -> str:
    try:
        checker.check_model(model, full_check=True)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        inferred = shape_inference.infer_shapes(model, data_prop=True)
    except Exception:
        inferred = _infer_node_by_node(model)
    if any(entry.version < 7 for entry in model.opset_import if not entry.domain):
        inferred = _infer_node_by_node(inferred)  # the first versions of many operators tell no types
    return inferred


def _typed(graph: onnx.GraphProto, identity: tuple[int | str, ...]) -> Iterable[tuple[tuple[int | str, ...], bytes]]:
    values = onnx.GraphProto(value_info=graph.value_info, input=graph.input, output=graph.output)
    yield identity, values.SerializeToString()
    for index, node in enumerate(graph.node):
        for attribute, number, inner in subgraphs(node):
            yield from _typed(inner, (*identity, index, attribute, number))


def _infer_node_by_node(model: onnx.ModelProto) -> onnx.ModelProto:
    """Types of the main graph, node by node; what follows an invalid node without known outputs stays unknown."""
    graph = model.graph
    known = {v.name: v.type for values in (graph.value_info, graph.input) for v in values}
    tensors = {t.name: t for t in graph.initializer}
    known |= {n: onnx.helper.make_tensor_type_proto(t.data_type, t.dims) for n, t in tensors.items()}
    opsets = {o.domain: o.version for o in model.opset_import}
    declared = {v.name for v in graph.value_info}
    for node in graph.node:
        for name, kind in _node_outputs(node, known, tensors, opsets, model.ir_version).items():
            if name not in declared:
                known[name] = kind
                graph.value_info.append(onnx.ValueInfoProto(name=name, type=kind))
        if node.op_type == "Constant" and node.output and node.attribute and node.attribute[0].name == "value":
            tensors[node.output[0]] = node.attribute[0].t
    return model


def _node_outputs(
    node: onnx.NodeProto,
    known: dict[str, onnx.TypeProto],
    tensors: dict[str, onnx.TensorProto],
    opsets: dict[str, int],
    ir_version: int,
) -> dict[str, onnx.TypeProto]:
    schema = _usable_schema(node, opsets.get(node.domain, 1))
    if schema is None or any(True for _ in subgraphs(node)):
        return {}
    try:
        found = shape_inference.infer_node_outputs(
            _telling(schema),
            _without_hint(node),
            {name: known[name] for name in node.input if name in known},
            {name: tensors[name] for name in node.input if name in tensors},
            None,
            [onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()],
            ir_version,
        )
    except Exception:
        found = {}
    return found or _scaled(node, known)


def _without_hint(node: onnx.NodeProto) -> onnx.NodeProto:
    """The node without `consumed_inputs`, a hint about memory that only opsets 1 to 5 know."""
    if all(attribute.name != "consumed_inputs" for attribute in node.attribute):
        return node
    copy = onnx.NodeProto(op_type=node.op_type, domain=node.domain, input=node.input, output=node.output)
    copy.attribute.extend(attribute for attribute in node.attribute if attribute.name != "consumed_inputs")
    return copy


def _telling(schema: defs.OpSchema) -> defs.OpSchema:
    """The schema, or for an operator of opset 1 that tells no types, its next version that does."""
    version = schema.since_version
    while not schema.has_type_and_shape_inference_function and version < 7:
        version += 1
        schema = defs.get_schema(schema.name, version, schema.domain)
    return schema


def _usable_schema(node: onnx.NodeProto, version: int) -> defs.OpSchema | None:
    """The schema at `version`, or the newest one before the operator was deprecated."""
    version = min(version, _INT32_MAX)
    while version > 0:
        try:
            schema = defs.get_schema(node.op_type, version, node.domain)
        except defs.SchemaError:
            return None
        if not schema.deprecated:
            return schema
        version = schema.since_version - 1
    return None


def _scaled(node: onnx.NodeProto, known: dict[str, onnx.TypeProto]) -> dict[str, onnx.TypeProto]:
    """The output of an Upsample whose scales are attributes, whatever version its model claims (Upsample-1, -7)."""
    if node.op_type != "Upsample" or not node.input or node.input[0] not in known or not node.output:
        return {}
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    scales = attributes.get("scales") or [1.0, 1.0, attributes.get("height_scale"), attributes.get("width_scale")]
    source = known[node.input[0]].tensor_type
    if not isinstance(scales, list) or len(source.shape.dim) != len(scales):
        return {}
    if not all(isinstance(scale, float) and isfinite(scale) for scale in scales):
        return {}
    sizes = [
        int(dim.dim_value * scale) if dim.HasField("dim_value") else (dim.dim_param or None) if scale == 1.0 else None
        for dim, scale in zip(source.shape.dim, scales, strict=True)
    ]
    return {node.output[0]: onnx.helper.make_tensor_type_proto(source.elem_type, sizes)}
