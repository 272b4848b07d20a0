"""The inputs and outputs of two models: which is which, and how they differ."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import onnx

from onnxfix.changes.records import Change, Kind
from onnxfix.model.types import ValueType, dtype_name, from_value_info

Numbers = tuple[dict[str, int], dict[str, int]]
"""A number for each name, equal for the values of both models that correspond."""

_RENAMED = {"renamed": True}


def paired_inputs(one: onnx.GraphProto, two: onnx.GraphProto) -> Numbers:
    """Numbers for the graph inputs of both models that callers must feed."""
    return _paired(*([value for value in graph.input if value.name not in _stored(graph)] for graph in (one, two)))


def paired_outputs(one: onnx.GraphProto, two: onnx.GraphProto) -> Numbers:
    """Numbers for the graph outputs of both models."""
    return _paired(list(one.output), list(two.output))


def _paired(ones: Sequence[onnx.ValueInfoProto], twos: Sequence[onnx.ValueInfoProto]) -> Numbers:
    """By name, else the next of the same type, else the only one left of each."""
    left = {value.name: place for place, value in enumerate(ones)}
    right = {value.name: left[value.name] for value in twos if value.name in left}
    names = {value.name for value in twos}
    free = [value for value in ones if value.name not in names]
    rest = [value for value in twos if value.name not in right]
    alike: dict[str, deque[str]] = {}
    for value in free:
        alike.setdefault(type_text(value), deque()).append(value.name)
    for value in rest:
        names_left = alike.get(type_text(value))
        if names_left:
            right[value.name] = left[names_left.popleft()]
    unlike = [name for group in alike.values() for name in group]
    new = [value.name for value in rest if value.name not in right]
    if len(unlike) == len(new) == 1:
        right[new.pop()] = left[unlike.pop()]
    right |= {name: len(ones) + place for place, name in enumerate(new)}
    return left, right


def interface_changes(
    one: onnx.ModelProto, two: onnx.ModelProto, inputs: Numbers, outputs: Numbers
) -> Iterator[Change]:
    """Inputs and outputs that came, went, or have another name, type or place."""
    known = {value.name: value for value in one.graph.input if value.name in inputs[0]}
    new = {value.name: value for value in two.graph.input if value.name in inputs[1]}
    yield from _values("input", known, new, inputs)
    yield from _defaults(one, two)
    known, new = ({value.name: value for value in model.graph.output} for model in (one, two))
    yield from _values("output", known, new, outputs)


def renames_only(change: Change) -> bool:
    """Whether nothing but a name of the interface changed."""
    return change.kind in ("input", "output") and change.details == _RENAMED


def _values(
    kind: Kind, old: Mapping[str, onnx.ValueInfoProto], new: Mapping[str, onnx.ValueInfoProto], numbers: Numbers
) -> Iterator[Change]:
    names = {number: name for name, number in numbers[0].items()}
    partner = {name: names[number] for name, number in numbers[1].items() if number in names}
    gone = set(old) - set(partner.values())
    yield from (Change(kind, name, f"{kind} {name} removed", "", (_line(old[name]),)) for name in old if name in gone)
    for name, value in new.items():
        if name not in partner:
            yield Change(kind, name, f"{kind} {name} added", "", (), (_line(value),))
            continue
        former = old[partner[name]]
        types = type_text(former), type_text(value)
        parts = [f"{kind} {former.name} → {name}" if former.name != name else f"{kind} {name}"]
        parts += [f"{types[0]} → {types[1]}"] if types[0] != types[1] else []
        if former.name != name or types[0] != types[1]:
            details = _RENAMED if types[0] == types[1] else {}
            yield Change(kind, name, ": ".join(parts), "", (_line(former),), (_line(value),), details=details)
    orders = [name for name in old if name not in gone], [partner[name] for name in new if name in partner]
    if orders[0] != orders[1]:
        texts = ", ".join(orders[0]), ", ".join(name for name in new if name in partner)
        yield Change(kind, f"{kind}s", f"{kind}s in another order", "", texts[:1], texts[1:])


def _defaults(one: onnx.ModelProto, two: onnx.ModelProto) -> Iterator[Change]:
    """Stored tensors that callers may override; before IR version 4 all were listed, which meant nothing."""
    ones, twos = (
        {v.name: v for v in model.graph.input if v.name in _stored(model.graph) and model.ir_version >= 4}
        for model in (one, two)
    )
    for name in ones:
        if name not in twos and len(ones) != len(twos):
            yield Change("input", name, f"input {name}, which has a default, removed", "", (_line(ones[name]),))
    for name in twos:
        if name not in ones and len(ones) != len(twos):
            yield Change("input", name, f"input {name}, which has a default, added", "", (), (_line(twos[name]),))


def _stored(graph: onnx.GraphProto) -> set[str]:
    return {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}


def _line(value: onnx.ValueInfoProto) -> str:
    return f"{type_text(value)} {value.name}"


def type_text(value: onnx.ValueInfoProto) -> str:
    """The type of a value as ONNX text writes it: `float[N,3]`, `seq(tensor(int64))`."""
    return _text(value.type)


def _text(kind: onnx.TypeProto) -> str:
    match kind.WhichOneof("value"):
        case "tensor_type":
            return _tensor(from_value_info(onnx.ValueInfoProto(type=kind)))
        case "sequence_type":
            return f"seq({_text(kind.sequence_type.elem_type)})"
        case "optional_type":
            return f"optional({_text(kind.optional_type.elem_type)})"
        case "map_type":
            return f"map({dtype_name(kind.map_type.key_type)}, {_text(kind.map_type.value_type)})"
        case "sparse_tensor_type":
            return f"sparse_tensor({dtype_name(kind.sparse_tensor_type.elem_type)})"
        case other:
            return other or "unknown"


def _tensor(kind: ValueType) -> str:
    if kind.dims is None:
        return dtype_name(kind.dtype)
    return f"{dtype_name(kind.dtype)}[{','.join('?' if dim is None else str(dim) for dim in kind.dims)}]"
