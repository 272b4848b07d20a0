"""Operands that must have one type get one: what the ONNX type rules ask of every node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.dtype_edits import changed_node, retyped_constant, unlisted
from onnxfix.actions.dtype_flow import Kinds, Ladder, Mix, declared_types, flow
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.model import Array
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope, ScopeId
from onnxfix.model.types import dtype_name

_T = onnx.TensorProto
_WIDENING = {
    (_T.INT32, _T.INT64),
    *((narrow, wide) for narrow in (_T.FLOAT16, _T.BFLOAT16) for wide in (_T.FLOAT, _T.DOUBLE)),
    (_T.FLOAT, _T.DOUBLE),
}
"""(from, to) where every number of the one type is a number of the other."""


def harmonise_types(context: Context, types: Sequence[str], constants: str = "widen") -> Iterator[Proposal]:
    """One Proposal per node that mixes element types of `types` (narrow ones first) in one type variable.

    So are operands of a type that the node does not take, and results that the file declares with another type.
    The widest type wins: other operands get a Cast, constants are stored in it.  With `constants` = "follow" the
    widest type that is not a constant's wins; a constant that it cannot hold exactly makes the fix unsafe.
    """
    order = [int(onnx.TensorProto.DataType.Value(name.upper())) for name in types]
    ladder = Ladder(order, follow=constants == "follow")
    known: dict[ScopeId, Kinds] = {}
    for scope in context.scopes:
        outer = known[scope.parent.id] if scope.parent else {}
        known[scope.id], mixes = flow(scope, ladder, outer)
        by_node = {mix.node: mix for mix in reversed(mixes)}  # a node's other type variables wait for the next round
        yield from (_proposal(scope, context.names, known[scope.id], mix) for mix in by_node.values())


def _proposal(scope: Scope, names: Names, kinds: Mapping[str, int], mix: Mix) -> Proposal:
    wrong = [(position, name) for position, name in mix.inputs if kinds[name] != mix.wanted]
    stored = {name: array for _, name in wrong if (array := scope.array(name)) is not None}
    return Proposal(
        _message(scope, kinds, mix),
        scope,
        mix.node,
        value=wrong[0][1] if wrong else mix.outputs[0],
        edits=tuple(_edits(scope, names, mix, wrong, stored)),
        applicability="safe" if _exact(kinds, mix, wrong, stored) else "unsafe",
    )


def _message(scope: Scope, kinds: Mapping[str, int], mix: Mix) -> str:
    op_type, wanted = scope.nodes[mix.node].op_type, dtype_name(mix.wanted)
    if not mix.inputs:
        return f"{op_type} makes {wanted}, and the file says that it makes {dtype_name(kinds[mix.outputs[0]])}"
    found = " and ".join(sorted({dtype_name(kinds[name]) for _, name in mix.inputs}))
    return f"{op_type} reads {found} where ONNX asks for {'one type' if ' and ' in found else wanted}"


def _exact(kinds: Mapping[str, int], mix: Mix, wrong: Sequence[tuple[int, str]], stored: Mapping[str, Array]) -> bool:
    """Whether no operand is rounded."""
    computed = {kinds[name] for _, name in wrong if name not in stored}
    exact = all((kind, mix.wanted) in _WIDENING for kind in computed)
    return exact and all(_survives(array, mix.wanted) for array in stored.values())


def _edits(
    scope: Scope, names: Names, mix: Mix, wrong: list[tuple[int, str]], stored: Mapping[str, Array]
) -> Iterator[Edit]:
    """New constants, Casts before the node, and a Cast behind it for a result whose type the file states otherwise."""
    inputs: dict[tuple[int, int], str] = {}
    casts: dict[str, onnx.NodeProto] = {}
    if stored:
        yield from unlisted(scope)
    for name, array in stored.items():
        uses = {(mix.node, position) for position, given in wrong if given == name}
        twin, edit = retyped_constant(scope, names, name, _cast(array, mix.wanted), uses)
        inputs |= dict.fromkeys(uses, twin)
        yield edit
    for position, name in wrong:
        if name not in stored:
            casts.setdefault(name, cast_node(names, name, names.fresh(f"{name}_{dtype_name(mix.wanted)}"), mix.wanted))
            inputs[mix.node, position] = casts[name].output[0]
    declared = declared_types(scope)
    stated = {name: kind for name in mix.outputs if (kind := declared.get(name, mix.wanted)) != mix.wanted}
    renamed = {name: names.fresh(f"{name}_{dtype_name(mix.wanted)}") for name in stated}
    back = [cast_node(names, renamed[name], name, kind) for name, kind in stated.items()]
    node = changed_node(scope, mix.node, inputs, {})
    for position, name in enumerate(node.output):
        node.output[position] = renamed.get(name, name)
    yield Edit(scope.id, remove=(mix.node,), insert=(*casts.values(), node, *back))


def cast_node(names: Names, source: str, result: str, dtype: int) -> onnx.NodeProto:
    """A Cast from one value to another."""
    return onnx.helper.make_node("Cast", [source], [result], name=names.fresh(f"{result}_Cast"), to=dtype)


def _cast(array: Array, dtype: int) -> Array:
    with np.errstate(over="ignore"):
        return array.astype(onnx.helper.tensor_dtype_to_np_dtype(dtype))


def _survives(array: Array, dtype: int) -> bool:
    """Whether every number survives the way to another type and back."""
    back = _cast(array, dtype).astype(array.dtype)
    return bool(np.array_equal(back, array, equal_nan=array.dtype.kind == "f"))
