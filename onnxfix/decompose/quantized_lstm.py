"""DynamicQuantizeLSTM (com.microsoft) step by step: a Scan whose body quantizes the hidden state as the kernel does.

ONNX Runtime 1.32 quantizes the whole input once and the hidden state at every step, to uint8 with scale and zero point
from their range (as DynamicQuantizeLinear), multiplies integers, and scales the sums by both scales.  The weights are
stored as [directions, inputs, 4 * hidden], in the order of gates i, o, f, c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.carriers import FLOAT
from onnxfix.decompose.op import NoRewrite, Op
from onnxfix.decompose.products import Operand, column_sums, known_size, summed
from onnxfix.decompose.quantized import quantization
from onnxfix.model.model import Array

_ACTIVATIONS = ("Sigmoid", "Tanh", "Relu")
_GATES = 4


@dataclass(frozen=True)
class _Weights:
    """One direction's weights less their zero points, and their scale: one number or one for each column."""

    values: Operand
    scale: Array


def dynamic_quantize_lstm(op: Op) -> None:
    """DynamicQuantizeLSTM without sequence lengths and coupled gates."""
    op.require(op.opset >= 11, "there is no Round below opset 11")
    op.require(not op.has(4), "it has sequence lengths")
    op.require(
        not op.attribute("input_forget", 0) and not op.attribute("layout", 0), "it has coupled gates or a layout"
    )
    kind = op.attribute("direction", "forward")
    count = 2 if kind == "bidirectional" else 1
    names = _activations(op, count)
    x = _quantized(op, op.input(0))
    found = [
        _direction(op, place, x, kind == "reverse" or place == 1, names[3 * place : 3 * place + 3])
        for place in range(count)
    ]
    outputs = [
        _joined(op, [result[2] for result in found], 1),
        *(_joined(op, [r[n] for r in found], 0) for n in (0, 1)),
    ]
    op.finish(*(value if op.reads(place) else "" for place, value in enumerate(outputs[: len(op.node.output)])))


def _activations(op: Op, count: int) -> list[str]:
    names = list(op.attribute("activations") or []) or ["Sigmoid", "Tanh", "Tanh"] * count
    known = [next((name for name in _ACTIVATIONS if name.lower() == given.lower()), "") for given in names]
    op.require(all(known) and len(known) == 3 * count, "an activation is none of Sigmoid, Tanh and Relu")
    return known


def _quantized(op: Op, value: str) -> tuple[str, str]:
    """(the quantized numbers less their zero point, the scale), both float."""
    scale, point = quantization(op, value)
    whole = op.make("Add", forms.round_even(op, op.make("Div", value, scale)), point)
    return op.make("Sub", forms.clip(op, whole, 0, 255), point), scale


def _weights(op: Op, place: int, data: int, scale: int, zero: int) -> _Weights:
    values = op.values(data, "a weight")[place].astype(np.int64)
    factors = op.values(scale, "a weight's scale").astype(np.float32)
    shift = op.values(zero, "a weight's zero point").astype(np.int64)
    factor, point = (array[place] if array.ndim and array.shape[0] > place else array for array in (factors, shift))
    centred = values - point
    operand = Operand(op.const(centred.astype(np.float32)), int(np.abs(centred).max(initial=0)), centred)
    return _Weights(operand, np.asarray(factor, np.float32))


def _product(op: Op, left: tuple[str, str], weights: _Weights) -> str:
    """The scaled product of quantized numbers with weights."""
    assert weights.values.known is not None
    inner = int(weights.values.known.shape[0])
    largest = column_sums(weights.values, (0,), inner)
    value, kind = summed(
        op, Operand(left[0], 255), weights.values, largest, inner, lambda a, b: op.make("MatMul", a, b)
    )
    total = value if kind == FLOAT else forms.cast(op, value, FLOAT)
    return op.make("Mul", total, op.make("Mul", left[1], op.const(weights.scale)))


def _direction(op: Op, place: int, x: tuple[str, str], backwards: bool, names: Sequence[str]) -> list[str]:
    """(last hidden state, last cell state, hidden states of all steps) of one direction."""
    w, r = _weights(op, place, 1, 8, 9), _weights(op, place, 2, 10, 11)
    gates = _product(op, x, w)
    hidden = known_size(op.dims(2)[1])
    if hidden is None:
        raise NoRewrite("the hidden size is not known")
    if op.has(3):
        bias = op.values(3, "the bias")[place].reshape(2, _GATES * hidden)
        gates = op.make("Add", gates, op.const(bias.sum(axis=0, dtype=np.float32)))
    states = [_initial(op, position, place, hidden) for position in (5, 6)]
    body = _body(op, place, r, hidden, names)
    turned = [1] if backwards else None
    return op.many(
        "Scan",
        [*states, gates],
        3,
        body=body,
        num_scan_inputs=1,
        scan_input_directions=turned,
        scan_output_directions=turned,
    )


def _initial(op: Op, position: int, place: int, hidden: int) -> str:
    """One direction's first state: the given one, else zeros for every sequence of the batch."""
    if op.has(position):
        return forms.squeeze(op, forms.slices(op, op.input(position), [0], [place], [place + 1]), [0])
    batch = forms.slices(op, op.make("Shape", op.input(0)), [0], [1], [2])
    return op.make("Expand", op.const(np.float32(0)), op.make("Concat", batch, op.ints(hidden), axis=0))


def _body(op: Op, place: int, r: _Weights, hidden: int, names: Sequence[str]) -> onnx.GraphProto:
    """One step: hidden and cell state and the input's share of the gates, to the new states and the step's output."""
    h, c, share = (op.names.fresh(f"lstm_{name}") for name in ("hidden", "cell", "gates"))
    with op.apart() as nodes:
        gates = op.make("Add", share, _product(op, _quantized(op, h), r))
        i, o, f, g = forms.split(op, gates, 1, [hidden] * _GATES)
        peep = _peepholes(op, place, hidden)
        first, second, third = names
        i = op.make(first, _limited(op, _peeped(op, i, c, peep, 0)))
        f = op.make(first, _limited(op, _peeped(op, f, c, peep, 2)))
        g = op.make(second, _limited(op, g))
        new = op.make("Add", op.make("Mul", f, c), op.make("Mul", i, g))
        o = op.make(first, _limited(op, _peeped(op, o, new, peep, 1)))
        out = op.make("Mul", o, op.make(third, new))
        results = [op.make("Identity", value) for value in (out, new, out)]
    values = [onnx.helper.make_tensor_value_info(name, FLOAT, None) for name in (h, c, share, *results)]
    return onnx.helper.make_graph(nodes, op.names.fresh("lstm_step"), values[:3], values[3:])


def _peepholes(op: Op, place: int, hidden: int) -> Array | None:
    """Three rows, for the gates i, o and f."""
    return op.values(7, "the peepholes")[place].reshape(3, hidden).astype(np.float32) if op.has(7) else None


def _peeped(op: Op, gate: str, cell: str, peep: Array | None, row: int) -> str:
    return gate if peep is None else op.make("Add", gate, op.make("Mul", op.const(peep[row]), cell))


def _limited(op: Op, value: str) -> str:
    bound = op.attribute("clip")
    return value if not bound else forms.clip(op, value, -float(bound), float(bound))


def _joined(op: Op, values: list[str], axis: int) -> str:
    """The directions' results along a new axis."""
    apart = [forms.unsqueeze(op, value, [axis]) for value in values]
    return apart[0] if len(apart) == 1 else op.make("Concat", *apart, axis=axis)
