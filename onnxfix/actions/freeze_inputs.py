"""Graph inputs that become constants: because the user says so, or because the target needs their values."""

from __future__ import annotations

import re
from collections.abc import Iterator

import onnx

from onnxfix.actions.context import Context
from onnxfix.model.edit import Edit, Proposal
from onnxfix.model.model import Array
from onnxfix.model.scope import Scope
from onnxfix.model.sequences import LISTS
from onnxfix.model.types import STANDARD
from onnxfix.targets import size_inputs

_CLOSED = 4  # from this IR version on, a stored tensor need not be an input
_SHAPE_INPUT = re.compile(r"Network input (\S+) is a shape tensor and must have type")
_SHAPE_TYPES = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
_CARRIERS = frozenset({"Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Concat", "Slice", "Gather"})
"""Operators that only carry values on."""

PARAMETERS: dict[str, tuple[int, ...]] = {
    **{f"Reduce{name}": (1,) for name in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare")},
    **{f"Reduce{name}": (1,) for name in ("LogSum", "LogSumExp")},
    **dict.fromkeys(("Squeeze", "Unsqueeze", "CumSum", "CumProd", "TopK", "Expand", "Tile", "Reshape"), (1,)),
    **dict.fromkeys(("Split", "SplitToSequence", "SequenceAt", "SequenceErase", "Trilu", "Compress"), (1,)),
    **dict.fromkeys(("CenterCropPad", "AffineGrid", "Upsample", "OneHot"), (1,)),
    **dict.fromkeys(("Clip", "QuantizeLinear", "DequantizeLinear", "Dropout", "DFT", "Col2Im"), (1, 2)),
    **dict.fromkeys(("ConstantOfShape", "If", "HannWindow", "HammingWindow", "BlackmanWindow"), (0,)),
    "Range": (0, 1, 2),
    "Loop": (0, 1),
    "Pad": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Resize": (1, 2, 3),
    "STFT": (1, 2, 3),
    "MelWeightMatrix": (0, 1, 2, 3, 4),
    "MaxUnpool": (2,),
    "NonMaxSuppression": (2, 3, 4),
    "SequenceInsert": (2,),
    "BatchNormalization": (1, 2, 3, 4),
    "ConvInteger": (2, 3),
    "MatMulInteger": (2, 3),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
}
"""Inputs that are parameters of the operator rather than data (ONNX operator spec): axes, shapes, counts, bounds,
scales and zero points."""


def freeze_inputs(context: Context) -> Iterator[Proposal]:
    """A Proposal for each input that the user gives a value."""
    scope = context.main
    for name, value in context.request.freeze.items():
        if name in scope.inputs:
            yield Proposal(
                f"input {name} becomes a constant", scope, value=name, edits=(_frozen(context, name, value),)
            )


def freeze_parameters(context: Context) -> Iterator[Proposal]:
    """A Proposal for each graph input from which a parameter of a refused node comes.

    Its value is the recorded one; without a recording the finding says what to give.
    """
    found: dict[str, tuple[Scope, int]] = {}
    holders = ((s, i) for s, i in context.nodes_around(["If", "Loop"]) if _lists_inside(s, i))
    for scope, index in (*context.every_node(), *holders):
        for name in (*_parameters(scope, index), *_named(context, scope, index)):
            found.setdefault(name, (scope, index))
    for name, (scope, index) in found.items():
        op_type = scope.nodes[index].op_type
        value = context.request.recorded.get(name)
        if value is None:
            yield Proposal(_wanted(context, op_type, name), scope, index, value=name)
        else:
            what = f"{op_type} needs the graph input {name} as a constant; it gets its recorded value"
            yield Proposal(what, scope, value=name, edits=(_frozen(context, name, value),), interface=True)


def _wanted(context: Context, op_type: str, name: str) -> str:
    """What to give for an input: its value, or only its length where the target computes sizes while running."""
    length = context.main.type_of(name).dims
    sized = context.target is not None and size_inputs(context.target, op_type)
    if sized and length is not None and len(length) == 1 and not isinstance(length[0], int):
        return f"{op_type} needs the length of the graph input {name}: give --shape {name}=N, or --freeze {name}=VALUE"
    return f"{op_type} needs a constant, and it is the graph input {name}: give --freeze {name}=VALUE"


def _named(context: Context, scope: Scope, index: int) -> list[str]:
    """Where the target says that it reads a shape from an input that holds no integers: all such inputs behind it."""
    if not _SHAPE_INPUT.search(context.refusals.of(scope, index) or ""):
        return []
    read = [name for name in scope.nodes[index].input if name]
    found = [name for value in read for name in _sources(scope, value, computed=True)]
    return [name for name in found if scope.type_of(name).dtype not in _SHAPE_TYPES and scope.type_of(name).rank == 0]


def _lists_inside(scope: Scope, index: int) -> bool:
    return any(node.op_type in LISTS for inner in scope.within(index) for node in inner.nodes)


def _frozen(context: Context, name: str, value: Array) -> Edit:
    tensor = onnx.numpy_helper.from_array(value, name)
    stored = (name,) if name in context.main.initializers else ()
    version = max(context.model.proto.ir_version, _CLOSED)
    return Edit((), initializers=(tensor,), drop_initializers=stored, drop_inputs=(name,), ir_version=version)


def _parameters(scope: Scope, index: int) -> Iterator[str]:
    """The graph inputs that the parameters of a node come from, on ways that only carry values."""
    node = scope.nodes[index]
    if node.domain not in STANDARD:
        return
    for position in PARAMETERS.get(node.op_type, ()):
        if position < len(node.input) and node.input[position]:
            yield from _sources(scope, node.input[position])


def _sources(scope: Scope, name: str, *, computed: bool = False) -> Iterator[str]:
    """The overridable inputs of the main graph behind a value; behind a computed one only with `computed`."""
    pending, seen = [(scope, name)], {name}
    while pending:
        start, value = pending.pop()
        place: Scope | None = start
        while place is not None and not place.defines(value):
            place = place.parent
        if place is None:
            continue
        if value in place.inputs and not place.id and place.constant(value) is None:
            yield value
        elif value in place.producer:
            node = place.nodes[place.producer[value][0]]
            if computed or (node.op_type in _CARRIERS and node.domain in STANDARD):
                new = [source for source in node.input if source and source not in seen]
                seen.update(new)
                pending += [(place, source) for source in reversed(new)]
