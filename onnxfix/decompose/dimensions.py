"""Tensors of more dimensions than a target has."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import onnx

from onnxfix.decompose import forms
from onnxfix.decompose.op import Op, Unconcerned
from onnxfix.model.attributes import integers_of
from onnxfix.model.types import Dim

MOST = 8
"""The most dimensions of a tensor in TensorRT (Dims::MAX_DIMS)."""


def many_dimensions(op: Op) -> None:
    """Reshape, Transpose, Reshape through more than eight dimensions: axes that stay together become one.

    Where that is not enough, axes are moved one after the other.
    """
    dims = op.scope.type_of(op.node.output[0]).dims
    if dims is None or len(dims) <= MOST:
        raise Unconcerned(f"it is not known to have more than {MOST} dimensions")
    transpose_index, transpose = _reader(op, op.node.output[0], "Transpose")
    last_index, last = _reader(op, transpose.output[0], "Reshape")
    sizes = _reshape_to(op, dims)
    perm = integers_of(transpose, "perm") or list(range(len(sizes)))[::-1]
    wanted = op.scope.type_of(last.output[0]).dims
    op.require(wanted is not None and len(wanted) <= MOST, f"what follows has more than {MOST} dimensions as well")
    after = _reshape_to(op, wanted or ())
    moved = _moved(op, op.input(0), *_merged(sizes, perm))
    op.remove(transpose_index)
    op.remove(last_index)
    op.bind(forms.reshape(op, moved, after), last.output[0])


def _reader(op: Op, name: str, op_type: str) -> tuple[int, onnx.NodeProto]:
    readers = op.scope.users.get(name, [])
    node = op.scope.nodes[readers[0][0]] if len(readers) == 1 and readers[0][1] == 0 else None
    found = node is not None and node.op_type == op_type and not node.domain and name not in op.scope.output_set
    op.require(found, f"{op_type} is not the only one that reads {name}")
    assert node is not None
    return readers[0][0], node


def _reshape_to(op: Op, dims: Sequence[Dim]) -> list[int]:
    """The sizes as Reshape wants them: -1 for the one that is not known."""
    sizes = [dim if isinstance(dim, int) else -1 for dim in dims]
    op.require(sizes.count(-1) < 2, f"more than one size is not known: {list(dims)}")
    op.require(0 not in sizes, "it has no elements")
    return sizes


def _merged(sizes: list[int], perm: list[int]) -> tuple[list[int], list[int]]:
    """Sizes and order with every run of axes that stay side by side as one axis, and axes of size 1 left out."""
    order = [axis for axis in perm if sizes[axis] != 1] or [0]
    groups: list[list[int]] = []
    kept = sorted(order)
    following = dict(itertools.pairwise(kept))
    for axis in order:
        if groups and following.get(groups[-1][-1]) == axis:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    places = sorted(range(len(groups)), key=lambda group: groups[group][0])
    merged = [_product([sizes[axis] for axis in groups[group]]) for group in places]
    return merged, [places.index(group) for group in range(len(groups))]


def _product(sizes: Sequence[int]) -> int:
    """-1 when a size is not known."""
    return -1 if -1 in sizes else int(np.prod(sizes, dtype=np.int64))


def _moved(op: Op, value: str, sizes: list[int], order: list[int]) -> str:
    if len(sizes) <= MOST:
        return op.make("Transpose", forms.reshape(op, value, sizes), perm=order)
    now = list(range(len(sizes)))
    for place, axis in enumerate(order):
        at = now.index(axis)
        if at == place:
            continue
        parts = [now[:place], now[place:at], [axis], now[at + 1 :]]
        shape = [_product([sizes[a] for a in part]) for part in parts]
        value = op.make("Transpose", forms.reshape(op, value, shape), perm=[0, 2, 1, 3])
        now.insert(place, now.pop(at))
    return value
