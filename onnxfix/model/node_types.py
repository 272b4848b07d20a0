"""Types node by node, where the inference of the whole model stops: behind an invalid node, or at a computed shape."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache

import onnx
from onnx import defs, shape_inference

from onnxfix.model.foreign_types import foreign_outputs, standard_twin
from onnxfix.model.model import Model
from onnxfix.model.scope import Scope, subgraphs
from onnxfix.model.shape_values import Known, Sizes, note_sizes
from onnxfix.model.types import Dim, ValueType, from_value_info, to_value_info

_INT32_MAX = 2**31 - 1


def complete_types(model: onnx.ModelProto) -> None:
    """Write the types that are missing, or lack a shape, into the main graph's value_info and outputs.

    What follows an invalid node whose outputs cannot be told stays unknown.
    """
    graph = model.graph
    found = _Walk(model).found()
    for output in graph.output:
        if output.name in found:
            output.type.CopyFrom(found[output.name].type)
    kept = [value for value in graph.value_info if value.name not in found]
    del graph.value_info[:]
    graph.value_info.extend([*kept, *found.values()])


class _Walk:
    """One walk along the nodes; each node sees the types and the computed sizes of those before it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.scope = Scope((), "", graph, Model(model), {o.domain: o.version for o in model.opset_import})
        self.declared = {v.name: v for values in (graph.value_info, graph.output, graph.input) for v in values}
        self.opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in self.scope.opsets.items()]
        self.sizes: Known = {}
        self.stored: dict[str, onnx.TypeProto] = {}

    def found(self) -> dict[str, onnx.ValueInfoProto]:
        """The types that are more than what is declared."""
        made = {name for names in self.scope.makes for name in names if name}
        untold = {name for name in made if not _told(self.declared.get(name))}
        for index, node in enumerate(self.scope.nodes if untold else ()):
            if self._open(index, untold):
                for name, kind in self._outputs(node).items():
                    value = onnx.ValueInfoProto(name=name, type=kind)
                    if not _told(self.declared.get(name)) or from_value_info(value).static:
                        self.scope.learn(name, value)
            note_sizes(self.scope, node, self.sizes)
        return self.scope.inferred

    def _open(self, index: int, untold: set[str]) -> bool:
        """Whether an output is not told, or more is known of an input than when the outputs were told."""
        better = not self.scope.inferred.keys().isdisjoint(self.scope.reads[index])
        return better or not untold.isdisjoint(self.scope.makes[index])

    def _outputs(self, node: onnx.NodeProto) -> dict[str, onnx.TypeProto]:
        sizes = self.sizes.get(node.input[1]) if node.op_type == "Reshape" and len(node.input) == 2 else None
        if sizes is not None and not node.domain:
            dims = reshaped(sizes, self.scope.type_of(node.input[0]), node)
            if dims is not None:
                kind = self.scope.type_of(node.input[0]).dtype
                return {node.output[0]: onnx.helper.make_tensor_type_proto(kind, dims)}
        types = {name: self._type(name) for name in node.input if name}
        known = {name: kind for name, kind in types.items() if kind is not None}
        asked = standard_twin(node) or node
        told = _inferred(asked, known, self._constants(node), self.scope, self.opsets) or _scaled(node, known)
        return told or self._foreign(node)

    def _foreign(self, node: onnx.NodeProto) -> dict[str, onnx.TypeProto]:
        kinds = foreign_outputs(node, {name: self.scope.type_of(name) for name in node.input if name})
        return {name: to_value_info(name, kind).type for name, kind in kinds.items()}

    def _type(self, name: str) -> onnx.TypeProto | None:
        if name in self.scope.initializers:
            if name not in self.stored:
                tensor = self.scope.initializers[name]
                self.stored[name] = onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
            return self.stored[name]
        value = self.scope.inferred.get(name) or self.declared.get(name)
        return None if value is None else value.type

    def _constants(self, node: onnx.NodeProto) -> dict[str, onnx.TensorProto]:
        constants: dict[str, onnx.TensorProto] = {}
        for name in filter(None, node.input):
            sizes, tensor = self.sizes.get(name), self.scope.constant(name)
            if tensor is not None:
                constants[name] = tensor
            elif sizes is not None and sizes.known:
                constants[name] = onnx.numpy_helper.from_array(sizes.array(), name)
        return constants


def reshaped(target: Sizes, data: ValueType, node: onnx.NodeProto) -> list[Dim] | None:
    """The dimensions that a Reshape to a computed target makes, as far as they are known; None without a rank."""
    if target.rank != 1 or not data.dtype or any(a.name == "allowzero" and a.i for a in node.attribute):
        return None
    dims: list[Dim] = []
    for place, element in enumerate(target.elements):
        if element == 0:
            dims.append(data.dims[place] if data.dims is not None and place < len(data.dims) else None)
        else:
            dims.append(element)
    if dims.count(-1) == 1:
        place = dims.index(-1)
        dims[place] = _quotient(data.dims, [dim for dim in dims if dim != -1])
    return None if -1 in dims else dims


def _quotient(whole: tuple[Dim, ...] | None, parts: list[Dim]) -> Dim:
    """What is left of a product of sizes: a number, the name of one symbolic size, or None."""
    if whole is None or None in whole or None in parts:
        return None
    names = Counter(dim for dim in whole if isinstance(dim, str))
    names.subtract(dim for dim in parts if isinstance(dim, str))
    left = list(names.elements())
    numbers = [math.prod(dim for dim in dims if isinstance(dim, int)) for dims in (whole, parts)]
    if min(names.values(), default=0) < 0 or numbers[1] == 0 or numbers[0] % numbers[1] or len(left) > 1:
        return None
    number = numbers[0] // numbers[1]
    return number if not left else left[0] if number == 1 else None


def _told(value: onnx.ValueInfoProto | None) -> bool:
    """Whether a declaration has a type, and a shape when it is a tensor."""
    kind = None if value is None else value.type.WhichOneof("value")
    return kind is not None and (
        kind != "tensor_type" or (value is not None and value.type.tensor_type.HasField("shape"))
    )


def _inferred(
    node: onnx.NodeProto,
    known: dict[str, onnx.TypeProto],
    constants: dict[str, onnx.TensorProto],
    scope: Scope,
    opsets: list[onnx.OperatorSetIdProto],
) -> dict[str, onnx.TypeProto]:
    """What onnx tells of the outputs of one node."""
    schema = _usable_schema(node.op_type, node.domain, scope.opsets.get(node.domain, 1))
    if schema is None or any(True for _ in subgraphs(node)):
        return {}
    try:
        return shape_inference.infer_node_outputs(
            _telling(schema), _without_hint(node), known, constants, None, opsets, scope.model.proto.ir_version
        )
    except Exception:  # the node is invalid: nothing is known of its outputs
        return {}


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


@lru_cache(maxsize=4096)
def _usable_schema(op_type: str, domain: str, version: int) -> defs.OpSchema | None:
    """The schema at `version`, or the newest one before the operator was deprecated."""
    version = min(version, _INT32_MAX)
    while version > 0:
        try:
            schema = defs.get_schema(op_type, version, domain)
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
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute if not a.ref_attr_name}
    scales = attributes.get("scales") or [1.0, 1.0, attributes.get("height_scale"), attributes.get("width_scale")]
    source = known[node.input[0]].tensor_type
    if not isinstance(scales, list) or len(source.shape.dim) != len(scales):
        return {}
    if not all(isinstance(scale, float) and math.isfinite(scale) for scale in scales):
        return {}
    sizes = [
        int(dim.dim_value * scale) if dim.HasField("dim_value") else (dim.dim_param or None) if scale == 1.0 else None
        for dim, scale in zip(source.shape.dim, scales, strict=True)
    ]
    return {node.output[0]: onnx.helper.make_tensor_type_proto(source.elem_type, sizes)}
