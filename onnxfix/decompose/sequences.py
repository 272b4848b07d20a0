"""Operators on sequences and optionals whose elements are known: written with tensors only (ONNX operator spec)."""

from __future__ import annotations

import numpy as np

from onnxfix.decompose import forms
from onnxfix.decompose.op import NoRewrite, Op
from onnxfix.model.bodies import inlined, own_graph
from onnxfix.model.sequences import Unknown, content, elements, position

MOST = 256
"""Sequences of so many elements or fewer are made from one tensor."""


def sequence_at(op: Op) -> None:
    """The element itself; at a position that is computed, a Gather from the stacked elements."""
    items = _elements(op, 0)
    if op.constant(1) is not None:
        op.finish(op.make("Identity", items[_position(op, items)]))
        return
    op.require(bool(items), "the sequence is empty")
    shapes = {op.scope.type_of(item).dims for item in items}
    fixed = len(shapes) == 1 and all(op.scope.type_of(item).static for item in items)
    op.require(fixed, "the position is computed and the elements do not have one fixed shape")
    rows = [forms.unsqueeze(op, item, [0]) for item in items]
    stacked = op.make("Concat", *rows, axis=0) if len(rows) > 1 else rows[0]
    op.finish(op.make("Gather", stacked, op.input(1), axis=0))


def sequence_length(op: Op) -> None:
    """A constant."""
    op.finish(op.make("Identity", op.const(np.array(len(_elements(op, 0)), np.int64))))


def concat_from_sequence(op: Op) -> None:
    """Concat; a new axis is put into every element first."""
    items = _elements(op, 0)
    op.require(bool(items), "the sequence is empty")
    axis = int(op.attribute("axis"))
    if op.attribute("new_axis", 0):
        if axis < 0:
            rank = op.scope.type_of(items[0]).rank
            op.require(rank is not None, f"the rank of {items[0]} is not known")
            axis += (rank or 0) + 1
        items = [forms.unsqueeze(op, item, [axis]) for item in items]
    op.finish(op.make("Concat", *items, axis=axis) if len(items) > 1 else op.make("Identity", items[0]))


def split_to_sequence(op: Op) -> None:
    """Split, and a SequenceConstruct of the parts."""
    dims = op.dims(0)
    axis = int(op.attribute("axis", 0)) % max(len(dims), 1)
    sizes = _parts(op, dims[axis])
    op.require(0 < len(sizes) <= MOST, f"it makes {len(sizes)} parts, not 1 to {MOST}")
    whole = len(sizes) == 1
    parts = [op.make("Identity", op.input(0))] if whole else forms.split(op, op.input(0), axis, sizes)
    if not op.has(1) and not op.attribute("keepdims", 1):
        parts = [forms.squeeze(op, part, [axis]) for part in parts]
    op.finish(op.make("SequenceConstruct", *parts))


def _parts(op: Op, dim: object) -> list[int]:
    """The sizes of the parts: given as a list, as one size for all but the last, or 1."""
    split = op.values(1, "the split") if op.has(1) else np.array(1)
    disputed = op.has(1) and not split.ndim and not op.attribute("keepdims", 1)
    op.require(not disputed, "with one size for all parts, runtimes do not agree on keepdims = 0")
    if split.ndim:
        return [int(size) for size in split]
    if not isinstance(dim, int):
        raise NoRewrite("the size of the axis is not fixed, so the number of parts is not known")
    size = int(split)
    op.require(size > 0, f"a part of size {size}")
    return [min(size, dim - start) for start in range(0, dim, size)]


def sequence_map(op: Op) -> None:
    """The body once for each element, and a SequenceConstruct of each output."""
    body = op.graph("body")
    op.require(own_graph(body), "its body holds sparse tensors")
    items = _elements(op, 0)
    most = MOST // max(len(body.node), 1)
    op.require(0 < len(items) <= most, f"the sequence has {len(items)} elements, not 1 to {most}")
    others: list[list[str]] = []
    for place in range(1, len(op.node.input)):
        one = op.type(place).kind == "tensor"
        others.append([op.input(place)] * len(items) if one else _elements(op, place))
    op.require(all(len(other) >= len(items) for other in others), "one of its sequences is shorter than the first")
    rounds = [inlined(body, given, op.names) for given in zip(items, *others, strict=False)]
    for made in rounds:
        op.take(made)
    results = [op.make("SequenceConstruct", *column) for column in zip(*(made.outputs for made in rounds), strict=True)]
    op.finish(*results)


def optional_has_element(op: Op) -> None:
    """A constant."""
    try:
        held = op.has(0) and content(op.scope, op.input(0)) is not None
    except Unknown as reason:
        raise NoRewrite(str(reason)) from None
    op.finish(op.make("Identity", op.const(np.array(held))))


def optional_get_element(op: Op) -> None:
    """What the optional holds."""
    try:
        held = content(op.scope, op.input(0))
    except Unknown as reason:
        raise NoRewrite(str(reason)) from None
    if held is None:
        raise NoRewrite("the optional is empty")
    op.finish(op.make("Identity", held))


def _elements(op: Op, place: int) -> list[str]:
    try:
        return elements(op.scope, op.input(place))
    except Unknown as reason:
        raise NoRewrite(str(reason)) from None


def _position(op: Op, items: list[str]) -> int:
    try:
        return position(op.scope, op.node, 1, items, 0)
    except Unknown as reason:
        raise NoRewrite(str(reason)) from None
