"""Whether a target takes an operator: in general, with these element types, with these attributes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from onnxfix.targets.dtypes import (
    QUANTISED,
    device_dtype,
    dtype_name,
    operator_dtypes,
    read_as,
    release_dtype,
)
from onnxfix.targets.limits import Node, broken, limits, onnx_schema, table_source, words
from onnxfix.targets.records import Support, Target
from onnxfix.targets.shapes import broken_by_shapes, too_many_axes
from onnxfix.targets.tables import holds, in_force, table, version_key

_UNDECIDED = {
    "doc": "the release's table lists it, but its parser source registers no importer",
    "parse_only": "the parser takes it, a build without a GPU does not; a build on a GPU was not tried",
    "plugin": "registered, but its plugin is absent from a process without a GPU; not verified beyond that",
}


def supports(
    target: Target,
    op_type: str,
    *,
    opset: int | None = None,
    dtypes: Sequence[str | int] = (),
    attributes: Mapping[str, Any] | None = None,
    shapes: Sequence[Sequence[int | None] | None] = (),
    stored: Collection[int] = (),
) -> Support:
    """Whether `target` takes a node, as far as the arguments tell; what is not given is not asked.

    `dtypes` are the element types of the data operands (what the operator's table speaks of: `X` of Conv, the
    branches of Where, not its condition; not shapes, axes or indices), in the fact base's names, ONNX's names or
    ONNX's numbers. `attributes` are the node's own; with `{}` or more, absent ones count with their ONNX default at
    `opset`. `shapes` are those of the inputs in their order: None for an input that is absent or of unknown rank, and
    in a shape for an unknown size; `stored` are the places of inputs whose values are known while building, where
    shapes are judged. The answer is "no" as soon as one fact refuses, else "unknown" when one fact is
    missing, else "yes": the operator is taken and no fact speaks against the node. Whether an input is a constant is
    not asked here: see `limits`.
    """
    known = tuple(None if shape is None else tuple(shape) for shape in shapes)
    node = Node(op_type, opset, tuple(map(dtype_name, dtypes)), attributes, known, frozenset(stored))
    operator = _operator(target, op_type)
    if operator.answer == "no":
        return operator
    answers = [
        operator,
        *_version(target, node),
        *_types(target, node),
        *_attributes(target, node),
        *_shapes(target, node),
    ]
    return min(answers, key=_gravity)


def refuses_operator(target: Target, op_type: str) -> bool:
    """True when the target is known to refuse the operator whatever its form; False when it takes it or is unknown."""
    return _operator(target, op_type).answer == "no"


def unknown_operator(target: Target, op_type: str) -> str:
    """Why no source tells whether the target takes the operator; "" when one does."""
    support = _operator(target, op_type)
    return support.reason if support.answer == "unknown" else ""


def _gravity(support: Support) -> tuple[int, bool]:
    """Sorts the answer that decides first: a refusal, then a doubt, then a remark."""
    return ("no", "unknown", "yes").index(support.answer), not support.reason


def _operator(target: Target, op_type: str) -> Support:
    facts = table("operators")["ops"].get(op_type, {}).get(target.track)
    entry = in_force(facts["support"], target.release) if facts else None
    source = table_source(target)
    if entry is None:
        return _unlisted(target, op_type, facts)
    state = entry["state"]
    if state == "no":
        return Support("no", f"{target.title} has no importer for {op_type}", source)
    if state in _UNDECIDED:
        return Support("unknown", f"{op_type}: {_UNDECIDED[state]}", source, stage="build")
    remark = f"{op_type} has an importer, though the table of {target.title} leaves it out" if state == "code" else ""
    return Support("yes", remark, source)


def _unlisted(target: Target, op_type: str, facts: Mapping[str, Any] | None) -> Support:
    """An operator that no entry covers: registered as an extra, left out of a complete table, or not known."""
    for extra in table("operators")["extra_operators"][target.track]:
        if op_type in extra["ops"] and holds(extra, target.release):
            verified = extra["ev"] != "probe"
            reason = "" if verified else f"{op_type} is registered in {target.title}; not verified beyond that"
            return Support("yes" if verified else "unknown", reason, table_source(target))
    first = facts["support"][0]["since"] if facts else None
    if first and target.track == "trt" and version_key(first) > version_key(target.release):
        reason = f"the operator table of TensorRT {first} is the first to list {op_type}"
        return Support("no" if _has_table(target) else "unknown", reason, table_source(target))
    return Support("unknown", f"no source says whether {target.title} takes {op_type}")


def _has_table(target: Target) -> bool:
    """Whether the facts of the release come from its own operator table, which lists every importer."""
    entry = table("operators")["releases"].get(".".join(target.release.split(".")[:2]), {})
    return bool(entry.get("basis") == "table")


def _version(target: Target, node: Node) -> Iterator[Support]:
    """A doubt when the node's own opset gives the operator a newer definition than the release promises to know."""
    if node.opset is None or target.opset_max is None or node.opset <= target.opset_max:
        return
    schema = onnx_schema(node.op_type, node.opset)
    defined = schema.since_version if schema else 0
    if defined > target.opset_max:
        reason = f"{target.title} promises opset {target.opset_max}; {node.op_type} was redefined in opset {defined}"
        yield Support("unknown", reason, table_source(target))


def _types(target: Target, node: Node) -> Iterator[Support]:
    listed = None if _lifted(target, node) else operator_dtypes(target, node.op_type)
    for dtype in node.dtypes:
        general = [release_dtype(target, dtype), device_dtype(target, dtype)]
        refusal = next((support for support in general if support.answer == "no"), None)
        yield refusal or _listed(target, node.op_type, dtype, listed)


def _listed(target: Target, op_type: str, dtype: str, listed: tuple[str, ...] | None) -> Support:
    source, used = table_source(target), read_as(target, dtype)
    if listed is None:
        return Support("unknown", f"no source lists the element types of {op_type} for {target.title}")
    if used not in listed:
        reason = f"{target.title} takes {op_type} in {', '.join(listed)}, not in {dtype}"
        return Support("no", reason, source)
    if target.track == "trt" and used in QUANTISED and op_type != "DequantizeLinear":
        return Support("unknown", f"{dtype} {op_type} is listed as quantised through Q/DQ, not as a plain type", source)
    return Support("yes", f"{dtype} is read as {used}" if used != dtype else "", source)


def _lifted(target: Target, node: Node) -> bool:
    """Whether the node carries the attribute that lets it build in more types than the table lists."""
    repairs = [limit.fact["repair"] for limit in limits(target, node.op_type) if "repair" in limit.fact]
    return any((node.attributes or {}).get(repair["set_attr"]) == repair["value"] for repair in repairs)


def _attributes(target: Target, node: Node) -> Iterator[Support]:
    for limit in limits(target, node.op_type):
        if broken(limit, node):
            refused = limit.level in ("error", "silent_wrong") and "needs_plugin" not in limit.fact
            reason = f"{node.op_type}: {words(limit, node)}"
            level = "behaviour" if "needs_plugin" in limit.fact else limit.level
            yield Support("no" if refused else "yes", reason, limit.source, limit.stage, level)


def _shapes(target: Target, node: Node) -> Iterator[Support]:
    if too_many := too_many_axes(node):
        yield Support("no", f"{node.op_type}: {too_many}", "NvInfer.h, Dims::MAX_DIMS")
    for limit in limits(target, node.op_type):
        why = broken_by_shapes(limit, node)
        if why is None:
            told = f"whether {target.title} has a kernel for {node.op_type} depends on types and sizes"
            yield Support("unknown", told, limit.source, limit.stage)
        elif why:
            yield Support("no", f"{node.op_type}: {why}", limit.source, limit.stage, limit.level)
