"""Restrictions that only the graph can tell: ranks, constants, how many outputs are read, sizes of nodes' inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import onnx

from onnxfix.model.scope import Scope
from onnxfix.opset.view import schema_at
from onnxfix.targets import UNNAMED, Limit, Target, dtype_name, limits

MOST_AXES = 8
"""No tensor of a TensorRT network has more dimensions (operators.yaml, engine_wide)."""

_PACKED = frozenset(("fp8", "int4", "fp4"))
_BROADCASTING = frozenset(
    ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Less", "Greater", "PRelu", "Gemm", "Max", "Min")
)
_NO_KERNEL = "no_engine_kernel_on_cpu_build"
_SAME_FUNCTIONS = "same_activations_both_directions"


def graph_refusal(target: Target, scope: Scope, node: onnx.NodeProto) -> str:
    """Why the target is known to refuse a node by its inputs and outputs; "" when no fact speaks against it.

    What the model does not tell (an unknown rank, a value that is computed) breaks no restriction.
    """
    for name in (*node.input, *node.output):
        rank = scope.type_of(name).rank if name else None
        if rank is not None and rank > MOST_AXES:
            return f"{node.op_type}: {name} has {rank} dimensions, {target.title} has at most {MOST_AXES}"
    return _type(target, scope, node) or _old_broadcast(target, scope, node) or next(_broken(target, scope, node), "")


def _type(target: Target, scope: Scope, node: onnx.NodeProto) -> str:
    """A type that no parser reads, and one that only quantization makes (TensorRT-RTX 1.7.1 measured)."""
    for name in filter(None, (*node.input, *node.output)):
        dtype, kind = _dtype(scope, name), scope.type_of(name).kind
        if kind in ("sequence", "optional"):
            return f"{node.op_type}: {name} is a {kind}, for which TensorRT has no type"
        if dtype in UNNAMED:
            return f"{node.op_type}: {name} is {dtype}, for which TensorRT has no type"
    made = {_dtype(scope, name) for name in node.output}
    if target.track == "rtx" and node.op_type in ("Cast", "CastLike") and made & _PACKED:
        return f"{node.op_type}: {', '.join(sorted(made & _PACKED))} is made by QuantizeLinear only"
    if "uint8" in made and node.op_type == "Cast" and any(scope.users.get(name) for name in node.output):
        return f"{node.op_type}: uint8 is for inputs and outputs of the graph only"
    packed = node.op_type == "DequantizeLinear" and _dtype(scope, node.input[0]) in ("int4", "fp4")
    sizes = scope.type_of(node.input[0]).dims if packed else None
    known = [size for size in sizes or () if isinstance(size, int)]
    if sizes and len(known) == len(sizes) and math.prod(known) % 2:
        return f"{node.op_type}: values of four bits must be even in number"
    return ""


def _dtype(scope: Scope, name: str) -> str:
    kind = scope.type_of(name) if name else None
    known = kind is not None and kind.kind == "tensor" and kind.dtype in onnx.TensorProto.DataType.values()
    return dtype_name(kind.dtype) if kind is not None and known and kind.dtype else ""


def _old_broadcast(target: Target, scope: Scope, node: onnx.NodeProto) -> str:
    """Operators of several operands before opset 7 (parser_errors.yaml, pre7-broadcast), broadcast or not."""
    said = target.track == "rtx" or int(target.release.split(".")[0]) >= 7  # older parsers were not asked
    old = said and scope.opset < 7 and node.op_type in _BROADCASTING and len(node.input) > 1
    return f"{node.op_type}: operands of opsets below 7" if old else ""


def _broken(target: Target, scope: Scope, node: onnx.NodeProto) -> Iterator[str]:
    schema = schema_at(node.op_type, scope.opset)
    if schema is None:
        return
    places = {formal.name: index for index, formal in enumerate(schema.inputs)}
    results = {formal.name: index for index, formal in enumerate(schema.outputs)}
    for limit in _limits(target, node.op_type):
        fact = limit.fact
        if "needs_plugin" in fact and target.track == "rtx":
            yield f"{node.op_type}: needs the plugin {fact['needs_plugin']} (absent where measured, without a GPU)"
        if limit.level != "error" or not _applies(fact.get("when"), scope, node, places):
            continue
        if why := _outputs(fact, node, results) or _rule(fact, node) or _rank(fact, scope, node):
            yield f"{node.op_type}: {why}"
        name = _given(node.input, places.get(fact.get("input", "")))
        if name and (why := _input(limit, scope, name)):
            yield f"{node.op_type}: {fact['input']} {why}"


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
        return _fed(scope, _given(node.input, places.get(when["input"])))
    if "attr" in when and "equals" in when:
        return bool(_attribute(node, when["attr"]) == when["equals"])
    return False


def _attribute(node: onnx.NodeProto, name: str) -> Any:
    found = next((item for item in node.attribute if item.name == name and not item.ref_attr_name), None)
    value = onnx.helper.get_attribute_value(found) if found else None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _fed(scope: Scope, name: str) -> bool:
    """Whether a value comes from outside when running: an input of the main graph that is no weight."""
    return bool(name) and not scope.id and name in scope.inputs and scope.constant(name) is None


def _sized(scope: Scope, name: str) -> bool:
    """Whether a value is computed from the sizes of another, which a parser does not do while it reads."""
    seen, waiting = {name}, [name]
    while waiting:
        place = scope.producer.get(waiting.pop())
        maker = None if place is None else scope.nodes[place[0]]
        if maker is not None and maker.op_type in ("Shape", "Size"):
            return True
        more = [read for read in (maker.input if maker is not None else ()) if read and read not in seen]
        seen.update(more)
        waiting += more
    return False


def _outputs(fact: Mapping[str, Any], node: onnx.NodeProto, results: Mapping[str, int]) -> str:
    if "max_outputs" in fact and any(node.output[fact["max_outputs"] :]):
        return f"has more than {fact['max_outputs']} output"
    if fact.get("unsupported") and "output" in fact and _given(node.output, results.get(fact["output"])):
        return f"the output {fact['output']} is not made"
    return ""


def _rule(fact: Mapping[str, Any], node: onnx.NodeProto) -> str:
    if fact.get("rule") == _NO_KERNEL:
        return "the engine has no kernel (measured on a machine without a GPU)"
    if fact.get("rule") == _SAME_FUNCTIONS:
        functions = _attribute(node, "activations") or []
        half = len(functions) // 2
        if functions[:half] != functions[half:]:
            return "the functions of both directions must be the same"
    return ""


def _rank(fact: Mapping[str, Any], scope: Scope, node: onnx.NodeProto) -> str:
    rank = scope.type_of(node.input[0]).rank if node.input and node.input[0] else None
    if "spatial_rank" in fact and rank is not None and rank - 2 not in fact["spatial_rank"]["in"]:
        return f"{rank - 2} spatial axes; there must be {' or '.join(map(str, fact['spatial_rank']['in']))}"
    return ""


def _input(limit: Limit, scope: Scope, name: str) -> str:
    fact, kind, array = limit.fact, scope.type_of(name), None
    if fact.get("unsupported"):
        return "is not taken"
    fixed = fact.get("must_be") in ("constant", "initializer") or "equals" in fact.get("value", {})
    fixed = fixed or bool(fact.get("all_zero") and _dtype(scope, name) != "fp8")
    if fixed and _fed(scope, name):
        return "must be constant and is an input of the graph"
    if fact.get("must_be") == "constant" and limit.stage == "parse" and _sized(scope, name):
        return "must be constant and is computed from a shape"
    if "rank" in fact and kind.rank is not None and kind.rank != fact["rank"].get("equals", kind.rank):
        return f"must have {fact['rank']['equals']} dimensions, not {kind.rank}"
    if "not_in" in fact.get("dtype", {}) and kind.dtype and dtype_name(kind.dtype) in fact["dtype"]["not_in"]:
        return f"must not be {dtype_name(kind.dtype)}"
    if fact.get("static_shape") and kind.dims is not None and not all(isinstance(size, int) for size in kind.dims):
        return "must have a known shape"
    if "all_zero" in fact or "value" in fact:
        array = scope.array(name)
    if array is None:
        return ""
    if fact.get("all_zero"):
        return "must be zero" if np.any(np.asarray(array).astype(np.float64) != 0) else ""
    return _value(fact["value"], array)


def _value(bounds: Mapping[str, Any], array: Any) -> str:
    if "equals" in bounds and np.any(array != bounds["equals"]):
        return f"must be {bounds['equals']}"
    return f"must be at most {bounds['max']}" if "max" in bounds and np.any(array > bounds["max"]) else ""
