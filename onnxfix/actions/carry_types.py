"""Values of types that an engine does not compute with become int32, int64 or float, node by node.

A node that reads or makes such a type gets Casts around it and computes in a wider type; then a Cast that only
another Cast reads becomes the arithmetic that it stands for: wrapping around, or rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import onnx

from onnxfix.actions.context import Context
from onnxfix.actions.dtype_intervals import INT64 as INT64_RANGE
from onnxfix.actions.dtype_intervals import OF_TYPE, Range, inside
from onnxfix.actions.dtype_ranges import Ranges
from onnxfix.actions.whole_numbers import WholeNumbers
from onnxfix.decompose import forms
from onnxfix.decompose.carriers import BITS, CARRIER, PLAIN_FLOATS, SMALL_FLOATS, converted, limits
from onnxfix.decompose.op import NoRewrite, Op
from onnxfix.model.edit import Proposal
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD, dtype_name

_T = onnx.TensorProto
_LEFT_ALONE = ("Constant", "Cast", "If", "Loop", "Scan")


def carry_types(context: Context, types: Sequence[str]) -> Iterator[Proposal]:
    """A Proposal for each node that reads or makes one of the types, and for each Cast to one that a Cast reads.

    Of a rule for refused nodes: only where a value is tied, through nodes, to a node that the target refuses, and
    where two Casts change no number.
    """
    small = frozenset(int(_T.DataType.Value(name.upper())) for name in types)
    scopes = [scope for scope in context.scopes if scope.dtypes & small and not scope.is_function]
    wanted = _tied_to_refusals(context, scopes, small) if context.only_refused else None
    for scope in scopes:
        whole = WholeNumbers(scope, Ranges(scope, _contract(context, scope)))
        for index, node in enumerate(scope.nodes):
            values = _values(scope, node, small)
            tied = wanted is None or bool(wanted & values)
            if values and (tied or node.op_type == "Cast"):
                yield from _proposal(context, scope, index, small, whole, tied=tied)


def _contract(context: Context, scope: Scope) -> dict[str, Range]:
    """uint64 inputs are int64 once the interface may change, and so are below 2**63."""
    names = scope.inputs if context.interface_changes and scope.parent is None else ()
    return {name: (0, INT64_RANGE[1]) for name in names if scope.type_of(name).dtype == _T.UINT64}


def _values(scope: Scope, node: onnx.NodeProto, small: frozenset[int]) -> set[str]:
    """The values of the small types that a node reads or makes."""
    from onnxfix.actions.carried_nodes import OWN  # it needs many modules, and few models have a small type

    if node.domain not in STANDARD and (node.domain != "com.microsoft" or node.op_type not in OWN):
        return set()
    return {name for name in (*node.input, *node.output) if name and scope.type_of(name).dtype in small}


def _tied_to_refusals(context: Context, scopes: Sequence[Scope], small: frozenset[int]) -> set[str]:
    """The values that refused nodes read or make, and those that share a node with one of them; no constants."""
    readers: dict[str, list[set[str]]] = {}
    pending: list[str] = []
    for scope in scopes:
        for index, node in enumerate(scope.nodes):
            values = {name for name in _values(scope, node, small) if scope.constant(name) is None}
            for name in values:
                readers.setdefault(name, []).append(values)
            if context.wants(scope, index):
                pending += values or _values(scope, node, small)
    found = set(pending)
    while pending:
        for values in readers.pop(pending.pop(), ()):
            pending += values - found
            found |= values
    return found


def _proposal(
    context: Context, scope: Scope, index: int, small: frozenset[int], whole: WholeNumbers, *, tied: bool
) -> Iterator[Proposal]:
    from onnxfix.actions.carried_nodes import on_carriers

    node = scope.nodes[index]
    op = Op(scope, index, context.names)
    kinds = " and ".join(sorted({dtype_name(scope.type_of(name).dtype) for name in _values(scope, node, small)}))
    try:
        if node.op_type == "Cast":
            if not _joined(op, small, whole, anyway=tied):
                return
            message = f"two Casts by way of {kinds} are written as arithmetic"
        elif node.op_type in _LEFT_ALONE:
            return
        else:
            on_carriers(op, small, whole.ranges)
            message = f"{node.op_type} of {kinds} is computed in a wider type"
    except NoRewrite as reason:
        yield Proposal(f"{node.op_type} of {kinds} is not rewritten: {reason}", scope, index)
        return
    if op.unsafe:
        yield Proposal(f"{message}; {op.unsafe}", scope, index, edits=(op.edit(),), applicability="unsafe")
    else:
        yield Proposal(message, scope, index, edits=(op.edit(),))


def _joined(op: Op, small: frozenset[int], whole: WholeNumbers, *, anyway: bool) -> bool:
    """Finish a Cast that reads what another Cast made; False when no other one did.

    Without `anyway`, only where the small type changes no number.
    """
    made = _maker(op.scope, op.input(0))
    dtype, target = op.dtype(0), int(op.attribute("to", 0))
    if made is None or dtype not in small:
        return False
    scope, cast = made
    value, source = cast.input[0], scope.type_of(cast.input[0]).dtype
    op.require(bool(source), f"the element type of {value} is not known")
    op.require(source in CARRIER or source in PLAIN_FLOATS or source in BITS or source == _T.BOOL, "it is no number")
    fits = _fits(whole if scope is op.scope else WholeNumbers(scope, Ranges(scope)), value, source, dtype)
    if not fits and not anyway:
        return False
    given = {a.name: onnx.helper.get_attribute_value(a) for a in cast.attribute}
    saturate, mode = bool(given.get("saturate", 1)), given.get("round_mode", b"up").decode()
    if source in CARRIER:
        value, source = forms.cast(op, value, CARRIER[source]), CARRIER[source]
    if not fits:
        value, source = converted(op, value, source, dtype, saturate=saturate, round_mode=mode), CARRIER[dtype]
    if dtype == _T.UINT64 and target not in BITS:
        op.require(inside(whole.ranges.of(op.input(0)), INT64_RANGE), "a uint64 may be 2**63 or more, where int64 ends")
    op.finish(value if source == target else op.make("Cast", value, to=target, **_rounding(op, target)))
    return True


def _rounding(op: Op, target: int) -> dict[str, Any]:
    """The attributes of the Cast that stays, where they say anything."""
    given = {a.name: onnx.helper.get_attribute_value(a) for a in op.node.attribute if a.name != "to"}
    return given if target in SMALL_FLOATS else {}


def _maker(scope: Scope, name: str) -> tuple[Scope, onnx.NodeProto] | None:
    """The Cast that makes a value, here or in an enclosing graph, with its scope."""
    holder: Scope | None = scope
    while holder is not None and not holder.defines(name):
        holder = holder.parent
    if holder is None or name not in holder.producer:
        return None
    node = holder.nodes[holder.producer[name][0]]
    return (holder, node) if node.op_type == "Cast" and node.domain in STANDARD else None


def _fits(whole: WholeNumbers, value: str, source: int, dtype: int) -> bool:
    """Whether every number is one of the small type already."""
    if source == dtype:
        return True
    if dtype in SMALL_FLOATS:
        return False
    allowed = limits(dtype)
    if source in OF_TYPE:
        return inside(whole.ranges.of(value), allowed)
    if source in BITS:
        return inside(limits(source), allowed)
    found = whole.of(value)
    return found is not None and allowed[0] <= found[0] and found[1] <= allowed[1]
