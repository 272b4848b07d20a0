"""Constants that hold a burnt-in batch: initial states of recurrent layers, and tokens joined to every sample."""

from __future__ import annotations

import numpy as np
import onnx

from onnxfix.model.attributes import integer_of
from onnxfix.model.model import Array
from onnxfix.model.names import Names
from onnxfix.model.scope import Scope
from onnxfix.model.types import STANDARD

_EXPAND = 8  # the first opset that has Expand
_STATES = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}
"""The inputs of a recurrent layer with its first state, [directions, batch, size] (ONNX operator spec)."""


def free_constant(graph: onnx.GraphProto, scope: Scope, batch: int, names: Names) -> bool:
    """Make one constant follow the batch of what it meets; whether there was one.

    Only a constant whose rows are equal along the batch: every sample then gets the same row.
    """
    for index, node in enumerate(scope.nodes if scope.opset >= _EXPAND else ()):
        if node.domain not in STANDARD:
            continue
        if node.op_type in _STATES and _free_state(graph, scope, index, batch, names):
            return True
        if node.op_type == "Concat" and _free_token(graph, scope, index, batch, names):
            return True
    return False


def _free_state(graph: onnx.GraphProto, scope: Scope, index: int, batch: int, names: Names) -> bool:
    """A first state of zeros is what an absent one means; another is expanded to the batch of the sequence."""
    node = scope.nodes[index]
    dims = scope.type_of(node.input[0]).dims
    layout = integer_of(node, "layout")
    if dims is None or len(dims) != 3 or isinstance(dims[0 if layout else 1], int):
        return False
    for place in _STATES[node.op_type]:
        value = node.input[place] if place < len(node.input) else ""
        array = scope.array(value) if value else None
        axis = 0 if layout else 1
        if array is None or array.ndim != 3 or not _repeats(array, axis, batch):
            continue
        if not array.any():
            graph.node[index].input[place] = ""
        else:
            row = array.take([0], axis)
            _expand(graph, scope, index, place, row, (node.input[0], axis, axis), names)
        return True
    return False


def _free_token(graph: onnx.GraphProto, scope: Scope, index: int, batch: int, names: Names) -> bool:
    """A constant with a batch at axis 0 that is joined, along another axis, to values with a free one."""
    node = scope.nodes[index]
    kinds = [scope.type_of(name) for name in node.input]
    axis = integer_of(node, "axis")
    open_ = [name for name, kind in zip(node.input, kinds, strict=True) if kind.dims and isinstance(kind.dims[0], str)]
    free = next(iter(open_), "")
    if not free or axis in (0, -(kinds[0].rank or 0)):
        return False
    for place, name in enumerate(node.input):
        array = scope.array(name)
        if array is not None and array.ndim > 1 and _repeats(array, 0, batch):
            _expand(graph, scope, index, place, array[:1], (free, 0, 0), names)
            return True
    return False


def _repeats(array: Array, axis: int, batch: int) -> bool:
    return array.shape[axis] == batch and bool(np.array_equal(array, np.repeat(array.take([0], axis), batch, axis)))


def _expand(
    graph: onnx.GraphProto,
    scope: Scope,
    index: int,
    place: int,
    row: Array,
    follows: tuple[str, int, int],
    names: Names,
) -> None:
    """Put in front of a node what expands a row to the batch: `follows` is (a value, its batch axis, the row's)."""
    value, source, axis = follows
    base = scope.nodes[index].input[place]
    stored = {
        "row": row,
        "at": np.array([source], np.int64),
        "front": np.array(row.shape[:axis], np.int64),
        "back": np.array(row.shape[axis + 1 :], np.int64),
    }
    made = {label: names.fresh(f"{base}_{label}") for label in (*stored, "sizes", "batch", "shape", "expanded")}
    graph.initializer.extend(onnx.numpy_helper.from_array(array, made[label]) for label, array in stored.items())
    nodes = [
        onnx.helper.make_node("Shape", [value], [made["sizes"]]),
        onnx.helper.make_node("Gather", [made["sizes"], made["at"]], [made["batch"]], axis=0),
        onnx.helper.make_node("Concat", [made["front"], made["batch"], made["back"]], [made["shape"]], axis=0),
        onnx.helper.make_node("Expand", [made["row"], made["shape"]], [made["expanded"]]),
    ]
    graph.node[index].input[place] = made["expanded"]
    after = list(graph.node[index:])
    del graph.node[index:]
    graph.node.extend([*nodes, *after])
