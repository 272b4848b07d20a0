"""How the interface of a repaired model maps to that of the original, when the user asked for changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from onnxfix.actions.free_batch import freed
from onnxfix.actions.request import Request
from onnxfix.model import Model
from onnxfix.model.types import UNKNOWN, ValueType, from_value_info
from onnxfix.verify.inputs import InputSpec
from onnxfix.verify.lists import elements_of
from onnxfix.verify.session import Job


def mapped(job: Job, original: Model, repaired: Model, request: Request) -> Job:
    """The job, told of the inputs that became constants and of the batch that was freed."""
    stored = {tensor.name for tensor in original.proto.graph.initializer}
    before = {v.name: from_value_info(v) for v in original.proto.graph.input if v.name not in stored}
    after = {value.name: from_value_info(value) for value in repaired.proto.graph.input}
    frozen = {name: value for name, value in request.freeze.items() if name in before and name not in after}
    batch, sizes = freed(request, before) if request.shapes or request.dynamic_batch else (1, {})
    inputs = [name for name in sizes if name in after]
    if not inputs:
        return replace(job, frozen=frozen)
    new, was = set(sizes.values()), {value.name: from_value_info(value) for value in original.proto.graph.output}
    axes = {v.name: _batch_axis(was.get(v.name, UNKNOWN), from_value_info(v), new) for v in repaired.proto.graph.output}
    batched = {**dict.fromkeys(inputs, 0), **{name: axis for name, axis in axes.items() if axis is not None}}
    burnt = any(isinstance((before[name].dims or (None,))[0], int) for name in inputs)
    return replace(job, frozen=frozen, batch=batch, batched=batched, burnt=burnt)


def _batch_axis(was: ValueType, now: ValueType, new: Collection[int | str]) -> int | None:
    """The axis of an output that follows the inputs' batch: a size that is free now, or that is another."""
    if now.dims is None:
        return 0
    old = was.dims if was.rank == now.rank and was.dims is not None else (None,) * len(now.dims)
    for axis, (before, after) in enumerate(zip(old, now.dims, strict=True)):
        if before != after and (not isinstance(after, int) or after in new or isinstance(before, int)):
            return axis
    return next((axis for axis, dim in enumerate(now.dims) if not isinstance(dim, int)), None)


def mapped_specs(
    specs: Sequence[InputSpec], job: Job, demanded: Mapping[str, ValueType]
) -> tuple[tuple[InputSpec, ...], dict[str, int]]:
    """(the inputs with the batch that the repaired model has, the sizes of dimension names that are settled)."""
    made = []
    fixed: dict[str, int] = {}
    for spec in specs:
        dims = (demanded[spec.name].dims if spec.name in demanded else None) or ()
        if spec.name in job.batched and dims:
            new = dims[0] if dims[0] is not None else f"{spec.name}[0]"
            spec = replace(spec, dims=(new, *spec.dims[1:]))
        sizes: Sequence[object] = job.frozen[spec.name].shape if spec.name in job.frozen else dims
        pairs = zip(spec.dims, sizes, strict=False)
        fixed.update({name: size for name, size in pairs if isinstance(name, str) and isinstance(size, int)})
        made.append(spec)
    return tuple(made), fixed


def taken_apart(original: Model, outputs: Collection[str]) -> dict[str, list[str]]:
    """The sequences that only the original gives, with the outputs that are their elements."""
    gone = [value.name for value in original.proto.graph.output if value.name not in outputs]
    found = {name: elements_of(name, outputs) for name in gone}
    return {name: items for name, items in found.items() if items}


def from_lists(original: Model, repaired: Model) -> set[str]:
    """The inputs of the repaired model that are, or are elements of, sequences and optionals of the original."""
    odd = [value.name for value in original.proto.graph.input if from_value_info(value).kind != "tensor"]
    names = [value.name for value in repaired.proto.graph.input]
    return {name for base in odd for name in (*elements_of(base, names), base)}
