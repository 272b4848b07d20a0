"""Changes to a model's interface: what the user asks for, and what callers find changed afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from onnxfix.actions.request import Request, requested
from onnxfix.errors import OnnxfixError
from onnxfix.files import drafted, unwritable
from onnxfix.fixpoint.rounds import Outcome
from onnxfix.model import Array, Draft, Model, Weights, draft
from onnxfix.model.types import ValueType, dtype_name, from_value_info
from onnxfix.records import InterfaceChange
from onnxfix.verify.lists import elements_of

_SHOWN = 8
"""So many elements of a frozen value are told."""

FREEZING = ("frozen-input", "run-time-parameter")
"""The rules that make a constant of an input."""


def asked(
    model: Model,
    freeze: Mapping[str, Any] | None,
    shapes: Mapping[str, Sequence[int | str]] | None,
    dynamic_batch: bool,
    cut: str,
    inputs: str | Path | None,
) -> Request:
    """What the user asks for, with the recorded inputs.  Raises OnnxfixError as `requested` and `recorded` do."""
    request = requested(model, freeze=freeze, shapes=shapes, dynamic_batch=dynamic_batch, cut=cut)
    if not inputs:
        return request
    from onnxfix.verify.lists import tensors
    from onnxfix.verify.values import recorded_inputs

    recorded = tensors(recorded_inputs(Path(inputs), model, request.freeze))
    return replace(request, recorded=recorded, has_recording=True)


def interface_changes_of(original: Model, outcome: Outcome, request: Request) -> Iterator[InterfaceChange]:
    """The inputs and outputs of the original that are others in the result, and new ones."""
    values = {**request.recorded, **request.freeze}
    names = {entry.node for entry in outcome.journal if entry.rule in FREEZING}
    frozen = {name: _constant(values[name]) for name in names if name in values}
    tail = outcome.rest.proto.graph if outcome.rest else onnx.GraphProto()
    rest = {value.name: f"in the rest: {_text(value)}" for value in (*tail.input, *tail.output)}
    old, new = original.proto.graph, outcome.model.proto.graph
    gone = {**rest, **frozen, **_apart(old.input, new.input)}, {**rest, **_apart(old.output, new.output)}
    stored = {tensor.name for tensor in (*old.initializer, *new.initializer)} - frozen.keys()
    yield from _differences("input", _signatures(old.input, stored), _signatures(new.input, stored), gone[0])
    yield from _differences("output", _signatures(old.output, ()), _signatures(new.output, ()), gone[1])


def _apart(old: Sequence[onnx.ValueInfoProto], new: Sequence[onnx.ValueInfoProto]) -> dict[str, str]:
    """The sequences whose elements are inputs or outputs of their own now."""
    names = [value.name for value in new]
    items = {value.name: elements_of(value.name, names) for value in old if value.name not in names}
    return {name: f"as tensors: {', '.join(found)}" for name, found in items.items() if found}


def _differences(
    kind: Literal["input", "output"], old: dict[str, str], new: dict[str, str], gone: Mapping[str, str]
) -> Iterator[InterfaceChange]:
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name, ""), new.get(name, gone.get(name, ""))
        if before != after:
            yield InterfaceChange(kind, name, before, after)


def _signatures(values: Sequence[onnx.ValueInfoProto], without: Any) -> dict[str, str]:
    return {value.name: _text(value) for value in values if value.name not in without}


def _text(value: onnx.ValueInfoProto) -> str:
    """`float[N,3,224,224]`; a rank that is not known is left out."""
    kind: ValueType = from_value_info(value)
    if kind.kind != "tensor":
        return kind.kind.replace("_", " ")
    dims = "" if kind.dims is None else f"[{','.join('?' if dim is None else str(dim) for dim in kind.dims)}]"
    return f"{dtype_name(kind.dtype)}{dims}"


def _constant(array: Array) -> str:
    dtype = dtype_name(onnx.helper.np_dtype_to_tensor_dtype(array.dtype))
    values = ", ".join(str(value) for value in np.asarray(array).ravel()[:_SHOWN])
    more = ", ..." if array.size > _SHOWN else ""
    dims = f"[{','.join(map(str, array.shape))}]"
    return f"constant {dtype}{dims} = {values}{more}"


def publish(result: Draft, rest: Model | None) -> str:
    """Give the result its name, and what a cut took off the name OUT.rest.onnx, which is told; "" without a cut.

    What lies there of an earlier cut goes first: whenever the process is killed, a rest that is there is that of the
    result.  Raises ModelFileError.
    """
    if rest is None:
        result.publish()
        return ""
    path = result.goal.with_name(f"{result.goal.stem}.rest.onnx")
    if rest.path and rest.path.exists() and path.exists() and path.samefile(rest.path):
        raise OnnxfixError(
            "is the input itself, and the rest would replace it", where=str(path), hint="choose another -o"
        )
    with Weights(rest, path) as weights, draft(rest, path, weights) as behind, _aside(path, result):
        result.publish()
        behind.publish()
    return str(path)


@contextmanager
def _aside(path: Path, result: Draft) -> Iterator[None]:
    """A file is not where it was; it comes back unless the result gets its name.  Raises ModelFileError."""
    with drafted(path) as kept:
        there = path.exists()
        try:
            if there:
                _move(path, kept)
            yield
        finally:
            if there and not path.exists() and result.path.exists():
                _move(kept, path)


def _move(old: Path, new: Path) -> None:
    try:
        old.replace(new)
    except OSError as error:
        raise unwritable(old, error) from None
