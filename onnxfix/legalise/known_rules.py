"""The restrictions that operators.yaml gives a name to (`rule:`), asked of a node and the graphs inside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import onnx

from onnxfix.legalise.known_sizes import fed, known_only_when_running
from onnxfix.model.attributes import attribute_of
from onnxfix.model.scope import Scope


def rule_broken(fact: Mapping[str, Any], scope: Scope, node: onnx.NodeProto) -> str:
    """Why a node breaks the rule of a fact; "" when it keeps it, or the fact has none that is asked of a graph."""
    asked = _RULES.get(fact.get("rule", ""))
    return asked(scope, node) if asked else ""


def attribute(node: onnx.NodeProto, name: str) -> Any:
    """The value of an attribute, bytes as text; None when it is absent or refers to a function's."""
    value = attribute_of(node, name)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _no_kernel(scope: Scope, node: onnx.NodeProto) -> str:
    del scope, node
    return "the engine has no kernel (measured on a machine without a GPU)"


def _condition(scope: Scope, node: onnx.NodeProto) -> str:
    del scope
    return "" if len(node.input) > 1 and node.input[1] else "the condition must be given"


def _scales(scope: Scope, node: onnx.NodeProto) -> str:
    missing = len(node.input) < 2 if scope.opset >= 9 else attribute(node, "scales") is None
    return f"opset {scope.opset} has scales as an {'input' if scope.opset >= 9 else 'attribute'}" if missing else ""


def _bounds(scope: Scope, node: onnx.NodeProto) -> str:
    stored = all(name and scope.constant(name) is not None for name in node.input[1:])
    return "" if stored else "a bound that is listed must be stored in the model"


def _query_apart(scope: Scope, node: onnx.NodeProto) -> str:
    read = [behind_identity(scope, name) for name in node.input[:2]]
    return "the query and the keys are one value, which crashes the library" if len({*read}) < len(read) else ""


def _steps(scope: Scope, node: onnx.NodeProto) -> str:
    """TensorRT-RTX compares the steps with an int64."""
    name = node.input[4] if len(node.input) > 4 else ""
    narrow = name and scope.type_of(name).dtype == onnx.TensorProto.INT32 and scope.constant(name) is None
    return f"the steps {name} are int32 and not stored; int64 is taken" if narrow else ""


def _one_free_size(scope: Scope, node: onnx.NodeProto) -> str:
    """Before opset 13 the input is made a matrix, with one size left to be found."""
    dims = (scope.type_of(node.input[0]).dims if node.input else None) or ()
    free = sum(isinstance(size, str) for size in dims)
    coerced = scope.opset < 13 and len(dims) > 2
    return f"opset {scope.opset} with more than one free size" if coerced and free > 1 else ""


def _both_directions(scope: Scope, node: onnx.NodeProto) -> str:
    del scope
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


def behind_identity(scope: Scope, name: str) -> str:
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


def _stored_uint8(scope: Scope, node: onnx.NodeProto) -> str:
    """TensorRT-RTX stores uint8 as int32, which then has another type than the other operand."""
    types = [scope.type_of(name).dtype for name in node.input if name]
    stored = [name for name in node.input if name and scope.constant(name) is not None]
    wrong = onnx.TensorProto.UINT8 in types and 0 < len(stored) < len(types)
    return f"{stored[0]} is stored as uint8, and the other operand is not stored" if wrong else ""


def _rotary(scope: Scope, node: onnx.NodeProto) -> str:
    """Batch and rows of the input must be known where those of the positions, or else of the caches, are."""
    dims = scope.type_of(node.input[0]).dims if node.input and node.input[0] else None
    if dims is None or len(dims) not in (3, 4):
        return ""
    own = (dims[0], dims[-2])
    given = len(node.input) > 3 and node.input[3]
    for name in (node.input[3],) if given else node.input[1:3]:
        other = (scope.type_of(name).dims if name else None) or ()
        for what, one, two in zip(("batch", "number of rows"), own, other, strict=False):
            if isinstance(one, int) != isinstance(two, int):
                return f"the {what} must be known of both {node.input[0]} and {name}, or of none"
    return ""


def _scales_known(scope: Scope, node: onnx.NodeProto) -> str:
    name = node.input[1] if len(node.input) > 1 else ""
    dims = (scope.type_of(name).dims if name else None) or ()
    free = len(dims) == 1 and not isinstance(dims[0], int) and name not in scope.producer
    return f"the number of scales must be known, and {name} has any" if free else ""


def _cache(scope: Scope, node: onnx.NodeProto) -> str:
    """Heads and head size must be known of both the cache and its update, or of none."""
    cache, update = ((scope.type_of(name).dims if name else None) or () for name in node.input[:2])
    if len(cache) != 4 or len(update) != 4:
        return ""
    for axis, what in ((1, "number of heads"), (3, "head size")):
        if isinstance(cache[axis], int) != isinstance(update[axis], int):
            return f"the {what} must be known of both {node.input[0]} and {node.input[1]}, or of none"
    return ""


def named(size: object) -> bool:
    """Whether a size has a name of the model, not one that shape inference made up: TensorRT may know those."""
    return isinstance(size, str) and not size.startswith("unk__")


def _grouped_channels(scope: Scope, node: onnx.NodeProto) -> str:
    """Of more than one group, where the weights come while running."""
    if attribute(node, "group") in (None, 1) or len(node.input) < 2 or scope.constant(node.input[1]) is not None:
        return ""
    dims = scope.type_of(node.input[0]).dims or ()
    free = len(dims) > 1 and named(dims[1])
    return f"the number of channels of {node.input[0]} must be known where there are groups" if free else ""


def _cache_outside(scope: Scope, node: onnx.NodeProto) -> str:
    """TensorRT updates a cache in place: it is an input of the network, and the result an output."""
    if node.input and not fed(scope, node.input[0]):
        return f"the cache {node.input[0]} must be an input of the graph"
    made = node.output[0] if node.output else ""
    return "" if not scope.id and made in scope.outputs else f"the cache {made} must be an output of the graph"


def _beside_axes(scope: Scope, node: onnx.NodeProto) -> str:
    """Of a Resize with stored sizes for some axes: the other sizes of its input."""
    axes, dims = attribute(node, "axes"), scope.type_of(node.input[0]).dims or ()
    if axes is None or len(node.input) < 4 or not node.input[3] or scope.constant(node.input[3]) is None:
        return ""
    resized = {axis % len(dims) for axis in axes} if dims else set()
    free = [axis for axis, dim in enumerate(dims) if named(dim) and axis not in resized]
    return f"the size of {node.input[0]} at axis {free[0]} must be known, which is not resized" if free else ""


_RULES: dict[str, Callable[[Scope, onnx.NodeProto], str]] = {
    "branch_outputs_same_rank": _branches,
    "cache_from_outside_and_back": _cache_outside,
    "cache_sizes_known_alike": _cache,
    "channels_of_groups_known": _grouped_channels,
    "condition_given": _condition,
    "listed_bounds_stored": _bounds,
    "mask_of_query_type": _mask_type,
    "no_engine_kernel_on_cpu_build": _no_kernel,
    "number_of_scales_known": _scales_known,
    "one_free_size_before_opset_13": _one_free_size,
    "query_apart_from_keys": _query_apart,
    "rotary_sizes_known_alike": _rotary,
    "same_activations_both_directions": _both_directions,
    "scales_where_the_opset_has_them": _scales,
    "steps_stored_or_int64": _steps,
    "sizes_beside_axes_known": _beside_axes,
    "stored_operand_of_same_type": _stored_uint8,
}
