"""What a model needs besides its nodes before its opset changes: IR version, inputs, and one name of the domain."""

from __future__ import annotations

import onnx

from onnxfix.model.messages import copied
from onnxfix.model.model import Model
from onnxfix.model.scope import subgraphs

NEWEST = min(28, onnx.defs.onnx_opset_version())
"""The newest opset whose changes of meaning are known to onnxfix.opset.meaning, and that this onnx has."""

_LOWEST_IR = 4  # IR 3 wants every initializer among the inputs; opset 7 and 8 are as valid in IR 4
_FUNCTIONS_IR = 8


def ir_version_for(current: int, opset: int, *, up: bool, functions: bool) -> int:
    """The IR version of a converted model: at least the one that `opset` came with and, going down, no newer."""
    of_opset = onnx.helper.OP_SET_ID_VERSION_MAP.get(("ai.onnx", opset), current)
    lowest = max(_LOWEST_IR, _FUNCTIONS_IR if functions else 0)
    wanted = max(of_opset, lowest)
    return max(current, wanted) if up else min(max(current, lowest), wanted)


def prepared(model: Model, to: int) -> Model:
    """A copy with the IR version of opset `to`, the default domain written as "", and an import of it.

    Below IR 4 every initializer is listed as an input though nobody feeds it; from 4 on that would make it
    replaceable, so these inputs go.  Node indexes stay as they are.
    """
    proto = copied(model.proto)
    for imports in (proto.opset_import, *(function.opset_import for function in proto.functions)):
        for entry in imports:
            entry.domain = "" if entry.domain == "ai.onnx" else entry.domain
    if not proto.opset_import:
        proto.opset_import.add(domain="", version=1)
    version = next((entry.version for entry in proto.opset_import if not entry.domain), to)
    if proto.ir_version < _LOWEST_IR:
        stored = {tensor.name for tensor in proto.graph.initializer}
        kept = [value for value in proto.graph.input if value.name not in stored]
        del proto.graph.input[:]
        proto.graph.input.extend(kept)
    proto.ir_version = ir_version_for(proto.ir_version, to, up=to >= version, functions=bool(proto.functions))
    _plain_domain(proto.graph)
    for function in proto.functions:
        _plain_domain(function)
    return model.with_proto(proto)


def _plain_domain(body: onnx.GraphProto | onnx.FunctionProto) -> None:
    for node in body.node:
        if node.domain == "ai.onnx":
            node.domain = ""
        for _, _, inner in subgraphs(node):
            _plain_domain(inner)
