"""The weights of a model: stored numbers and texts that a bug report need not tell, and made-up ones in their place."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator

import numpy as np
import onnx
from onnx import TensorProto

from onnxfix.model import Model
from onnxfix.model.messages import copied
from onnxfix.model.model import Array
from onnxfix.model.scope import subgraphs

Weight = TensorProto | onnx.AttributeProto
"""A stored tensor, or an attribute that is a list of numbers."""

_FLOATS = frozenset(kind for name, kind in TensorProto.DataType.items() if "FLOAT" in name)
_NARROW = frozenset(
    kind for name, kind in TensorProto.DataType.items() if name.removeprefix("U") in ("INT8", "INT4", "INT2")
)
_TEXT = TensorProto.STRING
_MANY = 64
"""Integers of 16 bits and more, and lists in attributes, are weights when they are longer; else sizes, axes and the
like."""


def weights_of(proto: onnx.ModelProto) -> list[Weight]:
    """What the graphs, the graphs inside nodes and the functions of a model store as mere weights.

    These are floating-point numbers and integers of at most 8 bits where there is more than one, other tensors and
    lists in attributes where there are many, and texts.
    """
    nodes = [*proto.graph.node, *(node for function in proto.functions for node in function.node)]
    return [held for held in (*_stored(proto.graph), *_inside(nodes)) if _is_weight(held)]


def randomized(model: Model, places: Collection[int]) -> onnx.ModelProto:
    """A copy in which the weights at these places of `weights_of` are seeded numbers of the same type and kind."""
    proto = copied(model.proto)
    random = np.random.default_rng(0)
    for place, held in enumerate(weights_of(proto)):
        if place in places and isinstance(held, TensorProto):
            values = model.array(held) if held.data_type == _TEXT or model.is_readable(held) else None
            fill(held, tuple(held.dims), random, values)
        elif place in places and isinstance(held, onnx.AttributeProto):
            _fill_attribute(held, random)
    return proto


def fill(tensor: TensorProto, dims: tuple[int, ...], random: np.random.Generator, like: Array | None = None) -> None:
    """Make up the values of a tensor: small normal numbers, where all of `like` are above 0 such ones, integers of the
    range of `like`, or texts."""
    if tensor.data_type == _TEXT:
        values = np.array([f"text{n}" for n in range(math.prod(dims))], object).reshape(dims)
    elif tensor.data_type in _FLOATS:
        values = random.normal(size=dims) * 0.1
        if like is not None and like.size and bool((like.astype(np.float64) > 0).all()):
            values = np.abs(values) + 0.01
    else:
        whole = like.astype(np.int64) if like is not None and like.size else np.array([0, 1])
        values = random.integers(int(whole.min()), int(whole.max()), size=dims, endpoint=True)
    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    name = tensor.name
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.asarray(values).astype(kind), name))


def made_up(array: Array, random: np.random.Generator) -> Array:
    """Another array for an input: numbers between the smallest and the largest of `array`, texts for texts.

    The smallest, the largest and the zeros stay where they are.
    """
    if array.dtype.kind in "OSU":
        return np.array([f"text{n}" for n in range(array.size)], object).reshape(array.shape)
    if array.dtype.kind == "c":
        return np.asarray(random.normal(size=array.shape) + 1j * random.normal(size=array.shape)).astype(array.dtype)
    if not array.size:
        return array
    wide = array.astype(np.float64)
    low, high = wide.min(), wide.max()
    share = random.uniform(size=array.shape)
    values = low * (1 - share) + high * share
    values = np.round(values) if array.dtype.kind in "biu" else values
    kept = (wide == low) | (wide == high) | (wide == 0)
    return np.where(kept, array, values.astype(array.dtype)).astype(array.dtype)


def is_float_weight(tensor: TensorProto) -> bool:
    """Whether a tensor holds floating-point numbers, and more than one."""
    return tensor.data_type in _FLOATS and math.prod(tensor.dims) > 1


def without_remarks(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without doc strings, metadata, and the name of the graph; the names of nodes and values stay."""
    plain = copied(proto)
    _clear(plain)
    plain.graph.name = "graph"
    return plain


def _clear(message: onnx.ModelProto) -> None:
    """Take doc strings and metadata out of a message and all within."""
    for field, value in list(message.ListFields()):
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in value if isinstance(value, Iterable) else [value]:
                _clear(part)


def _stored(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    yield from (tensor.values for tensor in graph.sparse_initializer)


def _inside(nodes: Iterable[onnx.NodeProto]) -> Iterator[Weight]:
    """What nodes, and the graphs inside them, store."""
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            elif attribute.HasField("sparse_tensor"):
                yield attribute.sparse_tensor.values
            elif attribute.floats or attribute.ints or attribute.strings:
                yield attribute
            yield from attribute.tensors
        for _, _, graph in subgraphs(node):
            yield from _stored(graph)
            yield from _inside(graph.node)


def _is_weight(held: Weight) -> bool:
    if isinstance(held, onnx.AttributeProto):
        return max(len(held.floats), len(held.strings)) > _MANY
    count = math.prod(held.dims)
    if held.data_type in _FLOATS or held.data_type in _NARROW:
        return count > 1
    return count > (0 if held.data_type == _TEXT else _MANY)


def _fill_attribute(held: onnx.AttributeProto, random: np.random.Generator) -> None:
    """Numbers and texts; lists of integers are places and kinds."""
    if held.floats:
        held.floats[:] = [float(value) for value in random.normal(size=len(held.floats)) * 0.1]
    if held.strings:
        held.strings[:] = [f"text{n}".encode() for n in range(len(held.strings))]
