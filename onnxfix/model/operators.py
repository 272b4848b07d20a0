"""The nodes of a scope by operator, so that whoever looks for a few operators visits their nodes only."""

from __future__ import annotations

from collections.abc import Iterable

from onnxfix.model.once import once
from onnxfix.model.scope import Scope

Operator = tuple[str, str]
"""(domain, name); ONNX's own domain is ""."""


@once
def by_operator(scope: Scope) -> dict[Operator, list[int]]:
    """The indexes of the nodes of each operator, in the order of the nodes."""
    found: dict[Operator, list[int]] = {}
    for index, node in enumerate(scope.nodes):
        domain = node.domain
        found.setdefault(("" if domain == "ai.onnx" else domain, node.op_type), []).append(index)
    return found


def nodes_of(scope: Scope, operators: Iterable[Operator]) -> list[int]:
    """The indexes of the nodes of some operators, in the order of the nodes."""
    found = by_operator(scope)
    return sorted(index for operator in operators for index in found.get(operator, ()))
