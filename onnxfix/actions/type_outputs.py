"""Element types and shapes of graph outputs that declare none, which the ONNX checker refuses."""

from __future__ import annotations

from collections.abc import Iterable, Set

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.definitions import exists
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.messages import copied
from onnxfix.model.once import once
from onnxfix.model.scope import Scope


def type_outputs(context: Context) -> Iterable[Proposal]:
    """Give every output of the main graph that has no element type, or no shape, the inferred one."""
    scope = context.main
    for declared in context.model.proto.graph.output:
        if (_typed(declared) and _shaped(declared)) or not exists(scope, declared.name):
            continue
        output = inferred_output(scope, declared)
        message = f"output {declared.name} has no {'shape' if _typed(declared) else 'element type'}"
        if output is None or (_typed(declared) and not _shaped(output)):
            yield Proposal(f"{message}, and none can be inferred", scope, value=declared.name)
        else:
            yield Proposal(message, scope, value=declared.name, edits=(Edit(scope.id, outputs=(output,)),))


def inferred_output(scope: Scope, declared: onnx.ValueInfoProto) -> onnx.ValueInfoProto | None:
    """The output with the type that inference found for the value of its name; None when it found none.

    A symbolic size is kept only when an input of the graph has it: others are names that inference made up.
    """
    found = scope.inferred.get(declared.name)
    stored = scope.initializers.get(declared.name)
    if stored is not None:
        found = onnx.helper.make_tensor_value_info(stored.name, stored.data_type, stored.dims)
    if found is None or not _typed(found):
        return None
    output = copied(declared)
    output.type.CopyFrom(found.type)
    if output.type.HasField("tensor_type"):
        _forget_symbols(output.type.tensor_type.shape, _symbols_of_inputs(scope) | _symbols([declared]))
    return output


def _typed(value: onnx.ValueInfoProto) -> bool:
    kind = value.type.WhichOneof("value")
    return kind is not None and (kind != "tensor_type" or value.type.tensor_type.elem_type != 0)


def _shaped(value: onnx.ValueInfoProto) -> bool:
    return value.type.WhichOneof("value") != "tensor_type" or value.type.tensor_type.HasField("shape")


@once
def _symbols_of_inputs(scope: Scope) -> frozenset[str]:
    return _symbols(value for value in scope.inputs.values() if value is not None)


def _symbols(values: Iterable[onnx.ValueInfoProto]) -> frozenset[str]:
    return frozenset(dim.dim_param for value in values for dim in value.type.tensor_type.shape.dim if dim.dim_param)


def _forget_symbols(shape: onnx.TensorShapeProto, kept: Set[str]) -> None:
    for dim in shape.dim:
        if dim.dim_param and dim.dim_param not in kept:
            dim.Clear()
