"""Each form of node on its own, before the builder: who is refused, when the builder names nobody?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx

from onnxfix.actions.refusals import Form, exact_form
from onnxfix.legalise.locate import Place
from onnxfix.model.scope import Scope, ScopeId, captured
from onnxfix.model.types import to_value_info
from onnxfix.records import Check
from onnxfix.scratch import scratch
from onnxfix.targets import Target

MOST = 300
"""So many different forms are tried, no more."""


def refused_alone(scopes: Sequence[Scope], target: Target | None) -> Iterator[Place]:
    """The nodes that the target does not build even as a model of one node, those of subgraphs first.

    Inputs become graph inputs of the inferred types, constants stay constants.  A node whose input or output types
    are not known (any node of a function) is not tried, nor one that holds a refused node.
    """
    tried: set[Form] = set()
    holders: set[ScopeId] = set()
    with scratch() as folder:
        for scope, index in ((inner, index) for inner in reversed(scopes) for index in range(len(inner.nodes))):
            form = exact_form(scope, index)
            if form in tried or len(tried) >= MOST or (*scope.id, index) in holders:
                continue
            tried.add(form)
            said = _refusal(scope, index, Path(folder, "node.onnx"), target)
            if said:
                holders.update(scope.id[:end] for end in range(1, len(scope.id)))
                yield scope, index, said


def _refusal(scope: Scope, index: int, path: Path, target: Target | None) -> str:
    from onnxfix.verify.engine import verify_engine

    model = one_node(scope, index)
    if model is None:
        return ""
    onnx.save(model, path)
    check: Check = verify_engine(path, target)
    return check.reason if check.outcome == "failed" else ""


def one_node(scope: Scope, index: int) -> onnx.ModelProto | None:
    """The node as a model; None when a type is missing."""
    node = scope.nodes[index]
    read = list(dict.fromkeys([*(name for name in node.input if name), *sorted(captured(node))]))
    constants = {name: scope.array(name) for name in read}
    inputs = [to_value_info(name, scope.type_of(name)) for name in read if constants[name] is None]
    outputs = [to_value_info(name, scope.type_of(name)) for name in node.output if name]
    if not all(value.type.WhichOneof("value") for value in (*inputs, *outputs)):
        return None
    stored = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items() if array is not None]
    graph = onnx.helper.make_graph([node], "node", inputs, outputs, stored)
    imports = [onnx.helper.make_opsetid(domain, version) for domain, version in scope.opsets.items()]
    proto = scope.model.proto
    return onnx.helper.make_model(
        graph, opset_imports=imports, ir_version=proto.ir_version, functions=list(proto.functions)
    )
