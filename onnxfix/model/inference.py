"""Checker verdict and types of a whole model.

The work is done by onnx in the sandbox, because its C++ code can crash or hang on hostile models; `inspect` is the
function that runs there.  What onnx does not tell, because it stops at an invalid node or loses a computed shape, is
worked out node by node (onnxfix.model.node_types).
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import checker, defs, shape_inference

from onnxfix import sandbox
from onnxfix.model.light import light_proto
from onnxfix.model.model import Model
from onnxfix.model.node_types import complete_types
from onnxfix.model.patience import patience
from onnxfix.model.scope import Scope, Types, scopes_of, subgraphs

_MEMORY = 1 << 31
"""Bytes that checking and inference may take, besides some for each byte of the model."""

Typed = list[tuple[tuple[int | str, ...], bytes]]

DEADLY = "it crashes the checker", "the checker took longer than", "it makes the checker run out of memory"
"""How the complaint about a model begins that no library should be given again."""


def typed_scopes(model: Model, *, timeout: float = 60.0) -> tuple[list[Scope], str]:
    """The scopes of a model with all types that onnx can infer, and the checker's complaint ("" when valid).

    A checker that crashes or runs over `timeout` seconds (a large model gets more) is a complaint too; the types are
    then the declared ones.
    """
    light, timeout = light_proto(model), patience(model, timeout)
    try:
        complaint, typed = sandbox.checker().call(
            "onnxfix.model.inference:inspect", light.SerializeToString(), timeout=timeout
        )
    except sandbox.SandboxCrash as error:
        return scopes_of(model), f"{DEADLY[0]} ({error.signal})"
    except sandbox.SandboxTimeout:
        return scopes_of(model), f"{DEADLY[1]} {timeout:g} s"
    except sandbox.SandboxError as error:
        return scopes_of(model), str(error)
    return scopes_of(model, _read(typed)), complaint


def inferred_types(model: Model, *, timeout: float = 60.0) -> Types:
    """The types that onnx can infer, by scope; none where it crashes or runs over `timeout` seconds.

    A large model gets more.
    """
    light, timeout = light_proto(model), patience(model, timeout)
    try:
        return _read(
            sandbox.checker().call("onnxfix.model.inference:infer", light.SerializeToString(), timeout=timeout)
        )
    except sandbox.SandboxFailure:
        return {}


def _read(typed: Typed) -> Types:
    types: Types = {}
    for identity, data in typed:
        graph = onnx.GraphProto.FromString(data)
        declared = (v for values in (graph.value_info, graph.output, graph.input) for v in values)
        types[identity] = {v.name: v for v in declared if v.HasField("type")}
    return types


def get_ready() -> None:
    """Have onnx register its operators, for which it takes 10 ms when the first is asked for; runs in the sandbox."""
    defs.get_schema("Identity")


def inspect(data: bytes) -> tuple[str, Typed]:
    """(what the ONNX checker says with full_check, the inferred value types of each scope); runs in the sandbox."""
    model = onnx.ModelProto.FromString(data)
    with sandbox.limited_memory(_MEMORY + 16 * len(data)):
        complaint = _complaint(model)
        return complaint, list(_typed(_inferred(model).graph, ()))


def infer(data: bytes) -> Typed:
    """The inferred value types of each scope; runs in the sandbox."""
    with sandbox.limited_memory(_MEMORY + 16 * len(data)):
        return list(_typed(_inferred(onnx.ModelProto.FromString(data)).graph, ()))


def _complaint(model: onnx.ModelProto) -> str:
    try:
        checker.check_model(model, full_check=True)
    except MemoryError:
        return DEADLY[2]
    except Exception as error:
        return str(error)
    return ""


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        inferred = shape_inference.infer_shapes(model, data_prop=True)
    except Exception:
        inferred = model
    complete_types(inferred)
    return inferred


def _typed(graph: onnx.GraphProto, identity: tuple[int | str, ...]) -> Iterable[tuple[tuple[int | str, ...], bytes]]:
    """The types of a graph and of the graphs inside; nothing else is left in it."""
    for index, node in enumerate(graph.node):
        for attribute, number, inner in subgraphs(node):
            yield from _typed(inner, (*identity, index, attribute, number))
    for field in ("node", "initializer", "sparse_initializer"):
        graph.ClearField(field)
    yield identity, graph.SerializeToString()
