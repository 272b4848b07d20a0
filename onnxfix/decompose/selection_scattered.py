"""Values written where a mask is true: NonZero, Transpose, ScatterND become Where.

PyTorch writes `x[mask] = value` and `x.masked_scatter(mask, source)` so; the latter takes the source's elements one
after the other, and slices it to as many as there are places.
"""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op

_T = onnx.TensorProto
_BETWEEN = {"Transpose", "Shape", "Gather", "Slice", "Unsqueeze", "Squeeze", "Reshape", "Concat", "Expand", "Cast"}


def scatter_selection(op: Op) -> bool:
    """Rewrite the one ScatterND that the places found by this NonZero lead to; False when they lead elsewhere."""
    found = _way_to_scatter(op)
    if found is None:
        return False
    between, index = found
    node = op.scope.nodes[index]
    data, places, updates = node.input[:3]
    rank = len(op.dims(0))
    dims = op.scope.type_of(data).dims
    if any(a.name == "reduction" and a.s != b"none" for a in node.attribute) or not _is_transposed(op, places):
        return False
    if dims is None or not rank or dims[:rank] != op.dims(0) or None in op.dims(0):
        return False
    maker = op.scope.producer.get(updates)
    written = op.scope.nodes[maker[0]] if maker and maker[0] in between else None
    if written is None or ((origin := op.scope.producer.get(written.input[0])) and origin[0] in between):
        return False
    value = _value(op, written, len(dims), rank)
    if value is None:
        return False
    mask = forms.cast(op, op.input(0), _T.BOOL)
    behind = list(range(rank, len(dims)))
    mask = forms.unsqueeze(op, mask, behind) if behind else mask
    for done in (*between, index):
        op.remove(done)
    op.bind(op.make("Where", mask, value, data), node.output[0])
    return True


def _value(op: Op, written: onnx.NodeProto, rank: int, width: int) -> str | None:
    """What goes to the places, spread over the whole tensor; None when the form is not known."""
    source = op.scope.type_of(written.input[0])
    if written.op_type == "Expand" and source.dims is not None:
        rows = rank - width + 1  # the updates have one row for each place
        if len(source.dims) < rows:
            return str(written.input[0])
        one = len(source.dims) == rows and source.dims[0] == 1
        return forms.squeeze(op, written.input[0], [0]) if one else None
    if written.op_type == "Slice" and source.dims is not None and _from_the_front(op, written):
        return _in_turn(op, written.input[0], source.dtype, rank - width)
    return None


def _in_turn(op: Op, source: str, dtype: int, behind: int) -> str | None:
    """For each element of the mask the row of the source that it takes if it is true."""
    if behind or not dtype or op.opset < 12:  # Min of whole numbers
        return None
    flat = forms.reshape(op, forms.cast(op, forms.cast(op, op.input(0), _T.BOOL), _T.INT64), [-1])
    count = op.make("CumSum", flat, op.const(np.array(0, dtype=np.int64)), exclusive=1)
    # one element more: with nothing to write the source may be empty, and something must still be gathered
    longer = op.make("Concat", source, op.const(np.zeros(1), dtype), axis=0)
    last = forms.slices(op, op.make("Shape", source), [0], [0], [1])
    taken = op.make("Gather", longer, op.make("Min", count, last), axis=0)
    return op.make("Reshape", taken, op.make("Shape", op.input(0)))


def _way_to_scatter(op: Op) -> tuple[list[int], int] | None:
    """The nodes that are computed from the places, and the ScatterND that they all lead to."""
    between: list[int] = []
    ends: set[int] = set()
    pending = [op.node.output[0]]
    while pending:
        name = pending.pop()
        if name in op.scope.output_set:
            return None
        for index, position in op.scope.users.get(name, []):
            node = op.scope.nodes[index]
            if position < 0 or node.domain or node.op_type not in _BETWEEN | {"ScatterND"}:
                return None
            if node.op_type == "ScatterND":
                ends.add(index)
            elif index not in between:
                between.append(index)
                pending += node.output
    return (between, ends.pop()) if len(ends) == 1 else None


def _is_transposed(op: Op, places: str) -> bool:
    """Whether these are NonZero's places, one in each row."""
    maker = op.scope.producer.get(places)
    node = op.scope.nodes[maker[0]] if maker else None
    return node is not None and node.op_type == "Transpose" and node.input[0] == op.node.output[0]


def _from_the_front(op: Op, node: onnx.NodeProto) -> bool:
    """Whether a Slice of a vector starts at 0 with steps of 1, and ends where the number of places says."""
    dims = op.scope.type_of(node.input[0]).dims
    if dims is None or len(dims) != 1 or len(node.input) < 3:
        return False
    start = op.scope.array(node.input[1])
    step = op.scope.array(node.input[4]) if len(node.input) > 4 and node.input[4] else np.ones(1)
    if start is None or step is None or start.reshape(-1).tolist() != [0] or step.reshape(-1).tolist() != [1]:
        return False
    return _counts_places(op, node.input[2])


def _counts_places(op: Op, name: str) -> bool:
    """Whether a value is the first size of the places: Shape, then Gather or Slice of its first element."""
    picked = False
    for _ in range(8):
        maker = op.scope.producer.get(name)
        node = op.scope.nodes[maker[0]] if maker else None
        if node is None:
            return False
        if node.op_type == "Shape":
            return picked and not node.attribute and _is_transposed(op, node.input[0])
        if node.op_type in ("Gather", "Slice"):
            first = op.scope.array(node.input[1])
            end = op.scope.array(node.input[2]) if node.op_type == "Slice" else np.ones(1)
            if first is None or end is None or first.reshape(-1).tolist() != [0] or end.reshape(-1).tolist() != [1]:
                return False
            picked = True
        elif node.op_type not in ("Unsqueeze", "Squeeze", "Reshape", "Cast"):
            return False
        name = node.input[0]
    return False
