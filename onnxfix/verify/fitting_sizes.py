"""Sizes for the free dimensions of a model's inputs that do not contradict what the model declares."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeGuard

from onnxfix.engine import InputRange
from onnxfix.model import Model
from onnxfix.model.inference import typed_scopes
from onnxfix.model.messages import copied
from onnxfix.verify.inputs import InputSpec
from onnxfix.verify.sizes import Sizes, resolve

MOST_NODES = 1_000
"""Shape inference is asked of models up to so many nodes; of larger ones the first choice is taken."""
_MOST_CHOICES = 8


def fitting_sizes(model: Model, specs: Sequence[InputSpec], profile: Sequence[InputRange]) -> Sizes:
    """A size for each name of a dimension, one after the other.

    The first that shape inference does not refuse of: the sizes that other inputs and stored tensors of the same rank
    have at that axis (those that share most of the other sizes first), the best size of `profile`, all sizes that
    inputs have, and 1.
    """
    best = {item.name: item.best for item in profile if not item.values}
    shapes = [*(spec.dims for spec in specs), *(tuple(tensor.dims) for tensor in model.proto.graph.initializer)]
    asked = len(model.proto.graph.node) <= MOST_NODES
    sizes: Sizes = {}
    for spec in specs:
        for axis, dim in enumerate(spec.dims):
            if not isinstance(dim, str) or resolve(dim, sizes) is not None:
                continue
            own = best[spec.name][axis : axis + 1] if spec.name in best else ()
            choices = list(dict.fromkeys((*_alike(spec.dims, axis, shapes), *own, *_every(specs), 1)))[:_MOST_CHOICES]
            good = (size for size in choices if not asked or _fits(model, specs, {**sizes, dim: size}))
            sizes[dim] = next(good, choices[0])
    return sizes


def _alike(dims: Sequence[int | str], axis: int, shapes: Sequence[Sequence[int | str]]) -> list[int]:
    """The sizes above 1 that shapes of the same rank have at an axis, by how many other sizes they share, how many
    have it, and the last first: what must be alike, as keys and values, mostly comes after the rest."""
    shared: dict[int, int] = {}
    found: Counter[int] = Counter()
    for other in reversed(shapes):
        if len(other) == len(dims) and _counts(size := other[axis]):
            found[size] += 1
            shared[size] = max(shared.get(size, 0), sum(map(operator.eq, dims, other)))
    return sorted(found, key=lambda size: (-shared[size], -found[size]))


def _counts(dim: int | str) -> TypeGuard[int]:
    return isinstance(dim, int) and dim > 1


def _every(specs: Sequence[InputSpec]) -> Iterator[int]:
    return (dim for spec in specs for dim in spec.dims if _counts(dim))


def _fits(model: Model, specs: Sequence[InputSpec], sizes: Sizes) -> bool:
    """Whether shape inference finds no contradiction when the dimensions of these names have these sizes."""
    made = copied(model.proto)
    wanted = {spec.name: spec.dims for spec in specs}
    for value in made.graph.input:
        for dim, name in zip(value.type.tensor_type.shape.dim, wanted.get(value.name, ()), strict=False):
            size = resolve(name, sizes)
            if size is not None:
                dim.dim_value = size
    return not typed_scopes(model.with_proto(made))[1]
