"""One direction of an RNN, GRU or LSTM as a Scan over time, of any length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op
from onnxfix.decompose.recurrent_cells import Cell, Function, step
from onnxfix.decompose.sizes import counted, joined, part

INT64 = onnx.TensorProto.INT64
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def scanned(op: Op, number: int, directions: int, functions: Sequence[Function], backward: bool) -> list[str]:
    """Y [T, 1, batch, H] and the last states [1, batch, H] of direction `number`.

    All inputs are weighed at once, before the Scan.  A step behind the end of a shorter sequence (sequence_lens)
    leaves the states and gives zeros; a backward Scan meets those steps first.
    """
    op.require(op.opset >= 9, "Scan has another form below opset 9")
    cell = _cell(op, number, directions, functions)
    inputs = op.make("MatMul", op.input(0), op.make("Transpose", _part(op, 1, number, directions), perm=[1, 0]))
    if op.has(3):
        inputs = op.make("Add", inputs, _bias(op, cell, number, directions))
    states = [
        _initial(op, cell, position, number, directions) for position in (5, 6)[: 2 if cell.kind == "LSTM" else 1]
    ]
    over, lengths = [inputs], ""
    if op.has(4):
        lengths = forms.unsqueeze(op, forms.cast(op, op.input(4), INT64), [1])
        over.append(counted(op, part(op, 0, 0)))
    body = _body(op, cell, len(states), lengths)
    turned = [1] * len(over) if backward else None
    *last, y = op.many(
        "Scan",
        [*states, *over],
        len(states) + 1,
        body=body,
        num_scan_inputs=len(over),
        scan_input_directions=turned,
        scan_output_directions=[1] if backward else None,
    )
    return [forms.unsqueeze(op, y, [1]), *(forms.unsqueeze(op, state, [0]) for state in last)]


def _body(op: Op, cell: Cell, states: int, lengths: str) -> onnx.GraphProto:
    given = [(label, cell.dtype, 2) for label in ("h", "c")[:states]] + [("inputs", cell.dtype, 2)]
    given += [("time", INT64, 0)] if lengths else []

    def build(names: list[str]) -> list[tuple[str, int, int]]:
        before, inputs = names[:states], names[states]
        after = step(op, cell, inputs, before)
        y = after[0]
        if lengths:
            inside = op.make("Less", names[states + 1], lengths)
            y = op.make("Where", inside, y, op.const(np.array(0), cell.dtype))
            after = [op.make("Where", inside, new, old) for new, old in zip(after, before, strict=True)]
        else:
            y = op.make("Identity", y)
        return [(name, cell.dtype, 2) for name in (*after, y)]

    return op.subgraph("step", given, build)


def _cell(op: Op, number: int, directions: int, functions: Sequence[Function]) -> Cell:
    kind, hidden = op.node.op_type, hidden_size(op)
    weights, own, bias = op.make("Transpose", _part(op, 2, number, directions), perm=[1, 0]), "", ""
    if kind == "GRU" and not _resets_after(op):
        weights, own = forms.split(op, weights, 1, [2 * hidden, hidden])
    elif kind == "GRU" and op.has(3):
        bias = forms.slices(op, _part(op, 3, number, directions), [0], [5 * hidden], [6 * hidden])
    peepholes = forms.split(op, _part(op, 7, number, directions), 0, [hidden] * 3) if op.has(7) else []
    coupled = bool(op.attribute("input_forget", 0))
    return Cell(kind, hidden, op.dtype(0), functions, weights, op.attribute("clip"), own, bias, peepholes, coupled)


def _resets_after(op: Op) -> bool:
    return op.node.op_type == "GRU" and bool(op.attribute("linear_before_reset", 0))


def hidden_size(op: Op) -> int:
    """H: the attribute, or the last size of the recurrent weights."""
    hidden = op.attribute("hidden_size") or op.dims(2)[-1]
    if not isinstance(hidden, int):
        raise NoRewrite("the number of hidden units is not known")
    return hidden


def _part(op: Op, position: int, number: int, directions: int) -> str:
    """What one direction has of an input whose first axis are the directions."""
    value = op.input(position)
    if directions > 1:
        value = forms.slices(op, value, [0], [number], [number + 1])
    return forms.squeeze(op, value, [0])


def _bias(op: Op, cell: Cell, number: int, directions: int) -> str:
    """[gates · H]: of the inputs and of the state together, without what the GRU adds before its reset."""
    length = GATES[cell.kind] * cell.hidden
    own, recurrent = forms.split(op, _part(op, 3, number, directions), 0, [length, length])
    if _resets_after(op):
        kept = forms.slices(op, recurrent, [0], [0], [2 * cell.hidden])
        recurrent = op.make("Concat", kept, op.const(np.zeros(cell.hidden), cell.dtype), axis=0)
    return op.make("Add", own, recurrent)


def _initial(op: Op, cell: Cell, position: int, number: int, directions: int) -> str:
    """[batch, H]: the given state, or zeros."""
    if op.has(position):
        return _part(op, position, number, directions)
    shape = joined(op, [part(op, 0, 1), cell.hidden])
    zero = np.zeros(1, onnx.helper.tensor_dtype_to_np_dtype(cell.dtype))
    return op.make("ConstantOfShape", shape, value=onnx.numpy_helper.from_array(zero))
