"""Where the values come from that decide sizes: TensorRT computes these by itself, from integers, once for a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx

from onnxfix.model.once import once
from onnxfix.model.scope import Scope, ScopeId, captured
from onnxfix.opset.view import schema_at
from onnxfix.targets import Target, limits, size_inputs, size_operators

_INTEGERS = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
_SIZES = ("Shape", "Size")
_CHUNKS = "last_chunk_not_negative"

Place = tuple[Scope, str]
ValueId = tuple[ScopeId, str]
Question = tuple[frozenset[str] | None, Callable[[Scope, str], str]]


def size_refusal(target: Target, scope: Scope, node: onnx.NodeProto) -> str:
    """Why the sizes that a node makes cannot be had, by those of its input or by where they are computed from."""
    if node.op_type == "Split" and any(limit.fact.get("rule") == _CHUNKS for limit in limits(target, "Split")):
        return _chunks(scope, node) or _unknown_sizes(target, scope, node)
    return _unknown_sizes(target, scope, node)


def _chunks(scope: Scope, node: onnx.NodeProto) -> str:
    """As many chunks of the size rounded up as there are outputs: the last one may not be less than nothing."""
    given = any(node.input[1:]) or any(item.name == "split" for item in node.attribute)
    if given or not node.input or not node.output:
        return ""
    dims, parts = scope.type_of(node.input[0]).dims or (), len(node.output)
    axis = next((item.i for item in node.attribute if item.name == "axis"), 0)
    size = dims[axis] if -len(dims) <= axis < len(dims) else None
    if not isinstance(size, int) or size >= -(-size // parts) * (parts - 1):
        return ""
    return f"Split: {size} in {parts} parts of {-(-size // parts)} leaves less than nothing for the last one"


def _unknown_sizes(target: Target, scope: Scope, node: onnx.NodeProto) -> str:
    names = size_inputs(target, node.op_type)
    if not names or (node.op_type == "Loop" and len(node.output) <= len(node.input) - 2):
        return ""
    schema = schema_at(node.op_type, scope.opset)
    places = {formal.name: index for index, formal in enumerate(schema.inputs)} if schema else {}
    for name in names:
        place = places.get(name, len(node.input))
        if place < len(node.input) and (why := _origin(target, scope, node.input[place], node.op_type != "Loop")):
            return f"{node.op_type}: {name} decides a size and is computed from {why}"
    return ""


def known_only_when_running(scope: Scope, name: str) -> bool:
    """Whether a value is certain to depend on what is computed while running.

    An integer input may be known while building, where it decides sizes too and has one value only.
    """
    return bool(_behind(scope, name, None, _running))


def _running(scope: Scope, name: str) -> str:
    return name if _branched(scope, name) or _carried(scope, name) or _uncounted(scope, name) else ""


def _origin(target: Target, scope: Scope, name: str, in_loops: bool) -> str:
    return _behind(scope, name, size_operators(target), _unknown_in_loops if in_loops else _unknown)


def _unknown_in_loops(scope: Scope, name: str) -> str:
    return f"{name}, which a loop carries" if _carried(scope, name) else _unknown(scope, name)


def _unknown(scope: Scope, name: str) -> str:
    return f"the input {name}, which is no integer" if _uncounted(scope, name) else ""


def _behind(scope: Scope, name: str, through: frozenset[str] | None, told: Callable[[Scope, str], str]) -> str:
    """What is told first of the values that no node makes, behind a value, and of those that an If chooses.

    Sizes end the search, and operators that are not in `through`.  What was found is remembered, so that all searches
    in a graph together look at each value once.
    """
    if not name:
        return ""
    outermost = scope
    while outermost.parent is not None:
        outermost = outermost.parent
    found = _answers(outermost).setdefault((through, told), {})
    path: list[Iterator[Place]] = []
    keys: list[ValueId] = []
    step: Place | None = (scope, name)
    while step is not None or path:
        if step is None:
            keys.pop()
            path.pop()
        else:
            place = _home(*step)
            key = place[0].id, place[1]
            if key not in found:
                found[key] = told(*place) if _is_source(*place) else ""
                keys.append(key)
                path.append(reversed(_passed(*place, through)))
            if found[key]:
                found.update(dict.fromkeys(keys, found[key]))
                return found[key]
        step = next(path[-1], None) if path else None
    return ""


@once
def _answers(_: Scope) -> dict[Question, dict[ValueId, str]]:
    return {}


def _is_source(scope: Scope, name: str) -> bool:
    return name not in scope.producer or _branched(scope, name)


def _passed(scope: Scope, name: str, through: frozenset[str] | None) -> list[Place]:
    """The values that a value is computed from, as far as a search goes."""
    if _is_source(scope, name):
        return []
    node = scope.nodes[scope.producer[name][0]]
    if node.op_type in _SIZES or (through is not None and node.op_type not in through):
        return []
    return [(home, read) for home, read in _read(scope, node, *scope.producer[name]) if read]


def _read(scope: Scope, node: onnx.NodeProto, index: int, output: int) -> Iterator[Place]:
    """What decides the values of an output: of If the condition and that output of the branches that may be taken.

    Of CastLike not the second input, which lends its type only.
    """
    for name in node.input[:1] if node.op_type in ("CastLike", "If") else (*node.input, *captured(node)):
        yield scope, name
    for branch in scope.held.get(index, ()) if node.op_type == "If" else ():
        if not never_run(branch):
            yield from ((branch, name) for name in branch.outputs[output : output + 1])


def _home(scope: Scope, name: str) -> Place:
    """The scope that defines a value, found outwards."""
    while not scope.defines(name) and scope.parent is not None:
        scope = scope.parent
    return scope, name


def never_run(scope: Scope) -> bool:
    """Whether a stored condition decides that this branch is not taken; a parser does not read it then."""
    outer = scope.parent
    if outer is None:
        return False
    other = {"then_branch": False, "else_branch": True}.get(str(scope.id[-2]))
    skipped = other is not None and _decision(outer, outer.nodes[int(scope.id[-3])]) is other
    return skipped or never_run(outer)


def _decision(scope: Scope, node: onnx.NodeProto) -> bool | None:
    """Whether the then branch of an If is taken; None when the condition is not stored in the model."""
    condition = scope.array(node.input[0]) if node.input else None
    return None if condition is None or condition.size != 1 else bool(condition.reshape(-1)[0])


def fed(scope: Scope, name: str) -> bool:
    """Whether a value comes from outside when running: an input of the main graph that is no weight."""
    return bool(name) and not scope.id and name in scope.inputs and scope.constant(name) is None


def _uncounted(scope: Scope, name: str) -> bool:
    """Whether a value comes from outside and is known to be no integer."""
    dtype = scope.type_of(name).dtype
    return fed(scope, name) and bool(dtype) and dtype not in _INTEGERS


def _branched(scope: Scope, name: str) -> bool:
    """Whether an If makes the value whose condition is not stored."""
    made = scope.producer.get(name)
    node = None if made is None else scope.nodes[made[0]]
    return node is not None and node.op_type == "If" and _decision(scope, node) is None


def made_by_node(scope: Scope, name: str) -> bool:
    """Whether a node computes the value, in the same graph."""
    return name in scope.producer and scope.constant(name) is None


def _carried(scope: Scope, name: str) -> bool:
    """Whether a loop gives the value anew for each run of its body."""
    return len(scope.id) >= 2 and scope.id[-2] == "body" and name in scope.inputs
