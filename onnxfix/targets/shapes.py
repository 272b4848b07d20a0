"""Restrictions that the shapes of a node's inputs tell: sizes that fit each other, and those a kernel is made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from onnxfix.targets.limits import Node, Shape, attribute, limits
from onnxfix.targets.records import Limit, Target
from onnxfix.targets.tables import holds, table

MOST_AXES = 8
"""No tensor of a TensorRT network has more dimensions (operators.yaml, engine_wide)."""

KERNEL = "fused_kernel"


_RULES = (KERNEL, "keys_like_values", "sizes_known_alike", "mask_or_causal", "mask_fits", "vector_times_one_batch")


@cache
def judged_by_shapes(target: Target, op_type: str) -> bool:
    """Whether a restriction of the operator is asked of the shapes of its inputs."""
    return any("spatial_rank" in limit.fact or limit.fact.get("rule") in _RULES for limit in limits(target, op_type))


def broken_by_shapes(limit: Limit, node: Node) -> str | None:
    """Why the shapes break a limit; "" when they keep it or are not its subject, None when they do not tell.

    Only a limit that decides every node of the operator (Attention has a kernel or has none) can be None.
    """
    rule, fact = limit.fact.get("rule"), limit.fact
    if rule == KERNEL:
        return _no_kernel(fact, node)
    if rule == "keys_like_values":
        return "keys and values must have one shape" if _differ(_attention(node)[1:3]) else ""
    if rule == "sizes_known_alike":
        return _unlike(*_attention(node))
    if rule == "mask_or_causal":
        both = _shape(node, 3) is not None and attribute(node, "is_causal") == 1
        return "a mask and is_causal = 1 exclude each other" if both else ""
    if rule == "mask_fits":
        return _misfit(node)
    if rule == "vector_times_one_batch":
        return _one_batch(_shape(node, 0), _shape(node, 1))
    return _spatial(fact, _shape(node, 0)) if "spatial_rank" in fact else ""


def too_many_axes(node: Node) -> str:
    """Why a shape has too many dimensions for any TensorRT, "" when none has."""
    most = max((len(shape) for shape in node.shapes if shape is not None), default=0)
    return f"an input has {most} dimensions; a tensor of TensorRT has at most {MOST_AXES}" if most > MOST_AXES else ""


def size_inputs(target: Target, op_type: str) -> tuple[str, ...]:
    """The inputs of an operator whose values decide sizes, by the names of its schema; () when no source says."""
    found = _sizes(target)
    return tuple(found["inputs"].get(op_type, ())) if found else ()


def size_operators(target: Target) -> frozenset[str]:
    """The operators that are computed together with the sizes, before the network runs."""
    found = _sizes(target)
    return frozenset(found["through"]) if found else frozenset()


def _sizes(target: Target) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = table("operators")["sizes"].get(target.track)
    return found if found and holds(found, target.release) else None


def _shape(node: Node, place: int) -> Shape | None:
    return node.shapes[place] if place < len(node.shapes) else None


def _differ(shapes: Sequence[Shape | None]) -> bool:
    """Whether two shapes are known to be different."""
    first, second = shapes
    if first is None or second is None:
        return False
    return len(first) != len(second) or any(a != b for a, b in zip(first, second, strict=True) if a and b)


def _unlike(query: Shape | None, keys: Shape | None, values: Shape | None) -> str:
    """Sizes of which one is known while building and its partner is not: TensorRT takes them for different."""
    if query is None or keys is None or values is None:
        return ""
    for axis, name in enumerate(("batch", "number of heads", "number of rows", "head size")):
        free = axis == 2 and keys[axis] is None
        if (keys[axis] is None) != (values[axis] is None) and not free:
            return f"the {name} must be known of both keys and values, or of none"
    if query[1] is None and keys[1] is not None:
        return "the number of heads of the query must be known where that of the keys is"
    return (
        "the head size must be known of both query and keys, or of none"
        if (query[3] is None) != (keys[3] is None)
        else ""
    )


def _spatial(fact: Mapping[str, Any], shape: Shape | None) -> str:
    allowed = fact["spatial_rank"]["in"]
    if shape is None or len(shape) - 2 in allowed:
        return ""
    return f"{len(shape) - 2} spatial axes; there must be {' or '.join(map(str, allowed))}"


def _one_batch(left: Shape | None, right: Shape | None) -> str:
    """A free size builds, for one batch only: OFX788."""
    if left is None or right is None or len(left) != 1 or len(right) < 3 or right[0] in (None, 1):
        return ""
    return "a vector times a batch of matrices: the first size of the batch must be 1"


def _attention(node: Node) -> list[Shape | None]:
    """Query, keys and values as (batch, heads, rows, head size); rank 3 is split by the number of heads."""
    names = ("q_num_heads", "kv_num_heads", "kv_num_heads")
    return [_by_heads(_shape(node, place), attribute(node, name)) for place, name in enumerate(names)]


def _by_heads(shape: Shape | None, heads: int | None) -> Shape | None:
    if shape is None or len(shape) == 4:
        return shape
    if len(shape) != 3 or not isinstance(heads, int) or heads < 1:
        return None
    return (shape[0], heads, shape[1], shape[2] // heads if shape[2] is not None else None)


def _misfit(node: Node) -> str:
    """A mask that does not broadcast to (batch, query heads, query rows, key rows)."""
    query, keys, _ = _attention(node)
    mask = _shape(node, 3)
    if query is None or keys is None or mask is None:
        return ""
    full = (*query[:3], keys[2])
    if any(a not in (None, 1, b) and b is not None for a, b in zip(reversed(mask), reversed(full), strict=False)):
        return "the mask must broadcast to batch, heads, rows of the query and rows of the keys"
    return ""


def _no_kernel(fact: Mapping[str, Any], node: Node) -> str | None:
    query, keys, _ = _attention(node)
    if (node.attributes or {}).get(fact["repair"]["set_attr"]) == fact["repair"]["value"]:
        return ""
    if query is None or keys is None or not node.dtypes or node.attributes is None:
        return None
    if _taken_apart(node, query, keys):
        return ""
    if any(_fits(kernel, node.dtypes[0], query, keys) for kernel in fact["kernels"]):
        return ""
    return f"no kernel for {node.dtypes[0]} with {_told(query)}; the node may be built with TRT_decomposable = 1"


def _taken_apart(node: Node, query: Shape, keys: Shape) -> bool:
    """Whether the parser writes it as products and Softmax: rank 3, several rows, as many key heads, no mask, and no
    query, key or value that is stored in the model."""
    plain = _shape(node, 3) is None and attribute(node, "is_causal") != 1 and node.stored.isdisjoint(range(3))
    return plain and len(_shape(node, 0) or ()) == 3 and query[2] != 1 and query[1] == keys[1]


def _fits(kernel: Mapping[str, Any], dtype: str, query: Shape, keys: Shape) -> bool:
    batch, heads, rows, size = query
    head = kernel["head"]
    fits = size is None or (head["min"] <= size <= head["max"] and size % head.get("multiple_of", 1) == 0)
    enough = batch is None or heads is None or batch * heads >= kernel["heads"]
    same_rows = (rows == 1) == (kernel["rows"] == "one") and kernel.get("key_rows", keys[2]) == keys[2]
    return fits and enough and same_rows and dtype in kernel["dtypes"]


def _told(query: Shape) -> str:
    batch, heads, rows, size = ("?" if number is None else number for number in query)
    return f"batch {batch}, {heads} heads of size {size} and {rows} query rows"
