"""RNN, GRU and LSTM in forms that TensorRT does not take, or takes and misreads."""

from __future__ import annotations

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.decompose.recurrent_cells import Function, functions
from onnxfix.decompose.recurrent_scan import hidden_size, scanned

BY_DIRECTION = (1, 2, 3, 5, 6, 7)
"""Inputs that hold one part for each direction: W, R, B, initial_h, initial_c, P."""


def batch_first(op: Op) -> None:
    """layout = 1 is layout = 0 between transposes: X, the initial states and all outputs have the batch first."""
    if not op.attribute("layout", 0):
        raise Unconcerned("the batch is the second axis already")
    inputs = list(op.node.input)
    for position in (0, 5, 6):
        if op.has(position):
            inputs[position] = op.make("Transpose", op.input(position), perm=[1, 0, 2])
    kept = {name: value for name, value in op.attributes().items() if name != "layout"}
    outputs = op.many(op.node.op_type, inputs, len(op.node.output), **kept)
    orders = ([2, 0, 1, 3], [1, 0, 2], [1, 0, 2])
    named = zip(op.node.output, outputs, orders, strict=False)
    op.finish(*(op.make("Transpose", value, perm=order) if name else "" for name, value, order in named))


def recurrent(op: Op) -> None:
    """Functions that differ by direction, coupled gates, functions and spellings that TensorRT does not know.

    Where TensorRT takes each direction alone, there will be one node for each; else each direction becomes a Scan.
    """
    op.require(not op.attribute("layout", 0), "layout = 1 is repaired first")
    direction = op.attribute("direction", "forward")
    both = direction == "bidirectional"
    found = functions(op, 2 if both else 1)
    numbered = bool(op.attribute("activation_alpha") or op.attribute("activation_beta"))
    names = [[function.name for function in own] for own in found]
    spelled = [name for own in names for name in own]
    if op.attribute("input_forget", 0) or numbered or _unknown(op, found):
        backward = [False, True] if both else [direction == "reverse"]
        parts = [scanned(op, i, len(found), found[i], backward[i]) for i in range(len(found))]
        _join(op, parts)
    elif both and names[0] != names[1]:
        _join(op, [_alone(op, number, names[number]) for number in (0, 1)])
    elif (op.attribute("activations") or spelled) != spelled or not op.attribute("hidden_size"):
        kept = {**op.attributes(), "activations": spelled, "hidden_size": hidden_size(op)}
        op.finish(*op.many(op.node.op_type, list(op.node.input), len(op.node.output), **kept))
    else:
        raise Unconcerned("nothing is known to be wrong with this node")


def _unknown(op: Op, found: list[list[Function]]) -> bool:
    """Functions that TensorRT-RTX 1.7.1 does not know, or cannot build: Elu for the gates of an LSTM."""
    names = {function.name for own in found for function in own}
    return "Affine" in names or (op.node.op_type == "LSTM" and any(own[0].name == "Elu" for own in found))


def _alone(op: Op, number: int, names: list[str]) -> list[str]:
    """The node with one direction only."""
    inputs = list(op.node.input)
    for position in BY_DIRECTION:
        if op.has(position):
            inputs[position] = forms.slices(op, op.input(position), [0], [number], [number + 1])
    own = {"direction": ("forward", "reverse")[number], "activations": names, "hidden_size": hidden_size(op)}
    return op.many(op.node.op_type, inputs, 3 if op.node.op_type == "LSTM" else 2, **{**op.attributes(), **own})


def _join(op: Op, parts: list[list[str]]) -> None:
    """Y joins its directions along axis 1, the last states along axis 0."""
    joined = []
    for place, name in enumerate(op.node.output):
        values = [part[place] for part in parts]
        if not name:
            joined.append("")
        elif len(values) == 1:
            joined.append(values[0])
        else:
            joined.append(op.make("Concat", *values, axis=1 if place == 0 else 0))
    op.finish(*joined)
