"""Sizes for the free dimensions of a model's inputs that do not contradict what the model declares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    have at that axis, the best size of `profile`, all sizes that inputs have, and 1.
    """
    best = {item.name: item.best for item in profile if not item.values}
    others = _known_sizes(model, specs)
    asked = len(model.proto.graph.node) <= MOST_NODES
    sizes: Sizes = {}
    for spec in specs:
        for axis, dim in enumerate(spec.dims):
            if not isinstance(dim, str) or resolve(dim, sizes) is not None:
                continue
            own = best[spec.name][axis : axis + 1] if spec.name in best else ()
            alike = [size for size, _ in others.get((len(spec.dims), axis), Counter()).most_common()]
            choices = list(dict.fromkeys((*alike, *own, *_every(specs), 1)))[:_MOST_CHOICES]
            good = (size for size in choices if not asked or _fits(model, specs, {**sizes, dim: size}))
            sizes[dim] = next(good, choices[0])
    return sizes


def _known_sizes(model: Model, specs: Sequence[InputSpec]) -> Mapping[tuple[int, int], Counter[int]]:
    """How often inputs and stored tensors have a size above 1, by their rank and the axis."""
    found: dict[tuple[int, int], Counter[int]] = {}
    shapes = [spec.dims for spec in specs]
    for dims in (*shapes, *(tuple(tensor.dims) for tensor in model.proto.graph.initializer)):
        for axis, dim in enumerate(dims):
            if _counts(dim):
                found.setdefault((len(dims), axis), Counter())[dim] += 1
    return found


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
