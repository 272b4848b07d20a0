"""An operator that an older opset does not have, written out as its schema defines it.

Many newer operators (LayerNormalization, Gelu, HardSwish …) come with a definition in older operators.
"""

from __future__ import annotations

from typing import Any

import onnx

from onnxfix.model.edit import Edit
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope, subgraphs
from onnxfix.model.types import to_value_info
from onnxfix.opset.view import schema_at


def expansion(scope: Scope, index: int, version: int, names: Names) -> Edit | None:
    """The Edit that puts an operator's definition in its place when `version` does not have the operator.

    None when `version` has it, or the schema holds no definition for the opset of the scope, or one that needs a
    type which is not known here.
    """
    if schema_at(scope.nodes[index].op_type, version) is not None:
        return None
    return written_out(scope, index, names)


def written_out(scope: Scope, index: int, names: Names) -> Edit | None:
    """The Edit that puts an operator's definition in its place; None as for `expansion`."""
    node = scope.nodes[index]
    schema = schema_at(node.op_type, scope.opset)
    if node.domain or schema is None:
        return None
    function = _definition(scope, node, schema)
    if function is None or any(True for inner in function.node for _ in subgraphs(inner)):
        return None
    return Edit(scope.id, remove=(index,), insert=tuple(_bodies(node, schema, function, names)))


def _definition(scope: Scope, node: onnx.NodeProto, schema: Any) -> onnx.FunctionProto | None:
    """The newest definition that is written for the opset of the scope or an older one."""
    plain = [version for version in schema.function_opset_versions if version <= scope.opset]
    if plain:
        return onnx.FunctionProto.FromString(schema.get_function_with_opset_version(max(plain)))
    typed = [version for version in schema.context_dependent_function_opset_versions if version <= scope.opset]
    kinds = [to_value_info(name, scope.type_of(name)).type for name in node.input]
    if not typed or not all(kind.WhichOneof("value") for kind, name in zip(kinds, node.input, strict=True) if name):
        return None
    data = schema.get_context_dependent_function_with_opset_version(
        max(typed), node.SerializeToString(), [kind.SerializeToString() for kind in kinds]
    )
    function = onnx.FunctionProto.FromString(data)
    return function if function.node else None


def _bodies(
    node: onnx.NodeProto, schema: onnx.defs.OpSchema, function: onnx.FunctionProto, names: Names
) -> list[onnx.NodeProto]:
    """The nodes of the definition with the model's names and the node's attributes."""
    base = next((name for name in node.output if name), "value")
    given = {a.name: a for a in node.attribute}
    attributes = {n: a.default_value for n, a in schema.attributes.items() if a.default_value.name} | given
    values = {"": ""}
    for formals, actual in ((function.input, node.input), (function.output, node.output)):
        padded = [*actual, *[""] * (len(formals) - len(actual))]
        values.update(zip(formals, padded, strict=False))
    for formal in function.output:  # an output that nobody reads is still made by the definition
        values[formal] = values[formal] or names.fresh(f"{base}_{formal}")
    made = []
    for inner in function.node:
        copy = onnx.NodeProto(op_type=inner.op_type, domain=inner.domain)
        copy.input.extend(values[name] for name in inner.input)
        for name in inner.output:
            if name not in values:
                values[name] = names.fresh(f"{base}_{name}")
            copy.output.append(values[name])
        for attribute in inner.attribute:
            _attribute(copy, attribute, attributes)
        if node.name:
            copy.name = names.fresh(f"{node.name}_{inner.op_type}")
        copy.metadata_props.extend(node.metadata_props)
        made.append(copy)
    return made


def _attribute(copy: onnx.NodeProto, wanted: onnx.AttributeProto, attributes: dict[str, onnx.AttributeProto]) -> None:
    """Copy an attribute of the definition; one that refers to the node's own is taken from there, if it is given."""
    if not wanted.ref_attr_name:
        copy.attribute.append(wanted)
    elif wanted.ref_attr_name in attributes:
        copy.attribute.append(attributes[wanted.ref_attr_name])
        copy.attribute[-1].name = wanted.name
