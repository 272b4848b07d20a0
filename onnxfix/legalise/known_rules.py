"""The restrictions that operators.yaml gives a name to (`rule:`), asked of a node and the graphs inside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx

from onnxfix.legalise.known_sizes import known_only_when_running
from onnxfix.model.scope import Scope


def rule_broken(fact: Mapping[str, Any], scope: Scope, node: onnx.NodeProto) -> str:
    """Why a node breaks the rule of a fact; "" when it keeps it, or the fact has none that is asked of a graph."""
    rule = fact.get("rule")
    if rule == "no_engine_kernel_on_cpu_build":
        return "the engine has no kernel (measured on a machine without a GPU)"
    if rule == "same_activations_both_directions":
        return _both_directions(node)
    if rule == "branch_outputs_same_rank":
        return _branches(scope, node)
    if rule == "condition_given":
        return "" if len(node.input) > 1 and node.input[1] else "the condition must be given"
    if rule == "scales_where_the_opset_has_them":
        missing = len(node.input) < 2 if scope.opset >= 9 else attribute(node, "scales") is None
        return f"opset {scope.opset} has scales as an {'input' if scope.opset >= 9 else 'attribute'}" if missing else ""
    if rule == "listed_bounds_stored":
        stored = all(name and scope.constant(name) is not None for name in node.input[1:])
        return "" if stored else "a bound that is listed must be stored in the model"
    if rule == "query_apart_from_keys":
        read = [_plain(scope, name) for name in node.input[:2]]
        return "the query and the keys are one value, which crashes the library" if len({*read}) < len(read) else ""
    return _mask_type(scope, node) if rule == "mask_of_query_type" else ""


def attribute(node: onnx.NodeProto, name: str) -> Any:
    """The value of an attribute as plain Python, None when it is absent or refers to a function's."""
    found = next((item for item in node.attribute if item.name == name and not item.ref_attr_name), None)
    value = onnx.helper.get_attribute_value(found) if found else None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _both_directions(node: onnx.NodeProto) -> str:
    functions = attribute(node, "activations") or []
    half = len(functions) // 2
    return "the functions of both directions must be the same" if functions[:half] != functions[half:] else ""


def _branches(scope: Scope, node: onnx.NodeProto) -> str:
    """Outputs of two ranks, unless the condition is known while building."""
    index = next((scope.producer[name][0] for name in node.output if name in scope.producer), -1)
    branches = [scope.inner.get((index, name, 0)) for name in ("then_branch", "else_branch")]
    if None in branches or not node.input or not known_only_when_running(scope, node.input[0]):
        return ""
    ranks = [[branch.type_of(name).rank for name in branch.outputs] for branch in branches if branch is not None]
    for name, one, other in zip(node.output, *ranks, strict=False):
        if one is not None and other is not None and one != other:
            return f"the branches make {name} with {one} and with {other} dimensions"
    return ""


def _plain(scope: Scope, name: str) -> str:
    """The value behind Identity nodes of the same graph."""
    for _ in scope.nodes:  # an invalid graph may be a circle
        made = scope.producer.get(name)
        node = None if made is None else scope.nodes[made[0]]
        if node is None or node.op_type != "Identity" or not node.input:
            break
        name = node.input[0]
    return name


def _mask_type(scope: Scope, node: onnx.NodeProto) -> str:
    if len(node.input) < 4 or not node.input[3]:
        return ""
    query, mask = (scope.type_of(node.input[place]).dtype for place in (0, 3))
    free = not query or not mask or mask in (query, onnx.TensorProto.BOOL)
    return "" if free else "the mask must be of the type of the query, or bool"
