"""Restrictions that only the graph can tell: ranks, constants, how many outputs are read, sizes of nodes' inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import onnx

from onnxfix.legalise.known_rules import attribute, named, rule_broken
from onnxfix.legalise.known_sizes import fed, made_by_node
from onnxfix.model.once import once
from onnxfix.model.scope import Scope
from onnxfix.model.types import ValueType
from onnxfix.opset.view import schema_at, signature
from onnxfix.targets import MOST_AXES, UNNAMED, Limit, Target, dtype_name, limits

_DTYPES = frozenset(onnx.TensorProto.DataType.values())
_PACKED = frozenset(("fp8", "int4", "fp4"))
_TAKE_STORED = ("DequantizeLinear", "QuantizeLinear", "Clip")
_BROADCASTING = frozenset(
    [
        *("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Less", "Greater", "PRelu", "Gemm"),
        *("Max", "Min", "Sum", "Mean"),
    ]
)


def graph_refusal(target: Target, scope: Scope, node: onnx.NodeProto) -> str:
    """Why the target is known to refuse a node by its inputs and outputs; "" when no fact speaks against it.

    What the model does not tell (an unknown rank, a value that is computed) breaks no restriction.
    """
    kinds = {name: scope.type_of(name) for name in (*node.input, *node.output) if name}
    for name, kind in kinds.items():
        if kind.dims is not None and len(kind.dims) > MOST_AXES:
            return f"{node.op_type}: {name} has {kind.rank} dimensions, {target.title} has at most {MOST_AXES}"
    return (
        _type(target, scope, node, kinds)
        or _old_broadcast(target, scope, node)
        or next(_broken(target, scope, node), "")
    )


def _type(target: Target, scope: Scope, node: onnx.NodeProto, kinds: Mapping[str, ValueType]) -> str:
    """A type that no parser reads, and one that only quantization makes (TensorRT-RTX 1.7.1 measured)."""
    for name, kind in kinds.items():
        if kind.kind in ("sequence", "optional"):
            return f"{node.op_type}: {name} is a {kind.kind}, for which TensorRT has no type"
        if (dtype := _name(kind)) in UNNAMED:
            return f"{node.op_type}: {name} is {dtype}, for which TensorRT has no type"
    made = {_dtype(scope, name) for name in node.output} if node.op_type in ("Cast", "CastLike") else set()
    if target.track == "rtx" and node.op_type in ("Cast", "CastLike") and made & _PACKED:
        return f"{node.op_type}: {', '.join(sorted(made & _PACKED))} is made by QuantizeLinear only"
    if "uint8" in made and node.op_type == "Cast" and any(scope.users.get(name) for name in node.output):
        return f"{node.op_type}: uint8 is for inputs and outputs of the graph only"
    stored = (
        name for name in node.input if name and _dtype(scope, name) == "int8" and scope.constant(name) is not None
    )
    name = next(stored, "") if target.track == "rtx" and node.op_type not in _TAKE_STORED else ""
    if name:
        return f"{node.op_type}: {name} is stored as int8, which only DequantizeLinear reads"
    quantised = node.input[0] if node.op_type == "DequantizeLinear" and node.input else ""
    sizes = scope.type_of(quantised).dims if _dtype(scope, quantised) in ("int4", "fp4") else None
    known = [size for size in sizes or () if isinstance(size, int)]
    if sizes and len(known) == len(sizes) and math.prod(known) % 2:
        return f"{node.op_type}: values of four bits must be even in number"
    return ""


def _dtype(scope: Scope, name: str) -> str:
    return _name(scope.type_of(name)) if name else ""


def _name(kind: ValueType) -> str:
    return dtype_name(kind.dtype) if kind.dtype and kind.kind == "tensor" and kind.dtype in _DTYPES else ""


def _old_broadcast(target: Target, scope: Scope, node: onnx.NodeProto) -> str:
    """Operators that can broadcast, before opset 7 (parser_errors.yaml, pre7-broadcast), whether they do or not."""
    said = target.track == "rtx" or int(target.release.split(".")[0]) >= 7  # older parsers were not asked
    old = said and scope.opset < 7 and node.op_type in _BROADCASTING
    return f"{node.op_type}: operands of opsets below 7" if old else ""


def _broken(target: Target, scope: Scope, node: onnx.NodeProto) -> Iterator[str]:
    stated = _limits(target, node.op_type)
    places, results = _places(node.op_type, scope.opset) if stated else ({}, {})
    for limit in stated:
        fact = limit.fact
        if "needs_plugin" in fact and target.track == "rtx":
            yield f"{node.op_type}: needs the plugin {fact['needs_plugin']} (absent where measured, without a GPU)"
        if limit.level != "error" or not _applies(fact.get("when"), scope, node, places):
            continue
        if why := _outputs(fact, node, results) or rule_broken(fact, scope, node):
            yield f"{node.op_type}: {why}"
        name = _given(node.input, places.get(fact.get("input", "")))
        if name and (why := _input(limit, scope, name)):
            yield f"{node.op_type}: {fact['input']} {why}"


@cache
def _places(op_type: str, opset: int) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """The positions of inputs and of outputs by their names in the schema."""
    schema = schema_at(op_type, opset)
    if schema is None:
        return {}, {}
    named = signature(schema)
    inputs, outputs = ({formal.name: place for place, formal in enumerate(s)} for s in (named.inputs, named.outputs))
    return inputs, outputs


@cache
def _limits(target: Target, op_type: str) -> tuple[Limit, ...]:
    return limits(target, op_type)


def _given(names: Any, place: int | None) -> str:
    return names[place] if place is not None and place < len(names) else ""


def _applies(when: Mapping[str, Any] | None, scope: Scope, node: onnx.NodeProto, places: Mapping[str, int]) -> bool:
    """Whether the condition of a limit is known to hold; attributes are judged by targets.supports."""
    if when is None:
        return True
    if "rank" in when:
        return bool(node.input) and scope.type_of(node.input[0]).rank == when["rank"]
    if "dtype" in when:
        return dtype_name(scope.type_of(node.input[0]).dtype) == when["dtype"] if node.input else False
    if when.get("is") == "graph_input":
        return fed(scope, _given(node.input, places.get(when["input"])))
    if "given" in when:
        return attribute(node, when["attr"]) is not None
    if "attr" in when and "equals" in when:
        return bool(attribute(node, when["attr"]) == when["equals"])
    return False


@once
def _sized(scope: Scope) -> frozenset[str]:
    """The values that are computed from the sizes of others, which a parser does not do while it reads."""
    waiting = [index for index, node in enumerate(scope.nodes) if node.op_type in ("Shape", "Size")]
    found: set[str] = set()
    while waiting:
        new = [name for name in scope.makes[waiting.pop()] if name and name not in found]
        found.update(new)
        waiting += [reader for name in new for reader, place in scope.users.get(name, ()) if place >= 0]
    return frozenset(found)


def _outputs(fact: Mapping[str, Any], node: onnx.NodeProto, results: Mapping[str, int]) -> str:
    if "max_outputs" in fact and any(node.output[fact["max_outputs"] :]):
        return f"has more than {fact['max_outputs']} output"
    if fact.get("unsupported") and "output" in fact and _given(node.output, results.get(fact["output"])):
        return f"the output {fact['output']} is not made"
    return ""


def _input(limit: Limit, scope: Scope, name: str) -> str:
    fact, kind, array = limit.fact, scope.type_of(name), None
    if fact.get("unsupported"):
        return "is not taken"
    fixed = fact.get("must_be") in ("constant", "initializer") or "equals" in fact.get("value", {})
    fixed = fixed or bool(fact.get("all_zero") and _dtype(scope, name) != "fp8")
    if fixed and fed(scope, name):
        return "must be constant and is an input of the graph"
    if fact.get("must_be") == "tensor" and scope.constant(name) is not None:
        return "must not be stored in the model"
    if fact.get("must_be") == "constant" and limit.stage == "parse" and name in _sized(scope):
        return "must be constant and is computed from a shape"
    if "rank" in fact and kind.rank is not None and kind.rank != fact["rank"].get("equals", kind.rank):
        return f"must have {fact['rank']['equals']} dimensions, not {kind.rank}"
    banned = () if made_by_node(scope, name) else fact.get("dtype", {}).get("not_in", ())
    if kind.dtype and dtype_name(kind.dtype) in banned:
        return f"must not be {dtype_name(kind.dtype)}"
    if "static_shape" in fact and (why := _free(fact["static_shape"], scope, name)):
        return why
    if "all_zero" in fact or "value" in fact:
        array = scope.array(name)
    if array is None:
        return ""
    if fact.get("all_zero"):
        return "must be zero" if np.any(np.asarray(array).astype(np.float64) != 0) else ""
    return _value(fact["value"], array)


def _free(axes: Sequence[int] | bool, scope: Scope, name: str) -> str:
    """That a size is not known while building: any, or one of `axes` (of those that the shape has).

    Of what a node makes TensorRT may know sizes that shape inference does not: there only named ones are free.
    """
    dims, made = scope.type_of(name).dims or (), made_by_node(scope, name)
    places = range(len(dims)) if isinstance(axes, bool) else [axis for axis in axes if -len(dims) <= axis < len(dims)]
    free = [place for place in places if named(dims[place]) or (dims[place] is None and not made)]
    if not free:
        return ""
    return "must have a known shape" if isinstance(axes, bool) else f"must have a known size at axis {free[0]}"


def _value(bounds: Mapping[str, Any], array: Any) -> str:
    if "equals" in bounds and np.any(array != bounds["equals"]):
        return f"must be {bounds['equals']}"
    return f"must be at most {bounds['max']}" if "max" in bounds and np.any(array > bounds["max"]) else ""
