"""The restrictions of operators, and which of them a node breaks as far as its facts are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from onnxfix.targets.records import Limit, Target
from onnxfix.targets.tables import citation, holds, table

if TYPE_CHECKING:
    from onnx.defs import OpSchema

Shape = tuple[int | None, ...]
"""Sizes of an input; None for one that is not known before running."""

FLOATING = ("fp32", "fp16", "bf16", "fp64", "fp8", "fp4")
_EVIDENCE = {
    "code": "importer source",
    "header": "NvInfer.h of that release",
    "changelog": "NVIDIA/TensorRT CHANGELOG.md",
    "inferred": "inferred from a sibling operator or release",
}


@dataclass(frozen=True)
class Node:
    """What the caller told about a node. None means that it was not told, so nothing is concluded from it.

    `shapes` are those of the inputs in their order, None for one that is absent or of unknown rank; `stored` are the
    places of inputs whose values are known while building.
    """

    op_type: str
    opset: int | None = None
    dtypes: tuple[str, ...] = ()
    attributes: Mapping[str, Any] | None = None
    shapes: tuple[Shape | None, ...] = ()
    stored: frozenset[int] = frozenset()


def limits(target: Target, op_type: str) -> tuple[Limit, ...]:
    """Every restriction of an operator that the fact base states for the target's release."""
    entries = table("operators")["ops"].get(op_type, {}).get(target.track, {}).get("limits", ())
    return tuple(_limit(target, op_type, entry) for entry in entries if holds(entry, target.release))


def table_source(target: Target) -> str:
    """Where the operator facts of the target's release come from."""
    key = "rtx-" + target.release if target.track == "rtx" else ".".join(target.release.split(".")[:2])
    entry = table("operators")["releases"].get(key)
    if entry is None:
        return ""
    return citation(entry["source"]) if entry["source"] else f"carried over from the releases before {key}"


def evidence(target: Target, entry: Mapping[str, Any]) -> str:
    """The source of one entry of operators.yaml: the release's table, or what its `ev` key says."""
    stated = entry.get("ev", "")
    named = [_EVIDENCE[key] for key in stated.split("+") if key in _EVIDENCE]
    return "; ".join(([] if named and "doc" not in stated else [table_source(target)]) + named)


def broken(limit: Limit, node: Node) -> bool | None:
    """Whether the node breaks the limit; None when what is known about the node does not tell."""
    fact = limit.fact
    applies = _applies(fact.get("when"), node)
    if not applies:
        return applies
    if "needs_plugin" in fact:
        return True
    if "attr" not in fact or node.attributes is None:
        return None
    if fact.get("extension_before_opset"):
        return (
            fact["attr"] in node.attributes and node.opset is not None and node.opset < fact["extension_before_opset"]
        )
    if fact.get("unsupported") or fact.get("ignored"):
        given = plain(node.attributes.get(fact["attr"]))
        return given is not None and given != schema_default(node.op_type, fact["attr"], node.opset)
    value = attribute(node, fact["attr"])
    return False if value is None else _out_of_bounds(fact, value)


def words(limit: Limit, node: Node) -> str:
    """The limit in plain words, with the node's own value where it has one."""
    fact = limit.fact
    if "needs_plugin" in fact:
        return f"needs the plugin {fact['needs_plugin']}"
    name = fact["attr"]
    if fact.get("unsupported") or fact.get("ignored"):
        return f"the attribute {name} {'has no effect' if fact.get('ignored') else 'is not taken'}"
    if "extension_before_opset" in fact:
        return f"the attribute {name} is newer than opset {node.opset}"
    if limit.level == "silent_wrong":
        return f"{name}={attribute(node, name)} is taken but not honoured: the results are those of {fact['equals']}"
    if limit.level == "ignored":
        return f"{name}={attribute(node, name)} has no effect"
    return f"{name} must {_bounds(fact)}; the node has {attribute(node, name)}"


def attribute(node: Node, name: str) -> Any:
    """The node's attribute, else its default in the ONNX schema, as plain Python values; None when neither exists."""
    given = plain((node.attributes or {}).get(name))
    return schema_default(node.op_type, name, node.opset) if given is None else given


def schema_default(op_type: str, name: str, opset: int | None) -> Any:
    """The default of an attribute in ONNX's own schema at `opset` (None: the newest), None when there is none."""
    from onnx import helper

    schema = onnx_schema(op_type, opset)
    formal = schema.attributes.get(name) if schema else None
    if formal is None or not formal.default_value.name:
        return None
    return plain(helper.get_attribute_value(formal.default_value))


@cache
def onnx_schema(op_type: str, opset: int | None) -> OpSchema | None:
    """ONNX's definition of an operator at `opset` (None: the newest), None when ONNX has none there."""
    from onnx import defs

    newest = defs.onnx_opset_version()
    try:
        return defs.get_schema(op_type, min(opset or newest, newest))
    except defs.SchemaError:
        return None


def plain(value: Any) -> Any:
    """An attribute value with bytes as text and lists as tuples."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(plain(item) for item in value)
    return value


def _limit(target: Target, op_type: str, entry: Mapping[str, Any]) -> Limit:
    level, stage = entry.get("level", "error"), entry.get("stage", "parse")
    return Limit(op_type, entry, level, stage, evidence(target, entry))


def _applies(condition: Mapping[str, Any] | None, node: Node) -> bool | None:
    if condition is None:
        return True
    if "given" in condition and node.attributes is not None:
        return condition["attr"] in node.attributes
    if "attr" in condition and node.attributes is not None:
        value = attribute(node, condition["attr"])
        return bool(value == condition["equals"] if "equals" in condition else value != condition["not_equals"])
    if "dtype" in condition and node.dtypes:
        wanted = FLOATING if condition["dtype"] == "floating" else (condition["dtype"],)
        return any(dtype in wanted for dtype in node.dtypes)
    return None


def _out_of_bounds(fact: Mapping[str, Any], value: Any) -> bool | None:
    if "equals" in fact:
        return bool(value != fact["equals"])
    if "in" in fact:
        return value not in fact["in"]
    if "every" in fact:
        return any(item != fact["every"] for item in value)
    half = value[: len(value) // 2] if isinstance(value, tuple) else ()
    if "symmetric" in fact:
        return bool(half != value[len(half) :])
    if "min" in fact:
        return any(item < fact["min"] for item in half)
    return _equation_has(fact["forbids"], value) if "forbids" in fact else None


def _equation_has(form: str, equation: str) -> bool | None:
    """Whether an einsum equation uses an ellipsis or repeats a letter in one operand; broadcasting needs shapes."""
    operands = equation.replace(" ", "").split("->")[0].split(",")
    if form == "ellipsis":
        return "..." in equation
    if form == "diagonal":
        letters = [operand.replace(".", "") for operand in operands]
        return any(len(set(operand)) < len(operand) for operand in letters)
    return None


def _bounds(fact: Mapping[str, Any]) -> str:
    if "equals" in fact:
        return f"be {fact['equals']}"
    if "in" in fact:
        return f"be one of {', '.join(map(str, fact['in']))}"
    if "every" in fact:
        return f"be {fact['every']} everywhere"
    if "symmetric" in fact:
        return "be the same at both ends"
    return f"begin at {fact['min']} or more" if "min" in fact else f"not use a {fact['forbids']}"
